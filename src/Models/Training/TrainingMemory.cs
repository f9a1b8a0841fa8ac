using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// How much device memory a run takes: what is held throughout, what a batch takes forward and backward, what kernels need for
/// themselves, and what an evaluation takes in addition. The training features are not counted.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="config">The model.</param>
/// <param name="batchSize">B.</param>
/// <param name="activePerRow">Stored latents per row; null for the usual number at the start of training.</param>
/// <param name="dead">Dead latents; null for all, which is the most that the auxiliary loss can take.</param>
internal sealed class TrainingMemory(Device device, SaeConfig config, int batchSize, double? activePerRow = null, int? dead = null)
{
    private const long Float = sizeof(float);
    private const long Double = sizeof(double);

    // What sizes are suggested in multiples of.
    private const int BatchStep = 128;
    private const int LatentStep = 1024;

    private static readonly string[] Suggested = [nameof(TrainingOptions.BatchSize), nameof(SaeConfig.Latents)];

    private readonly ModelFootprint _footprint = config.Architecture.Traits().Footprint(config);
    private readonly long _b = batchSize;
    private readonly long _d = config.Dimension;
    private readonly long _m = config.Latents;
    private readonly long _dead = dead ?? config.Latents;

    /// <summary>Bytes of a whole run, where the device has memory of its own.</summary>
    public long Bytes => Parameters + Batch + Latents + Auxiliary + Scratch(Nonzeros) + Math.Max(Evaluation, Calibration);

    /// <summary>Bytes that a run cannot do without, whatever its batches are: the model, its optimizer, and an evaluation's sums.</summary>
    public long Least => Parameters + EvaluationSums;

    /// <summary>M·D, the values of the longest array.</summary>
    private long WeightCount => _m * _d;

    /// <summary>How often a batch is decoded: a gate is, too.</summary>
    private int Decodes => _footprint.HasGate ? 2 : 1;

    private int Centered => _footprint.CentersInput ? 1 : 0;

    /// <summary>N, the latents stored.</summary>
    private long Nonzeros => (long)(_b * (activePerRow ?? _footprint.ActivePerRow));

    /// <summary>The latents stored for the auxiliary loss.</summary>
    private long AuxiliaryNonzeros => _b * Math.Min(_footprint.AuxiliaryPerRow, _dead);

    /// <summary>
    /// Values, gradients and two moments; squares of the gradients summed by row; steps since latents fired, and a list of the dead.
    /// </summary>
    private long Parameters
    {
        get
        {
            long matrices = _footprint.WeightMatrices;
            return (4 * Float * ((matrices * _m * _d) + _footprint.VectorElements)) + (matrices * Double * _m) + (2 * Float * _m);
        }
    }

    /// <summary>
    /// Matrices of B×D: the batch, the encoder's input, and the reconstruction and its gradient, before and after the layer norm is undone.
    /// </summary>
    private long Batch => Matrices(
        _footprint.Groups + Centered + (Decodes * 2) + (config.NormalizesInput ? 1 + (Decodes * 3) : 0));

    /// <summary>A batch's sparse latents, JumpReLU's pre-activations, and sums of MonoLoss.</summary>
    private long Latents => (Decodes * Sparse(Nonzeros))
        + (_footprint.KeepsPreActivations ? Float * Nonzeros : 0)
        + (config.MonoCoefficient > 0 ? (Double * (_b + _d)) + (Float * _m) : 0);

    /// <summary>The auxiliary loss: the encoder's rows of dead latents, sparse latents, and matrices of B×D.</summary>
    private long Auxiliary => _footprint.AuxiliaryMatrices == 0 || config.AuxCoefficient == 0 ? 0
        : (Float * _dead * _d) + Sparse(AuxiliaryNonzeros) + Matrices(_footprint.AuxiliaryMatrices);

    /// <summary>Scratch memory of the device's kernels, where a batch has some number of latents.</summary>
    private long Scratch(long nonzeros) => device.ScratchBytes(new WorkloadShape
    {
        Rows = _b,
        Features = _d,
        Latents = _m,
        Nonzeros = nonzeros,
        AuxiliaryNonzeros = AuxiliaryNonzeros,
        SelectsFromBatch = _footprint.Selection == SelectionKind.BatchTopK,
        SelectsByBound = _footprint.Selection == SelectionKind.Threshold,
        HasGroups = _footprint.Groups > 1,
        HasGate = _footprint.HasGate,
        HasMonoLoss = config.MonoCoefficient > 0,
    });

    /// <summary>An evaluation: the sums of MonoScore, and a batch encoded and decoded in addition to that of training.</summary>
    private long Evaluation => EvaluationSums + Matrices(1 + Centered + (config.NormalizesInput ? 2 : 1))
        + (Decodes * Sparse(Nonzeros));

