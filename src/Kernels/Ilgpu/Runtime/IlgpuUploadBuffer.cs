using System.Runtime.InteropServices;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Page-locked memory of the host that is copied to the device in a separate stream.</summary>
internal sealed unsafe class IlgpuUploadBuffer : UploadBuffer
{
    // Whole pages are locked.
    private const nuint Page = 4096;

    private readonly AcceleratorStream _stream;
    private readonly PageLockScope<float> _lock;
    private readonly int _length;
    private float* _values;

    public IlgpuUploadBuffer(IlgpuDevice device, int length)
    {
        _length = length;
        _stream = device.Accelerator.CreateStream();
        _values = (float*)NativeMemory.AlignedAlloc(((nuint)length * sizeof(float)) + Page, Page);
        _lock = device.Accelerator.CreatePageLockFromPinned<float>((nint)_values, length);
    }

    public override Span<float> Values => new(_values, _length);

    public override void CopyTo(Tensor target)
    {
        if (target.Count != _length)
        {
            throw new ArgumentException($"{target.Count} elements for {_length} values", nameof(target));
        }

        IlgpuDevice.View(target).CopyFromPageLockedAsync(_stream, _lock);
        _stream.Synchronize();
    }

    public override void Dispose()
    {
        if (_values is not null)
        {
            _lock.Dispose();
            _stream.Dispose();
            NativeMemory.AlignedFree(_values);
            _values = null;
        }
    }
}
