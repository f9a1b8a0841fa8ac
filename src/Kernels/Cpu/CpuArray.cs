using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>An array in native memory, aligned to a cache line and untouched by the garbage collector.</summary>
internal sealed unsafe class CpuArray<T> : DeviceArray<T>
    where T : unmanaged
{
    private const int CacheLine = 64;
    private const int HugePage = 2 << 20;

    public CpuArray(long length)
    {
        Resize(length);
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

    public override void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    protected override void Reallocate(long capacity)
    {
        Free();
        var bytes = (nuint)Math.Max(CacheLine, ((capacity * sizeof(T)) + CacheLine - 1) / CacheLine * CacheLine);
        if (bytes >= 2 * HugePage)
        {
            // Sparse kernels jump from row to row, each on a page of its own: on huge pages their addresses stay in the TLB.
            bytes = (bytes + HugePage - 1) / HugePage * HugePage;
            Pointer = (T*)NativeMemory.AlignedAlloc(bytes, HugePage);
            HugePages.Ask(Pointer, bytes);
        }
        else
        {
            Pointer = (T*)NativeMemory.AlignedAlloc(bytes, CacheLine);
        }

        NativeMemory.Clear(Pointer, bytes);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
