namespace MonoLoss.Data;

/// <summary>
/// Floats in native memory: aligned to 64 bytes, and more than 2³¹ of them if memory allows. The memory is freed by <see cref="Dispose"/>
/// alone, so that its spans and pointers stay valid until then.
/// </summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private readonly NativeBlock _block;

    /// <summary>Allocates a buffer; its content is undefined.</summary>
    /// <param name="count">Number of floats.</param>
    /// <exception cref="DataException">There is not enough memory.</exception>
    public NativeBuffer(long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Count = count;
        try
        {
            _block = new NativeBlock(checked(count * sizeof(float)));
        }
        catch (Exception exception) when (exception is OutOfMemoryException or OverflowException)
        {
            throw new DataException($"not enough memory for {count} floats ({count / (1 << 28)} GiB)", exception);
        }
    }

    /// <summary>The first float; null once disposed.</summary>
    public float* Pointer => (float*)_block.Pointer;

    /// <summary>Number of floats.</summary>
    public long Count { get; }

    /// <summary>A part of the buffer.</summary>
    /// <param name="start">Index of its first float.</param>
    /// <param name="count">Number of floats.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part exceeds the buffer.</exception>
    /// <exception cref="ObjectDisposedException">The buffer is disposed.</exception>
    public Span<float> Slice(long start, int count)
    {
        ObjectDisposedException.ThrowIf(Pointer is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - count);
        return new Span<float>(Pointer + start, count);
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose() => _block.Dispose();
}
