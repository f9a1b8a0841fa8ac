using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>A block of memory outside the collected heap that grows and is kept, aligned to a cache line.</summary>
internal sealed unsafe class GemmWorkspace : IDisposable
{
    private void* _memory;
    private nuint _bytes;

    ~GemmWorkspace() => Free();

    /// <summary>Gives memory for <paramref name="count"/> elements. What was in it before is lost if it has to grow.</summary>
    public T* Get<T>(long count)
        where T : unmanaged
    {
        var bytes = checked((nuint)count * (nuint)sizeof(T));
        if (bytes > _bytes || _memory == null)
        {
            Free();
            _memory = AlignedMemory.Allocate(bytes);
            _bytes = bytes;
        }

        return (T*)_memory;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        AlignedMemory.Free(_memory);
        _memory = null;
        _bytes = 0;
    }
}
