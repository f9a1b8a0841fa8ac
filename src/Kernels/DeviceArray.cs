namespace MonoLoss.Kernels;

/// <summary>A growable run of values in a device's memory.</summary>
/// <typeparam name="T">The element type.</typeparam>
public abstract class DeviceArray<T> : IDisposable
    where T : unmanaged
{
    /// <summary>How many elements are in use.</summary>
    public long Length { get; private set; }

    /// <summary>How many elements the memory held now has room for.</summary>
    public long Capacity { get; private set; }

    /// <summary>
    /// Sets the length. Memory is only ever taken, never given back, so that a loop over batches stops allocating once it
    /// has seen its largest one. The contents are undefined afterwards where memory had to be taken.
    /// </summary>
    /// <param name="length">The new length.</param>
    public void Resize(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Capacity)
        {
            // An eighth more than asked: the number of active latents wanders from batch to batch.
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

    /// <summary>Elements in use as an array of their own in the same memory: it cannot grow, and this one must not while it is used.</summary>
    /// <param name="offset">The first element.</param>
    /// <param name="length">How many.</param>
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

    /// <summary>Replaces the memory by one of at least <paramref name="capacity"/> elements; contents need not survive.</summary>
    protected abstract void Reallocate(long capacity);

    /// <summary>Sets the length of an array that another one holds the memory of.</summary>
    protected void Adopt(long length) => (Length, Capacity) = (length, length);

    /// <summary>Throws where elements <paramref name="offset"/> … + <paramref name="count"/> are not all in use.</summary>
    protected void CheckRange(long offset, long count)
    {
        if (offset < 0 || offset + count > Length)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), $"elements {offset} … {offset + count} of an array of {Length}");
        }
    }
}
