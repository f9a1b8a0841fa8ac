using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>An array in native memory, aligned to a cache line and out of the garbage collector's reach.</summary>
internal sealed unsafe class CpuArray<T> : DeviceArray<T>
    where T : unmanaged
{
    // The array that this is a slice of, which keeps the memory alive; null if the memory is this array's own.
    private readonly CpuArray<T>? _owner;
    private AlignedMemory? _memory;

    public CpuArray(long length) => Resize(length);

    private CpuArray(CpuArray<T> owner, long offset, long length)
    {
        _owner = owner;
        Pointer = owner.Pointer + offset;
        Adopt(length);
    }

    public T* Pointer { get; private set; }

    /// <summary>Sets the length, as <see cref="DeviceArray{T}.Resize"/>, and returns the memory; its contents are undefined.</summary>
    public T* Ensure(long length)
    {
        Resize(length);
        return Pointer;
    }

    public override void CopyFrom(ReadOnlySpan<T> source, long offset = 0)
    {
        CheckRange(offset, source.Length);
        source.CopyTo(new Span<T>(Pointer + offset, source.Length));
    }

    public override void CopyTo(Span<T> destination, long offset = 0)
    {
        CheckRange(offset, destination.Length);
        new Span<T>(Pointer + offset, destination.Length).CopyTo(destination);
    }

    public override void Clear() => NativeMemory.Clear(Pointer, (nuint)(Length * sizeof(T)));

    public override DeviceArray<T> Slice(long offset, long length)
    {
        CheckRange(offset, length);
        return new CpuArray<T>(this, offset, length);
    }

    public override void Dispose()
    {
        _memory?.Dispose();
        _memory = null;
        Pointer = null;
    }

    protected override void Reallocate(long capacity)
    {
        if (_owner is not null)
        {
            throw new InvalidOperationException("a slice of an array cannot grow");
        }

        Dispose();
        var bytes = checked((nuint)capacity * (nuint)sizeof(T));
        _memory = new AlignedMemory(bytes);
        Pointer = (T*)_memory.Pointer;
        NativeMemory.Clear(Pointer, bytes);
    }
}
