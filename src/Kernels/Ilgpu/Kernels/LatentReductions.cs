using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// A group's loops over the rows that one latent fires on. Threads lie along the columns, so that reads of a row are contiguous and every
/// thread keeps its columns from loop to loop.
/// </summary>
internal static class LatentReductions
{
    /// <summary>How many partial dot products a group keeps at once.</summary>
    public const int Partials = 2048;

    // Rows in flight at once: enough loads to hide their latency.
    private const int Together = 4;

    /// <summary>start + Σ_j weights[j]·rows[rowOf[j]], one column of it.</summary>
    public static T WeightedSum<T>(
        T start, ArrayView<float> weights, ArrayView<int> rowOf, int first, int last, ArrayView<T> rows, int columns, int column)
        where T : unmanaged, IFloats<T>
    {
        var sum = start;
        var j = first;
        for (; j + Together <= last; j += Together)
        {
            var r0 = rows[(rowOf[j] * columns) + column];
            var r1 = rows[(rowOf[j + 1] * columns) + column];
            var r2 = rows[(rowOf[j + 2] * columns) + column];
            var r3 = rows[(rowOf[j + 3] * columns) + column];
            sum = sum.AddScaled(weights[j], r0).AddScaled(weights[j + 1], r1).AddScaled(weights[j + 2], r2).AddScaled(weights[j + 3], r3);
        }

        for (; j < last; j++)
        {
            sum = sum.AddScaled(weights[j], rows[(rowOf[j] * columns) + column]);
        }

        return sum;
    }

    /// <summary>
    /// dots[j] = vector·rows[rowOf[j]] for nonzeros first … last − 1. All threads of the group must call it; when it returns, every
    /// thread sees all dots.
    /// </summary>
    /// <param name="vector">One row.</param>
    /// <param name="rowOf">The row of each nonzero.</param>
    /// <param name="first">The first nonzero.</param>
    /// <param name="last">One past the last nonzero.</param>
    /// <param name="rows">Rows×columns.</param>
    /// <param name="dots">One value per nonzero.</param>
    /// <param name="partials">Shared memory, <see cref="Partials"/> floats.</param>
    public static void Dots<T>(
        ArrayView<T> vector, ArrayView<int> rowOf, int first, int last, ArrayView<T> rows, ArrayView<float> dots, ArrayView<float> partials)
        where T : unmanaged, IFloats<T> => Run(vector, rowOf, first, last, rows, dots, partials, dots, rows, hasSums: false, add: false);

    /// <summary>
    /// <see cref="Dots"/>, and sums = (add ? sums : 0) + Σ_j weights[j]·rows[rowOf[j]], reading the rows once.
    /// </summary>
    /// <param name="vector">One row.</param>
    /// <param name="rowOf">The row of each nonzero.</param>
    /// <param name="first">The first nonzero.</param>
    /// <param name="last">One past the last nonzero.</param>
    /// <param name="rows">Rows×columns.</param>
    /// <param name="dots">One value per nonzero.</param>
    /// <param name="partials">Shared memory, <see cref="Partials"/> floats.</param>
    /// <param name="weights">One value per nonzero.</param>
    /// <param name="sums">One row.</param>
    /// <param name="add">Whether to add to the present sums.</param>
    public static void DotsAndWeightedSum<T>(
        ArrayView<T> vector,
        ArrayView<int> rowOf,
        int first,
        int last,
        ArrayView<T> rows,
        ArrayView<float> dots,
        ArrayView<float> partials,
        ArrayView<float> weights,
        ArrayView<T> sums,
        bool add)
        where T : unmanaged, IFloats<T> => Run(vector, rowOf, first, last, rows, dots, partials, weights, sums, hasSums: true, add);

    private static void Run<T>(
        ArrayView<T> vector,
        ArrayView<int> rowOf,
        int first,
        int last,
        ArrayView<T> rows,
        ArrayView<float> dots,
        ArrayView<float> partials,
        ArrayView<float> weights,
        ArrayView<T> sums,
        bool hasSums,
        bool add)
        where T : unmanaged, IFloats<T>
    {
        var columns = vector.IntLength;
        var warps = Group.DimX / Warp.WarpSize;
        var block = Partials / warps;
        var lanes = Warp.WarpSize / Together;
        // Which of the four dot products formed together this lane ends up with.
        var mine = Warp.LaneIdx / lanes;
        var own = partials.SubView(Group.IdxX / Warp.WarpSize * block, block);
        if (first == last && hasSums && !add)
        {
            for (var column = Group.IdxX; column < columns; column += Group.DimX)
            {
                sums[column] = default;
            }
        }

        for (var start = first; start < last; start += block)
        {
            var end = Math.Min(last, start + block);
            for (var chunk = 0; chunk < columns; chunk += Group.DimX)
            {
                var column = chunk + Group.IdxX;
                var isInside = column < columns;
                T v = default, sum = default;
                if (isInside)
                {
                    v = vector[column];
                    if (hasSums && (add || start > first))
                    {
                        sum = sums[column];
                    }
                }

                for (var j = start; j < end; j += Together)
                {
                    float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
                    if (isInside)
                    {
                        // Beyond the end, the last row is read again; its results are not used.
                        int j1 = Math.Min(j + 1, end - 1), j2 = Math.Min(j + 2, end - 1), j3 = Math.Min(j + 3, end - 1);
                        var r0 = rows[(rowOf[j] * columns) + column];
                        var r1 = rows[(rowOf[j1] * columns) + column];
                        var r2 = rows[(rowOf[j2] * columns) + column];
                        var r3 = rows[(rowOf[j3] * columns) + column];
                        d0 = v.Dot(r0, 0f);
                        d1 = v.Dot(r1, 0f);
                        d2 = v.Dot(r2, 0f);
                        d3 = v.Dot(r3, 0f);
                        if (hasSums)
                        {
                            sum = sum.AddScaled(weights[j], r0)
                                .AddScaled(j1 == j + 1 ? weights[j1] : 0, r1)
                                .AddScaled(j2 == j + 2 ? weights[j2] : 0, r2)
                                .AddScaled(j3 == j + 3 ? weights[j3] : 0, r3);
                        }
                    }

                    var total = Reductions.WarpSums(d0, d1, d2, d3);
                    if (Warp.LaneIdx % lanes == 0 && j + mine < end)
                    {
                        var at = j - start + mine;
                        own[at] = chunk == 0 ? total : own[at] + total;
                    }
                }

                if (hasSums && isInside)
                {
                    sums[column] = sum;
                }
            }

            Group.Barrier();
            for (var j = start + Group.IdxX; j < end; j += Group.DimX)
            {
                var dot = 0f;
                for (var warp = 0; warp < warps; warp++)
                {
                    dot += partials[(warp * block) + j - start];
                }

                dots[j] = dot;
            }

            Group.Barrier();
        }
    }
}