    private long EvaluationSums => Double * _m * (_d + 8);

    /// <summary>The pass that finds BatchTopK's threshold after training: a batch encoded with more latents than k per row.</summary>
    private long Calibration
    {
        get
        {
            var nonzeros = BatchTopK.CalibrationMultiple * Nonzeros;
            return _footprint.Selection != SelectionKind.BatchTopK ? 0
                : Matrices(1 + Centered + (config.NormalizesInput ? 1 : 0)) + Sparse(nonzeros) + Scratch(nonzeros) - Scratch(Nonzeros);
        }
    }

    /// <summary>Checks that a run fits.</summary>
    /// <param name="device">Where it is to run.</param>
    /// <param name="config">The model.</param>
    /// <param name="batchSize">B.</param>
    /// <param name="machineBytes">Memory of the machine, for a device that has none of its own; null to ask the system.</param>
    /// <returns>Bytes of the device's own memory that are left for the training features.</returns>
    /// <exception cref="ConfigurationException">It does not fit: one line that says what would.</exception>
    public static long Check(Device device, SaeConfig config, int batchSize, long? machineBytes = null)
    {
        if (device.Memory is not { } memory)
        {
            CheckMachine(device, config, batchSize, machineBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
            return long.MaxValue;
        }

        var run = new TrainingMemory(device, config, batchSize);
        var needed = run.Bytes;
        if (needed > memory.Free)
        {
            throw new ConfigurationException(
                $"{device.Name} has {DeviceMemory.Format(memory.Total)} of memory, {DeviceMemory.Format(memory.Free)} free; "
                    + $"{config.Architecture.Name()} with {config.Latents} latents and batches of {batchSize} rows needs "
                    + $"{DeviceMemory.Format(needed)}: {Suggest(device, config, batchSize, memory.Free)}",
                Suggested);
        }

        if (run.WeightCount > device.MaxLength)
        {
            throw new ConfigurationException(
                $"an array on {device.Name} holds at most {device.MaxLength} values, fewer than {config.Latents} latents times "
                    + $"{config.Dimension} features: {Suggest(device, config, batchSize, memory.Free)}",
                Suggested);
        }

        return memory.Free - needed;
    }

    // Batches are not counted here: a system gives memory to who needs it, but to a model of several times its size it cannot.
    private static void CheckMachine(Device device, SaeConfig config, int batchSize, long bytes)
    {
        long Least(int latents) => new TrainingMemory(device, config with { Latents = latents }, batchSize).Least;
        if (Least(config.Latents) <= bytes)
        {
            return;
        }

        var fits = Largest(config.Latents, LatentStep, latents => Least(latents) <= bytes);
        throw new ConfigurationException(
            $"the machine has {DeviceMemory.Format(bytes)} of memory; {config.Architecture.Name()} with {config.Latents} latents needs at "
                + $"least {DeviceMemory.Format(Least(config.Latents))}: try {nameof(SaeConfig.Latents)} {fits} or fewer",
            nameof(SaeConfig.Latents));
    }

    private static string Suggest(Device device, SaeConfig config, int batchSize, long free)
    {
        bool Fits(int latents, int batch)
        {
            var run = new TrainingMemory(device, config with { Latents = latents }, batch);
            return run.Bytes <= free && run.WeightCount <= device.MaxLength;
        }

        var batch = Largest(batchSize, BatchStep, size => Fits(config.Latents, size));
        var latents = Largest(config.Latents, LatentStep, size => Fits(size, batchSize));
        var suggestions = new List<string>();
        if (batch > 0)
        {
            suggestions.Add($"{nameof(TrainingOptions.BatchSize)} {batch}");
        }

        if (latents >= Math.Max(1, config.K))
        {
            suggestions.Add($"{nameof(SaeConfig.Latents)} {latents}");
        }

        return suggestions.Count > 0 ? $"{string.Join(" or ", suggestions)} would fit" : "try a smaller Latents and BatchSize";
    }

    /// <summary>The largest size below one that is too large, in whole steps unless it is below the first; 0 if there is none.</summary>
    private static int Largest(int tooLarge, int step, Func<int, bool> fits)
    {
        step = tooLarge > step ? step : 1;
        int low = 0, high = (tooLarge - 1) / step;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = fits(middle * step) ? (middle, high) : (low, middle - 1);
        }

        return low * step;
    }

    private long Matrices(int count) => count * Float * _b * _d;

    /// <summary>A sparse matrix: index, value and gradient of each nonzero, its row and its entry by column, and the offsets.</summary>
    private long Sparse(long nonzeros) => (5 * Float * nonzeros) + (Float * (_b + _m));
}
