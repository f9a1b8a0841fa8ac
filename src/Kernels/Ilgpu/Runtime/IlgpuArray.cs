using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>An array in the memory of an ILGPU accelerator.</summary>
internal sealed class IlgpuArray<T> : DeviceArray<T>
    where T : unmanaged
{
    private readonly IlgpuDevice _device;

    // The array that this one is a slice of, and where it starts there; null if it owns its memory.
    private readonly IlgpuArray<T>? _owner;
    private readonly long _offset;
    private MemoryBuffer? _buffer;

    public IlgpuArray(IlgpuDevice device, long length)
    {
        _device = device;
        Resize(length);
    }

    private IlgpuArray(IlgpuArray<T> owner, long offset, long length)
    {
        (_device, _owner, _offset) = (owner._device, owner, offset);
        Adopt(length);
    }

    /// <summary>The elements in use, for a kernel.</summary>
    public ArrayView<T> View =>
        _owner is not null ? _owner.View.SubView(_offset, Length)
        : _buffer is not null && Length > 0 ? _buffer.AsRawArrayView(0, Length * Interop.SizeOf<T>()).Cast<T>()
        : default;

    /// <summary>This array with a new length; what it held is undefined.</summary>
    public IlgpuArray<T> WithLength(long length)
    {
        Resize(length);
        return this;
    }

    /// <summary>Copies from the host, without waiting if the values are few (<see cref="IlgpuStaging"/>).</summary>
    public override void CopyFrom(ReadOnlySpan<T> source, long offset = 0)
    {
        CheckRange(offset, source.Length);
        if (source.Length == 0)
        {
            return;
        }

        _device.FinishSelection();
        var target = View.SubView(offset, source.Length);
        if (!_device.Staging.TryCopy(source, target))
        {
            target.CopyFromCPU(_device.Stream, source);
            _device.NoteHostSync();
        }
    }

    /// <summary>Waits for everything that was launched, and copies to the host.</summary>
    public override void CopyTo(Span<T> destination, long offset = 0)
    {
        CheckRange(offset, destination.Length);
        if (destination.Length > 0)
        {
            _device.FinishSelection();
            View.SubView(offset, destination.Length).CopyToCPU(_device.Stream, destination);
            _device.NoteHostSync();
        }
    }

    public override void Clear()
    {
        if (Length > 0)
        {
            _device.FinishSelection();
            View.MemSetToZero(_device.Stream);
        }
    }

    public override DeviceArray<T> Slice(long offset, long length)
    {
        CheckRange(offset, length);
        return new IlgpuArray<T>(this, offset, length);
    }

    public override void Dispose()
    {
        if (_buffer is not null)
        {
            _device.Pool.Return(_buffer);
            _buffer = null;
        }
    }

    protected override void Reallocate(long capacity)
    {
        if (_owner is not null)
        {
            throw new InvalidOperationException("a slice of an array cannot grow");
        }

        if (capacity > _device.MaxLength)
        {
            throw new DeviceException(
                $"{_device.Name}: an array of {capacity} values is longer than {_device.MaxLength}, the most that kernels can index");
        }

        Dispose();
        _buffer = _device.Pool.Take(capacity * Interop.SizeOf<T>());
        _buffer.MemSet(_device.Stream, 0, 0, _buffer.LengthInBytes);
    }
}
