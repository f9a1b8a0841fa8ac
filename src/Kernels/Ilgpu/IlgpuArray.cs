using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>An array in the memory of an ILGPU accelerator.</summary>
internal sealed class IlgpuArray<T> : DeviceArray<T>
    where T : unmanaged
{
    private readonly IlgpuDevice _device;
    private MemoryBuffer1D<T, Stride1D.Dense>? _buffer;

    public IlgpuArray(IlgpuDevice device, long length)
    {
        _device = device;
        Resize(length);
    }

    /// <summary>The elements in use, for a kernel.</summary>
    public ArrayView<T> View => _buffer is null ? default : _buffer.View.AsContiguous().SubView(0, Length);

    public override void CopyFrom(ReadOnlySpan<T> source, long offset = 0)
    {
        CheckRange(offset, source.Length);
        if (source.Length > 0)
        {
            View.SubView(offset, source.Length).CopyFromCPU(_device.Stream, source);
        }
    }

    public override void CopyTo(Span<T> destination, long offset = 0)
    {
        CheckRange(offset, destination.Length);
        if (destination.Length > 0)
        {
            View.SubView(offset, destination.Length).CopyToCPU(_device.Stream, destination);
        }
    }

    public override void Clear()
    {
        if (Length > 0)
        {
            View.MemSetToZero(_device.Stream);
        }
    }

    public override void Dispose()
    {
        _buffer?.Dispose();
        _buffer = null;
    }

    protected override void Reallocate(long capacity)
    {
        Dispose();
        _buffer = _device.Accelerator.Allocate1D<T>(capacity);
        _buffer.MemSetToZero(_device.Stream);
    }
}
