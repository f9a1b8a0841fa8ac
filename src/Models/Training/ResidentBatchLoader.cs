using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Keeps all features on the device: only the row indexes of a batch travel.</summary>
internal sealed class ResidentBatchLoader : BatchLoader
{
    private const int FloatsPerCopy = 1 << 24;

    private readonly InMemoryBatchSource _source;
    private readonly Tensor _features;
    private readonly DeviceArray<int> _rows;
    private readonly Tensor _batch;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource)"/>
    public ResidentBatchLoader(Device device, FeatureSet set, InMemoryBatchSource source)
        : base(device, set, source)
    {
        _source = source;
        _features = device.Tensor((int)source.Rows, source.Dimension);
        for (var start = 0L; start < _features.Count; start += FloatsPerCopy)
        {
            _features.Data.CopyFrom(source.Features.Slice(start, (int)Math.Min(FloatsPerCopy, _features.Count - start)), start);
        }

        // From here on the source gives the order of the rows, and the device their features.
        source.Features.Dispose();
        _rows = device.Allocate<int>(source.BatchSize);
        _batch = device.Tensor(source.BatchSize, source.Dimension);
    }

    /// <inheritdoc/>
    public override FeatureResidency Residency => FeatureResidency.Device;

    /// <inheritdoc/>
    public override Batch? Next() => _source.NextRows(out var rows) ? (Batch?)Gather(rows) : null;

    /// <inheritdoc/>
    public override float[] FirstBatch()
    {
        StartEpoch(0);
        return Next()!.Value.X.ToArray();
    }

    /// <inheritdoc/>
    public override IEnumerable<Batch> InFileOrder()
    {
        var rows = new int[_source.BatchSize];
        for (var first = 0L; first < _source.Rows; first += rows.Length)
        {
            var count = (int)Math.Min(rows.Length, _source.Rows - first);
            for (var i = 0; i < count; i++)
            {
                rows[i] = (int)first + i;
            }

            yield return Gather(rows.AsSpan(0, count));
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _features.Dispose();
        _rows.Dispose();
        _batch.Dispose();
    }

    private Tensor Gather(ReadOnlySpan<int> rows)
    {
        _rows.Resize(rows.Length);
        _rows.CopyFrom(rows);
        Device.GatherRows(_features, _rows, _batch);
        return _batch;
    }
}
