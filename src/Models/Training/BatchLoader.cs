using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Where the training features are during a run.</summary>
public enum FeatureResidency
{
    /// <summary>In their files, from which they are streamed.</summary>
    Files,

    /// <summary>In the host's memory.</summary>
    Memory,

    /// <summary>In the device's memory.</summary>
    Device,
}

/// <summary>
/// Brings the batches of a training set to a device. Loaders differ in where the rows are kept and how they travel; which rows a batch has,
/// and in what order, is the same.
/// </summary>
internal abstract class BatchLoader : ITrainingData, IDisposable
{
    private readonly FeatureSet _set;

    /// <summary>A loader of batches of a set.</summary>
    /// <param name="device">The device to bring the batches to.</param>
    /// <param name="set">The training set.</param>
    /// <param name="source">Its batches; owned by the loader.</param>
    private protected BatchLoader(Device device, FeatureSet set, BatchSource source) => (Device, _set, Source) = (device, set, source);

    /// <summary>Batches per epoch.</summary>
    public long BatchesPerEpoch => Source.BatchesPerEpoch;

    /// <summary>Where the features are.</summary>
    public virtual FeatureResidency Residency => Source is InMemoryBatchSource ? FeatureResidency.Memory : FeatureResidency.Files;

    private protected Device Device { get; }

    private protected BatchSource Source { get; }

    /// <summary>Opens a set.</summary>
    /// <param name="device">The device to bring the batches to.</param>
    /// <param name="set">The training set.</param>
    /// <param name="options">How batches are drawn.</param>
    /// <param name="freeBytes">Bytes of the device's memory that the features may take.</param>
    /// <exception cref="DataException">The set cannot be read, or has fewer rows than a batch.</exception>
    public static BatchLoader Open(Device device, FeatureSet set, BatchOptions options, long freeBytes)
    {
        var source = BatchSource.Create(set, options);
        return device.Memory is not null && source is InMemoryBatchSource inMemory && Fits(device, set, freeBytes)
            ? new ResidentBatchLoader(device, set, inMemory)
            : new PrefetchingBatchLoader(device, set, source);
    }

    /// <summary>Starts an epoch; call it before the first batch of each.</summary>
    /// <param name="epoch">Its number, from 0.</param>
    /// <param name="skipBatches">Batches to skip.</param>
    public virtual void StartEpoch(int epoch, long skipBatches = 0) => Source.StartEpoch(epoch, skipBatches);

    /// <summary>The next batch, valid until the next call or a pass in file order; null at the end of the epoch.</summary>
    public abstract Batch? Next();

    /// <inheritdoc/>
    public virtual float[] FirstBatch()
    {
        Source.StartEpoch(0);
        var rows = new float[checked(Source.BatchSize * Source.Dimension)];
        Source.Next(rows, new float[checked(Source.BatchSize * Source.SimilarityDimension)]);
        return rows;
    }

    /// <inheritdoc/>
    public virtual IEnumerable<Batch> InFileOrder() => Source is InMemoryBatchSource inMemory
        ? SequentialBatches.Read(
            inMemory.Features, Source.Dimension, inMemory.Similarity, Source.SimilarityDimension, Device, Source.BatchSize)
        : SequentialBatches.Read(_set, Device, Source.BatchSize);

    /// <inheritdoc/>
    public virtual void Dispose() => Source.Dispose();

    /// <summary>Whether all features fit into arrays of the device.</summary>
    private static bool Fits(Device device, FeatureSet set, long freeBytes)
    {
        var longest = set.Rows * Math.Max(set.Dimension, set.Similarity?.Dimension ?? 0);
        return longest <= device.MaxLength && set.Bytes <= freeBytes;
    }
}
