using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Nested groups of latents (Matryoshka). The costs are stated for four groups.</summary>
internal static class GroupKernels
{
    /// <summary>
    /// All reconstructions of a row and their errors, one thread per column (or four): group after group is added, and what there is so far
    /// is scaled, shifted and compared with the target.
    /// </summary>
    [Kernel("4*(2*N + B + M*D + 6*B*D)", "2*N*D + 12*B*D", CachedBytes = "4*N*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void Decode<T>(
        ArrayView<int> offsets,
        ArrayView<int> indices,
        ArrayView<float> values,
        ArrayView<int> groupEnds,
        ArrayView<T> matrix,
        ArrayView<T> start,
        int columns,
        RowScale scale,
        ArrayView<T> target,
        ArrayView<T> errors,
        ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i >= result.IntLength)
        {
            return;
        }

        var (row, column) = (i / columns, i % columns);
        var sum = start.IntLength > 0 ? start[column] : default;
        var (next, last) = (offsets[row], offsets[row + 1]);
        var expected = target[i];
        for (var group = 0; group < groupEnds.IntLength; group++)
        {
            var end = EndOfGroup(indices, next, last, groupEnds[group]);
            sum = SparseKernels.AddVectorMatrixProduct(sum, next, end, indices, values, matrix, columns, column);
            next = end;
            var scaled = scale.Apply(sum, row);
            errors[(group * result.IntLength) + i] = scaled.AddScaled(-1, expected);
            if (group == groupEnds.IntLength - 1)
            {
                result[i] = scaled;
            }
        }
    }

    /// <summary>squares[i] = Σ_d x[i, d]² in float64, one warp per row.</summary>
    [Kernel("4*4*B*D + 4*8*B", "4*2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void RowSquares<T>(ArrayView<T> x, int rows, int columns, ArrayView<double> squares)
        where T : unmanaged, IFloats<T>
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row < rows)
        {
            var sum = RowKernels.WarpSquares(x, row, columns);
            if (Warp.LaneIdx == 0)
            {
                squares[row] = sum;
            }
        }
    }

    /// <summary>
    /// errors[g, i] = scale·(last + factor·Σ of errors[h, i] over h ≥ g), one thread per element (or four) of a group's errors.
    /// </summary>
    [Kernel("4*8*B*D", "4*2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SumErrors<T>(
        ArrayView<T> errors, int groups, int columns, float factor, RowScale scale, ArrayView<T> last)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        var count = errors.IntLength / groups;
        if (i >= count)
        {
            return;
        }

        var rowScale = scale.Of(i / columns);
        var weight = factor * rowScale;
        T sum = default;
        if (last.IntLength > 0)
        {
            sum = last[i];
            sum = sum.Scale(rowScale);
        }

        for (var group = groups - 1; group >= 0; group--)
        {
            sum = sum.AddScaled(weight, errors[(group * count) + i]);
            errors[(group * count) + i] = sum;
        }
    }

    /// <summary>The matrix of a group of latents among those that follow each other in an array.</summary>
    /// <param name="matrices">One matrix per group.</param>
    /// <param name="groupEnds">One past the last latent of each group; empty for one group.</param>
    /// <param name="latent">A latent of the group.</param>
    /// <param name="length">The length of a matrix.</param>
    public static ArrayView<T> OfGroup<T>(ArrayView<T> matrices, ArrayView<int> groupEnds, int latent, int length)
        where T : unmanaged
    {
        var group = 0;
        while (group < groupEnds.IntLength - 1 && latent >= groupEnds[group])
        {
            group++;
        }

        return matrices.SubView(group * length, length);
    }

    /// <summary>One past the last nonzero, from next on, whose (ascending) index is below a bound.</summary>
    public static int EndOfGroup(ArrayView<int> indices, int next, int last, int bound)
    {
        var end = last;
        while (next < end)
        {
            var middle = (next + end) / 2;
            if (indices[middle] < bound)
            {
                next = middle + 1;
            }
            else
            {
                end = middle;
            }
        }

        return next;
    }
}

/// <summary>What undoes an input layer norm: one scale and one shift per row. Empty views stand for 1 and 0.</summary>
internal readonly struct RowScale(ArrayView<float> scale, ArrayView<float> shift)
{
    private readonly ArrayView<float> _scale = scale;
    private readonly ArrayView<float> _shift = shift;

    /// <summary>The scale of a row.</summary>
    public float Of(int row) => _scale.IntLength > 0 ? _scale[row] : 1;

    /// <summary>scale·x + shift.</summary>
    public T Apply<T>(T x, int row)
        where T : unmanaged, IFloats<T>
    {
        var scaled = _scale.IntLength > 0 ? x.Scale(_scale[row]) : x;
        return _shift.IntLength > 0 ? scaled.Add(_shift[row]) : scaled;
    }
}
