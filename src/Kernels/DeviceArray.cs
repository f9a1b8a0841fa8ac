namespace MonoLoss.Kernels;

/// <summary>A growable array in a device's memory.</summary>
/// <remarks>Dispose it: memory of the CPU device is not reclaimed by the garbage collector.</remarks>
/// <typeparam name="T">The element type.</typeparam>
public abstract class DeviceArray<T> : IDisposable
    where T : unmanaged
{
    /// <summary>The number of elements in use.</summary>
    public long Length { get; private set; }

    /// <summary>The number of elements that the present memory has room for.</summary>
    public long Capacity { get; private set; }

    /// <summary>
    /// Sets the length. Memory only grows, so that a loop over batches stops allocating after its largest one. The contents are undefined
    /// if memory had to grow.
    /// </summary>
    /// <param name="length">The new length.</param>
    public void Resize(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Capacity)
        {
            // An eighth more than asked for: the number of active latents varies from batch to batch.
            var capacity = Capacity == 0 ? length : length + (length / 8);
            Reallocate(capacity);
            Capacity = capacity;
        }

        Length = length;
    }

    /// <summary>Copies the first elements from the host.</summary>
    /// <param name="source">At most <see cref="Length"/> values.</param>
    /// <param name="offset">The element to start writing at.</param>
    public abstract void CopyFrom(ReadOnlySpan<T> source, long offset = 0);

    /// <summary>Copies elements to the host.</summary>
    /// <param name="destination">Filled from <paramref name="offset"/> on.</param>
    /// <param name="offset">The element to start reading at.</param>
    public abstract void CopyTo(Span<T> destination, long offset = 0);

    /// <summary>An array over part of the same memory. It cannot grow, and this one must not grow while the slice is in use.</summary>
    /// <param name="offset">The first element.</param>
    /// <param name="length">The number of elements.</param>
    public abstract DeviceArray<T> Slice(long offset, long length);

    /// <summary>Sets every element in use to zero.</summary>
    public abstract void Clear();

    /// <summary>The elements in use, on the host.</summary>
    public T[] ToArray()
    {
        var values = new T[Length];
        CopyTo(values);
        return values;
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Replaces the memory by one of at least <paramref name="capacity"/> elements; the contents may be lost.</summary>
    protected abstract void Reallocate(long capacity);

    /// <summary>Sets the length of an array whose memory belongs to another one.</summary>
    protected void Adopt(long length) => (Length, Capacity) = (length, length);

    /// <summary>Throws unless <paramref name="count"/> elements from <paramref name="offset"/> on are in use.</summary>
    protected void CheckRange(long offset, long count)
    {
        if (offset < 0 || offset + count > Length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), $"elements {offset} … {offset + count - 1} of an array of length {Length}");
        }
    }
}
