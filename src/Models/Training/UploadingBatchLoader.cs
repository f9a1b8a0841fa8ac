using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Draws the next batch and copies it to the device while the last one is computed on.</summary>
internal sealed class UploadingBatchLoader : BatchLoader
{
    private readonly Slot[] _slots;
    private Task<bool> _upload = Task.FromResult(false);
    private int _uploading;

    /// <inheritdoc cref="BatchLoader(Device, FeatureSet, BatchSource, bool)"/>
    public UploadingBatchLoader(Device device, FeatureSet set, BatchSource source)
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
    public override Tensor? Next()
    {
        if (!_upload.GetAwaiter().GetResult())
        {
            return null;
        }

        var batch = _slots[_uploading].Batch;
        _uploading ^= 1;
        Begin();
        return batch;
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
        // Uploads are not ordered among kernels: those that use the slot's batch, or clear its memory, must be through.
        Device.Synchronize();
        var slot = _slots[_uploading];
        _upload = Task.Run(() =>
        {
            if (!Source.Next(slot.Buffer.Values))
            {
                return false;
            }

            slot.Buffer.CopyTo(slot.Batch);
            return true;
        });
    }

    /// <summary>Lets an upload end that nobody will take.</summary>
    private void Wait()
    {
        try
        {
            _upload.Wait();
        }
        catch (AggregateException)
        {
            // What went wrong belonged to a batch that is not wanted any more.
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
