using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>An array in native memory, aligned to a cache line and untouched by the garbage collector.</summary>
internal sealed unsafe class CpuArray<T> : DeviceArray<T>
    where T : unmanaged
{
    // Whose memory it is, and kept alive for that; null for its own.
    private readonly CpuArray<T>? _owner;

    public CpuArray(long length)
    {
        Resize(length);
    }

    private CpuArray(CpuArray<T> owner, long offset, long length)
    {
        _owner = owner;
        Pointer = owner.Pointer + offset;
        Adopt(length);
    }

    ~CpuArray() => Free();

    public T* Pointer { get; private set; }

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
        Free();
        GC.SuppressFinalize(this);
    }

    protected override void Reallocate(long capacity)
    {
        if (_owner is not null)
        {
            throw new InvalidOperationException("a part of an array cannot grow");
        }

        Free();
        var bytes = (nuint)(capacity * sizeof(T));
        Pointer = (T*)AlignedMemory.Allocate(bytes);
        NativeMemory.Clear(Pointer, bytes);
    }

    private void Free()
    {
        if (_owner is null)
        {
            AlignedMemory.Free(Pointer);
        }

        Pointer = null;
    }
}
