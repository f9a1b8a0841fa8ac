using System.Runtime.InteropServices;

namespace MonoLoss.Data;

/// <summary>Floats outside the garbage collector's reach: 64-byte aligned, and more than 2³¹ of them if memory allows.</summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Allocates; the content is undefined.</summary>
    /// <param name="count">How many floats.</param>
    /// <exception cref="DataException">There is not enough memory.</exception>
    public NativeBuffer(long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Count = count;
        try
        {
            Pointer = (float*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(count, 1) * sizeof(float)), Alignment);
        }
        catch (Exception exception) when (exception is OutOfMemoryException or OverflowException)
        {
            throw new DataException($"not enough memory for {count} floats ({count / (1 << 28)} GiB)", exception);
        }
    }

    /// <summary>Frees what was never disposed.</summary>
    ~NativeBuffer() => Free();

    /// <summary>The first float; null once disposed.</summary>
    public float* Pointer { get; private set; }

    /// <summary>How many floats.</summary>
    public long Count { get; }

    /// <summary>A part of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part is not inside.</exception>
    public Span<float> Slice(long start, int count)
    {
        ObjectDisposedException.ThrowIf(Pointer is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + count, Count);
        return new Span<float>(Pointer + start, count);
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
