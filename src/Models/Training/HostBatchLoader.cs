using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Copies batches from host memory while a thread draws the next one.</summary>
internal sealed class HostBatchLoader : BatchLoader
{
    private readonly Tensor _batch;
    private readonly BatchReader _copy;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource, bool)"/>
    public HostBatchLoader(Device device, FeatureSet set, BatchSource source)
        : base(device, set, source, prefetch: true)
    {
        _batch = device.Tensor(source.BatchSize, source.Dimension);
        _copy = rows => _batch.Set(rows);
    }

    /// <inheritdoc/>
    public override Tensor? Next() => ((PrefetchingBatchSource)Source).Next(_copy) ? _batch : null;

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _batch.Dispose();
    }
}
