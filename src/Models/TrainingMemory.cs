using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// How much memory of a device a run takes: what is held throughout, what a batch takes on its way there and back, and what an evaluation
/// takes beside them. The training features are not counted.
/// </summary>
/// <param name="config">The model.</param>
/// <param name="batchSize">B.</param>
/// <param name="activeARow">How many latents of a row are stored; null for what is usual at the start of training.</param>
internal sealed class TrainingMemory(SaeConfig config, int batchSize, double? activeARow = null)
{
    private const long Float = sizeof(float);
    private const long Double = sizeof(double);

    // Half of Vanilla's latents are active at first, by symmetry; JumpReLU's threshold begins high.
    private const double VanillaActive = 0.5;
    private const double JumpReLUActive = 1.0 / 16;

    // What sizes are suggested in multiples of.
    private const int BatchStep = 128;
    private const int LatentStep = 1024;

    private readonly long _b = batchSize;
    private readonly long _d = config.Dimension;
    private readonly long _m = config.Latents;

    /// <summary>Bytes of a whole run.</summary>
    public long Bytes => Parameters + Batch + Latents + Auxiliary + Scratch + Evaluation;

    private bool IsTwoMatrices => config.Architecture != Architecture.TopK || config.Untied;

    private bool HasAuxiliary => config.Architecture is Architecture.BatchTopK or Architecture.TopK && config.AuxCoefficient > 0;

    /// <summary>Values, gradients and two moments; sums of the gradients' squares a row; counters of silent batches.</summary>
    private long Parameters
    {
        get
        {
            var matrices = IsTwoMatrices ? 2 : 1;
            var vectors = _d + (config.Architecture == Architecture.JumpReLU ? 3 * _m : _m);
            return (4 * Float * ((matrices * _m * _d) + vectors)) + (matrices * Double * _m) + (2 * Float * _m);
        }
    }

    /// <summary>N, the latents stored.</summary>
    private long Places => (long)(_b * (activeARow ?? config.Architecture switch
    {
        Architecture.Vanilla => VanillaActive * _m,
        Architecture.JumpReLU => JumpReLUActive * _m,
        _ => config.K,
    }));

    /// <summary>Matrices of B×D: the batch, its layer norm, what the encoder sees, the reconstruction with its gradient before and after the norm is undone.</summary>
    private long Batch
    {
        get
        {
            var matrices = 1 + (config.NormalizesInput ? 1 + 3 : 0) + (config.Architecture != Architecture.JumpReLU ? 1 : 0) + 2;
            return Float * _b * _d * matrices;
        }
    }

    /// <summary>A batch's sparse latents with their gradient, by row and by column; JumpReLU's pre-activations.</summary>
    private long Latents => Sparse(Places) + (config.Architecture == Architecture.JumpReLU ? Float * Places : 0);

    /// <summary>The auxiliary loss, if all latents are dead: the encoder's rows once more, sparse latents, and matrices of B×D.</summary>
    private long Auxiliary
    {
        get
        {
            if (!HasAuxiliary)
            {
                return 0;
            }

            var k = Math.Min(config.AuxK ?? (config.Architecture == Architecture.TopK ? config.K : 512), _m);
            var matrices = config.Architecture == Architecture.TopK ? 1 + 5 : 1 + 4;
            return (Float * _m * _d) + Sparse(_b * k) + (Float * _b * _d * matrices);
        }
    }

    /// <summary>What kernels need besides: pre-activations of some rows, candidates of the selection, values by column.</summary>
    private long Scratch
    {
        get
        {
            const long PreActivations = 8 << 20;
            const int FewestRows = 1024;
            var rows = Math.Min(_b, Math.Max(PreActivations / _m, FewestRows));
            var candidates = config.Architecture == Architecture.BatchTopK ? 4 * Float * Places : 0;
            var bitmap = 2 * Float * _m * ((_b + 31) / 32);
            return (Float * rows * _m) + candidates + bitmap + (4 * Float * Places);
        }
    }

    /// <summary>The sums of MonoScore of a dataset, and a batch encoded and decoded beside training's.</summary>
    private long Evaluation
    {
        get
        {
            var matrices = 1 + (config.Architecture != Architecture.JumpReLU ? 1 : 0) + (config.NormalizesInput ? 2 : 1);
            return (Double * _m * (_d + 8)) + (Float * _b * _d * matrices) + Sparse(Places);
        }
    }

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

        var needed = new TrainingMemory(config, batchSize).Bytes;
        return needed <= memory.Free
            ? memory.Free - needed
            : throw new ConfigurationException(
                $"{device.Name} has {DeviceMemory.Format(memory.Total)}, {DeviceMemory.Format(memory.Free)} free; {config.Architecture.Name()} with {config.Latents} "
                    + $"latents and batch {batchSize} needs {DeviceMemory.Format(needed)}: {Suggest(config, batchSize, memory.Free)}");
    }

    private static string Suggest(SaeConfig config, int batchSize, long free)
    {
        bool Fits(int latents, int batch) => new TrainingMemory(config with { Latents = latents }, batch).Bytes <= free;
        var batch = Largest(batchSize, BatchStep, size => Fits(config.Latents, size));
        var latents = Largest(config.Latents, LatentStep, size => Fits(size, batchSize));
        var suggestions = new List<string>();
        if (batch > 0)
        {
            suggestions.Add($"--batch-size {batch}");
        }

        if (latents >= Math.Max(1, config.K))
        {
            suggestions.Add($"--latents {latents}");
        }

        return suggestions.Count > 0 ? $"{string.Join(" or ", suggestions)} would fit" : "try a smaller --latents and --batch-size";
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

    /// <summary>A sparse matrix of so many places: index, value, gradient, and row and place by column.</summary>
    private long Sparse(long places) => (5 * Float * places) + (Float * (_b + _m));
}
