using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Copies batches from the host, which draws the next one meanwhile.</summary>
internal sealed class HostBatchLoader : BatchLoader
{
    private readonly float[] _rows;
    private readonly Tensor _batch;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource, bool)"/>
    public HostBatchLoader(Device device, FeatureSet set, BatchSource source)
        : base(device, set, source, prefetch: true)
    {
        _rows = new float[checked(source.BatchSize * source.Dimension)];
        _batch = device.Tensor(source.BatchSize, source.Dimension);
    }

    /// <inheritdoc/>
    public override Tensor? Next() => Source.Next(_rows) ? _batch.Set(_rows) : null;

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _batch.Dispose();
    }
}
