using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Draws the next batch and copies it to the device on a background thread while the last one is computed on.</summary>
internal sealed class PrefetchingBatchLoader : BatchLoader
{
    private readonly Slot[] _slots;
    private Task<bool> _load = Task.FromResult(false);
    private int _loading;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource)"/>
    public PrefetchingBatchLoader(Device device, FeatureSet set, BatchSource source)
        : base(device, set, source)
    {
        _slots = [new Slot(device, source), new Slot(device, source)];
    }

    /// <inheritdoc/>
    public override void StartEpoch(int epoch, long skipBatches = 0)
    {
        Wait();
        base.StartEpoch(epoch, skipBatches);
        Begin();
    }

    /// <inheritdoc/>
    public override Batch? Next()
    {
        if (!_load.GetAwaiter().GetResult())
        {
            return null;
        }

        var slot = _slots[_loading];
        _loading ^= 1;
        Begin();
        return new Batch(slot.X, slot.Similarity);
    }

    /// <inheritdoc/>
    public override float[] FirstBatch()
    {
        Wait();
        return base.FirstBatch();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Wait();
        base.Dispose();
        foreach (var slot in _slots)
        {
            slot.Dispose();
        }
    }

    private void Begin()
    {
        // Uploads are not ordered among kernels: those that use the slot's batch, or clear its memory, must have finished.
        Device.Synchronize();
        var slot = _slots[_loading];
        _load = Task.Run(() =>
        {
            if (!Source.Next(slot.Buffer.Values, slot.SimilarityBuffer is null ? default : slot.SimilarityBuffer.Values))
            {
                return false;
            }

            slot.Buffer.CopyTo(slot.X);
            slot.SimilarityBuffer?.CopyTo(slot.Similarity!);
            return true;
        });
    }

    /// <summary>Waits for a batch that nobody will use.</summary>
    private void Wait()
    {
        try
        {
            _load.Wait();
        }
        catch (AggregateException)
        {
            // The failure concerned a batch that is no longer wanted.
        }
    }

    private sealed class Slot(Device device, BatchSource source) : IDisposable
    {
        public UploadBuffer Buffer { get; } = device.CreateUploadBuffer(checked(source.BatchSize * source.Dimension));

        public Tensor X { get; } = device.Tensor(source.BatchSize, source.Dimension);

        public UploadBuffer? SimilarityBuffer { get; } = source.SimilarityDimension > 0
            ? device.CreateUploadBuffer(checked(source.BatchSize * source.SimilarityDimension))
            : null;

        public Tensor? Similarity { get; } =
            source.SimilarityDimension > 0 ? device.Tensor(source.BatchSize, source.SimilarityDimension) : null;

        public void Dispose()
        {
            Buffer.Dispose();
            X.Dispose();
            SimilarityBuffer?.Dispose();
            Similarity?.Dispose();
        }
    }
}
