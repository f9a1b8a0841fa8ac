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

        var batch = _slots[_loading].Batch;
        _loading ^= 1;
        Begin();
        return batch;
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
            if (!Source.Next(slot.Buffer.Values))
            {
                return false;
            }

            slot.Buffer.CopyTo(slot.Batch);
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

        public Tensor Batch { get; } = device.Tensor(source.BatchSize, source.Dimension);

        public void Dispose()
        {
            Buffer.Dispose();
            Batch.Dispose();
        }
    }
}
