using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// How much memory of a device a run takes: what is held throughout, what a batch takes on its way there and back, what kernels need
/// besides, and what an evaluation takes beside all that. The training features are not counted.
/// </summary>
/// <param name="config">The model.</param>
/// <param name="batchSize">B.</param>
/// <param name="activeARow">How many latents of a row are stored; null for what is usual at the start of training.</param>
/// <param name="dead">How many latents are dead; null for all, which is the most that the auxiliary loss can take.</param>
internal sealed class TrainingMemory(SaeConfig config, int batchSize, double? activeARow = null, int? dead = null)
{
    private const long Float = sizeof(float);
    private const long Double = sizeof(double);

    // As the ILGPU device has it: pre-activations at once and rows of them, latents a row to begin with, from which share on sparse
    // matrices are written out, parts that long latents are cut into, and bytes of MonoScore's terms a latent.
    private const long PreActivations = 8 << 20;
    private const int MinRows = 1024;
    private const int InitialLatentsPerRow = 64;
    private const double DenseShare = 1.0 / 8;
    private const int PartLength = 128;
    private const int TermBytes = 72;

    // What sizes are suggested in multiples of.
    private const int BatchStep = 128;
    private const int LatentStep = 1024;

    private static readonly string[] Suggested = [nameof(TrainingOptions.BatchSize), nameof(SaeConfig.Latents)];

    private readonly ModelFootprint _footprint = config.Architecture.Traits().Footprint(config);
    private readonly long _b = batchSize;
    private readonly long _d = config.Dimension;
    private readonly long _m = config.Latents;
    private readonly long _dead = dead ?? config.Latents;

    /// <summary>Bytes of a whole run.</summary>
    public long Bytes => Parameters + Batch + Latents + Auxiliary + Scratch + Evaluation;

    /// <summary>M·D, the values of the longest array.</summary>
    private long WeightCount => _m * _d;

    private bool HasThreshold => _footprint.Selection == SelectionKind.Threshold;

    private int Centered => _footprint.CentersInput ? 1 : 0;

    /// <summary>N, the latents stored.</summary>
    private long Nonzeros => (long)(_b * (activeARow ?? _footprint.ActivePerRow));

    /// <summary>The latents stored for the auxiliary loss.</summary>
    private long AuxiliaryNonzeros => _b * Math.Min(_footprint.AuxiliaryPerRow, _dead);

    /// <summary>Values, gradients and two moments; sums of the gradients' squares a row; counters of silent batches, and a list of them.</summary>
    private long Parameters
    {
        get
        {
            long matrices = _footprint.WeightMatrices;
            return (4 * Float * ((matrices * _m * _d) + _footprint.VectorElements)) + (matrices * Double * _m) + (2 * Float * _m);
        }
    }

    /// <summary>Matrices of B×D: the batch, what the encoder sees of it, and the reconstruction and its gradient, before and after the layer norm is undone.</summary>
    private long Batch => Matrices(1 + Centered + 2 + (config.NormalizesInput ? 1 + 3 : 0));

    /// <summary>A batch's sparse latents, JumpReLU's pre-activations, and sums of MonoLoss.</summary>
    private long Latents => Sparse(Nonzeros)
        + (_footprint.KeepsPreActivations ? Float * Nonzeros : 0)
        + (config.MonoCoefficient > 0 ? (Double * (_b + _d)) + (Float * _m) : 0);

    /// <summary>The auxiliary loss: the encoder's rows of dead latents, sparse latents, and matrices of B×D.</summary>
    private long Auxiliary => _footprint.AuxiliaryMatrices == 0 || config.AuxCoefficient == 0 ? 0
        : (Float * _dead * _d) + Sparse(AuxiliaryNonzeros) + Matrices(_footprint.AuxiliaryMatrices);

    /// <summary>What kernels need: pre-activations of some rows, candidates of the selection, values by column, parts of long latents.</summary>
    private long Scratch
    {
        get
        {
            var nonzeros = Math.Max(Nonzeros, AuxiliaryNonzeros);
            var pre = Math.Min(_b, Math.Max(PreActivations / _m, MinRows)) * _m;
            var candidates = _footprint.Selection == SelectionKind.BatchTopK ? 2 * Math.Min(2 * Math.Max(Nonzeros, 1), _b * _m) : 0;
            var bitmap = 2 * _m * ((_b + 31) / 32);
            var mono = config.MonoCoefficient > 0 ? (2 * Float * Nonzeros) + (TermBytes * _m) : 0;
            return (Float * (pre + candidates + bitmap + (3 * nonzeros))) + mono + Visits(nonzeros);
        }
    }

    /// <summary>
    /// The sums of MonoScore of a dataset, and a batch encoded and decoded beside training's.
    /// </summary>
    private long Evaluation => (Double * _m * (_d + 8)) + Matrices(1 + Centered + (config.NormalizesInput ? 2 : 1))
        + Sparse(Nonzeros);

    /// <summary>Checks that a run fits.</summary>
    /// <param name="device">Where it is to run.</param>
    /// <param name="config">The model.</param>
    /// <param name="batchSize">B.</param>
    /// <returns>Bytes that are left for the training features.</returns>
    /// <exception cref="ConfigurationException">It does not fit: one line that says what would.</exception>
    public static long Check(Device device, SaeConfig config, int batchSize)
    {
        if (device.Memory is not { } memory)
        {
            return long.MaxValue;
        }

        var run = new TrainingMemory(config, batchSize);
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

    private static string Suggest(Device device, SaeConfig config, int batchSize, long free)
    {
        bool Fits(int latents, int batch)
        {
            var run = new TrainingMemory(config with { Latents = latents }, batch);
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

    /// <summary>A sparse matrix of so many nonzeros: index, value and gradient, row and entry by column. A threshold lists as many as there is room for.</summary>
    private long Sparse(long nonzeros)
    {
        var listed = HasThreshold ? Math.Max(nonzeros, _b * Math.Min(InitialLatentsPerRow, _m)) : nonzeros;
        return (2 * Float * listed) + (3 * Float * nonzeros) + (Float * (_b + _m));
    }

    /// <summary>Backwards, latents with many places are visited in parts; matrices that are nearly dense are written out.</summary>
    private long Visits(long nonzeros)
    {
        if (nonzeros > DenseShare * _b * _m)
        {
            return (Float * _b * _m) + (config.MonoCoefficient > 0 ? Float * _m * _d : 0);
        }

        var length = Math.Max(PartLength, 4 * nonzeros / _m);
        return Math.Min(_b, nonzeros) > length ? 2 * Float * _d * (2 * nonzeros / length) : 0;
    }
}
