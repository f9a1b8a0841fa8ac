using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Page-locked memory through which small arrays reach the device without waiting: the host's values are copied here at once, and to the
/// device when the stream gets there.
/// </summary>
internal sealed unsafe class IlgpuStaging : IDisposable
{
    // Row numbers of a batch of 16384 take 64 KiB.
    private const int Capacity = 1 << 20;

    private const int Alignment = 4096;

    private readonly IlgpuDevice _device;
    private readonly PageLockScope<byte> _lock;
    private byte* _bytes;
    private int _used;

    public IlgpuStaging(IlgpuDevice device)
    {
        _device = device;
        _bytes = (byte*)NativeMemory.AlignedAlloc(Capacity, Alignment);
        _lock = device.Accelerator.CreatePageLockFromPinned<byte>((nint)_bytes, Capacity);
    }

    /// <summary>Copies values to the device after everything that was launched before.</summary>
    /// <returns>Whether they fit; if not, nothing was done.</returns>
    public bool TryCopy<T>(ReadOnlySpan<T> source, ArrayView<T> target)
        where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(source);
        if (bytes.Length > Capacity)
        {
            return false;
        }

        if (bytes.Length > Capacity - _used)
        {
            _device.Synchronize();
        }

        bytes.CopyTo(new Span<byte>(_bytes + _used, bytes.Length));
        target.CopyFromCPUUnsafeAsync(_device.Stream, ref *(T*)(_bytes + _used), source.Length);
        _used += (bytes.Length + sizeof(double) - 1) / sizeof(double) * sizeof(double);
        return true;
    }

    /// <summary>Makes the memory available again, after the stream was waited for.</summary>
    public void Reset() => _used = 0;

    public void Dispose()
    {
        if (_bytes is not null)
        {
            _lock.Dispose();
            NativeMemory.AlignedFree(_bytes);
            _bytes = null;
        }
    }
}
