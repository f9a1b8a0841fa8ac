using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Where the training features are while a run goes on.</summary>
public enum FeatureResidency
{
    /// <summary>In files; they are streamed.</summary>
    Files,

    /// <summary>In the host's memory.</summary>
    Memory,

    /// <summary>In the device's memory, and in the host's.</summary>
    Device,
}

/// <summary>
/// Brings the batches of a <see cref="BatchSource"/> to a device. Where the rows come from and how they travel differs; which rows, and in
/// what order, does not.
/// </summary>
internal abstract class BatchLoader : IDisposable
{
    private readonly FeatureSet _set;
    private readonly InMemoryBatchSource? _inMemory;

    /// <summary>A feed of batches of a set.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="set">The training set.</param>
    /// <param name="source">Its batches; owned by the feed.</param>
    /// <param name="prefetch">Whether a thread draws the next batch meanwhile.</param>
    private protected BatchLoader(Device device, FeatureSet set, BatchSource source, bool prefetch = false)
    {
        (Device, _set, _inMemory) = (device, set, source as InMemoryBatchSource);
        Source = prefetch ? new PrefetchingBatchSource(source) : source;
    }

    /// <summary>Batches of an epoch.</summary>
    public long BatchesPerEpoch => Source.BatchesPerEpoch;

    /// <summary>Where the features are.</summary>
    public virtual FeatureResidency Place => _inMemory is not null ? FeatureResidency.Memory : FeatureResidency.Files;

    private protected Device Device { get; }

    private protected BatchSource Source { get; }

    /// <summary>Opens a set.</summary>
    /// <param name="device">Where the batches are wanted.</param>
    /// <param name="set">The training set.</param>
    /// <param name="options">How batches are drawn.</param>
    /// <param name="freeBytes">Memory of the device that the features may take.</param>
    /// <exception cref="DataException">The set cannot be read, or has fewer rows than a batch.</exception>
    public static BatchLoader Open(Device device, FeatureSet set, BatchOptions options, long freeBytes)
    {
        var source = BatchSource.Create(set, options);
        return (device.Memory, source) switch
        {
            (null, _) => new HostBatchLoader(device, set, source),
            (_, InMemoryBatchSource inMemory) when IsResident(device, set, freeBytes) => new ResidentBatchLoader(device, set, inMemory),
            _ => new UploadingBatchLoader(device, set, source),
        };
    }

    /// <summary>Starts an epoch; call it before the first batch of each.</summary>
    /// <param name="epoch">Its number, from 0.</param>
    /// <param name="skipBatches">Batches to pass over.</param>
    public virtual void StartEpoch(int epoch, long skipBatches = 0) => Source.StartEpoch(epoch, skipBatches);

    /// <summary>The next batch, valid until the next one or a pass in file order; null at the end of the epoch.</summary>
    public abstract Tensor? Next();

    /// <summary>The first batch of the first epoch, on the host. It interrupts an epoch that is under way.</summary>
    public float[] FirstBatch()
    {
        Source.StartEpoch(0);
        var rows = new float[checked(Source.BatchSize * Source.Dimension)];
        Source.Next(rows);
        return rows;
    }

    /// <summary>All rows in the order of the files, in batches of which the last may be smaller; each is valid until the next.</summary>
    public virtual IEnumerable<Tensor> InFileOrder() =>
        _inMemory is null ? Trainer.Sequential(_set, Device, Source.BatchSize).Select(batch => batch.X) : FromMemory(_inMemory);

    /// <inheritdoc/>
    public virtual void Dispose() => Source.Dispose();

    private IEnumerable<Tensor> FromMemory(InMemoryBatchSource source)
    {
        using var batch = Device.Tensor(0, 0);
        for (var row = 0L; row < source.Rows; row += source.BatchSize)
        {
            var count = (int)Math.Min(source.BatchSize, source.Rows - row);
            batch.Resize(count, source.Dimension);
            yield return batch.Set(source.Features.Slice(row * source.Dimension, count * source.Dimension));
        }
    }

    /// <summary>Whether all features fit into one array of the device.</summary>
    private static bool IsResident(Device device, FeatureSet set, long freeBytes)
    {
        var length = set.Rows * set.Dimension;
        return length <= device.MaxLength && length * sizeof(float) <= freeBytes;
    }
}
