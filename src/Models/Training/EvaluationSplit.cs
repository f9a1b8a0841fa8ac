using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>A set that a run evaluates, and the way to its rows.</summary>
internal abstract class EvaluationSplit(string name, FeatureSet set) : IDisposable
{
    /// <summary>train, val or test.</summary>
    public string Name => name;

    /// <summary>The set.</summary>
    public FeatureSet Set => set;

    /// <summary>All rows in file order, in batches; each is valid until the next.</summary>
    public abstract IEnumerable<Batch> Batches();

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }
}

/// <summary>The training set, from wherever its loader keeps it.</summary>
internal sealed class TrainingSplit(FeatureSet set, BatchLoader loader) : EvaluationSplit("train", set)
{
    /// <inheritdoc/>
    public override IEnumerable<Batch> Batches() => loader.InFileOrder();
}

/// <summary>A validation or test set: read from its files, once if there is memory for it.</summary>
/// <param name="name">val or test.</param>
/// <param name="set">The set.</param>
/// <param name="device">The device to bring the batches to.</param>
/// <param name="batchSize">Rows per batch.</param>
/// <param name="keep">Whether to keep the rows in the host's memory from the first evaluation on.</param>
internal sealed class HeldOutSplit(string name, FeatureSet set, Device device, int batchSize, bool keep) : EvaluationSplit(name, set)
{
    private NativeBuffer? _features;
    private NativeBuffer? _similarity;

    /// <inheritdoc/>
    public override IEnumerable<Batch> Batches() => keep
        ? SequentialBatches.Read(
            _features ??= Set.ReadAll(),
            Set.Dimension,
            _similarity ??= Set.Similarity?.ReadAll(),
            Set.Similarity?.Dimension ?? 0,
            device,
            batchSize)
        : SequentialBatches.Read(Set, device, batchSize);

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _features?.Dispose();
        _similarity?.Dispose();
    }
}
