namespace MonoLoss.Data;

/// <summary>A dimension of a block of elements that is copied from a file to memory.</summary>
/// <param name="Length">Number of positions.</param>
/// <param name="Stride">Elements from one position to the next in the file.</param>
/// <param name="Target">Elements from one position to the next in memory.</param>
internal readonly record struct Axis(long Length, long Stride, long Target)
{
    /// <summary>The axes of some rows of an array in row-major memory, those with small strides first and as few as possible.</summary>
    /// <param name="shape">The array's shape.</param>
    /// <param name="strides">Its strides in the file.</param>
    /// <param name="rows">Number of rows.</param>
    public static Axis[] OfRows(IReadOnlyList<long> shape, IReadOnlyList<long> strides, long rows)
    {
        var axes = new List<Axis>();
        long target = 1;
        for (var i = shape.Count - 1; i >= 0; i--)
        {
            var length = i == 0 ? rows : shape[i];
            if (length > 1)
            {
                axes.Add(new Axis(length, strides[i], target));
            }

            target *= length;
        }

        axes.Sort((a, b) => (a.Stride, a.Target).CompareTo((b.Stride, b.Target)));
        for (var i = axes.Count - 1; i > 0; i--)
        {
            var (inner, outer) = (axes[i - 1], axes[i]);
            if (outer.Stride == inner.Length * inner.Stride && outer.Target == inner.Length * inner.Target)
            {
                axes[i - 1] = inner with { Length = inner.Length * outer.Length };
                axes.RemoveAt(i);
            }
        }

        return [.. axes];
    }

    /// <summary>Elements in the file from the first to the last of a block.</summary>
    public static long Extent(ReadOnlySpan<Axis> axes)
    {
        long extent = 1;
        foreach (var axis in axes)
        {
            extent += (axis.Length - 1) * axis.Stride;
        }

        return extent;
    }

    /// <summary>Number of elements of a block.</summary>
    public static long Count(ReadOnlySpan<Axis> axes)
    {
        long count = 1;
        foreach (var axis in axes)
        {
            count *= axis.Length;
        }

        return count;
    }
}
