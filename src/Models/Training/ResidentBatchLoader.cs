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
    private readonly Tensor? _allSimilarity;
    private readonly Tensor? _similarity;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource)"/>
    public ResidentBatchLoader(Device device, FeatureSet set, InMemoryBatchSource source)
        : base(device, set, source)
    {
        _source = source;
        // From here on the source gives the order of the rows, and the device their features.
        _features = Move(source.Features, source.Dimension);
        if (source.Similarity is not null)
        {
            _allSimilarity = Move(source.Similarity, source.SimilarityDimension);
            _similarity = device.Tensor(source.BatchSize, source.SimilarityDimension);
        }

        _rows = device.Allocate<int>(source.BatchSize);
        _batch = device.Tensor(source.BatchSize, source.Dimension);
    }

    /// <inheritdoc/>
    public override FeatureResidency Residency => FeatureResidency.Device;

    /// <inheritdoc/>
    public override Batch? Next() => _source.NextRows(out var rows) ? Gather(rows) : default(Batch?);

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
        _allSimilarity?.Dispose();
        _similarity?.Dispose();
    }

    private Tensor Move(NativeBuffer rows, int dimension)
    {
        var tensor = Device.Tensor((int)_source.Rows, dimension);
        for (var start = 0L; start < tensor.Count; start += FloatsPerCopy)
        {
            tensor.Data.CopyFrom(rows.Slice(start, (int)Math.Min(FloatsPerCopy, tensor.Count - start)), start);
        }

        rows.Dispose();
        return tensor;
    }

    private Batch Gather(ReadOnlySpan<int> rows)
    {
        _rows.Resize(rows.Length);
        _rows.CopyFrom(rows);
        Device.GatherRows(_features, _rows, _batch);
        if (_allSimilarity is not null)
        {
            Device.GatherRows(_allSimilarity, _rows, _similarity!);
        }

        return new Batch(_batch, _similarity);
    }
}
