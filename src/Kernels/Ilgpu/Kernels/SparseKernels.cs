using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Products of a sparse matrix with dense ones, and sums over its nonzeros.</summary>
internal static class SparseKernels
{
    /// <summary>Threads of a group that works on one row, four nonzeros per warp: a larger group would have idle warps.</summary>
    public const int SddmmGroupSize = 128;

    /// <summary>
    /// result[i] = start[i] + Σ of values[entry]·matrix[indices[entry]] over the nonzeros of row i, one thread per column
    /// (or four) of the result; start is one row for all, or empty.
    /// </summary>
    [Kernel("4*(2*N + B + M*D + B*D)", "2*N*D", CachedBytes = "4*N*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SpMM<T>(
        ArrayView<int> offsets,
        ArrayView<int> indices,
        ArrayView<float> values,
        ArrayView<T> matrix,
        ArrayView<T> start,
        int columns,
        ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < result.IntLength)
        {
            var (row, column) = (i / columns, i % columns);
            var sum = start.IntLength > 0 ? start[column] : default;
            result[i] = AddVectorMatrixProduct(sum, offsets[row], offsets[row + 1], indices, values, matrix, columns, column);
        }
    }

    /// <summary>
    /// result[m] += Σ of weights[j]·x[rowOf[j]] over the nonzeros j of column m, one thread per column (or four) of the result.
    /// The end of a long column comes from <see cref="SumColumnTiles"/>.
    /// </summary>
    [Kernel("4*(2*N + M + B*D + 2*M*D)", "2*N*D", CachedBytes = "4*N*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SpMMTransposed<T>(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<float> weights,
        ArrayView<int> groupEnds,
        int rows,
        ArrayView<T> x,
        ArrayView<T> tiles,
        int tile,
        int columns,
        ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i >= result.IntLength)
        {
            return;
        }

        var (m, column) = (i / columns, i % columns);
        var (first, end) = (offsets[m], offsets[m + 1]);
        if (first == end)
        {
            return;
        }

        var next = FirstTile(first, tile);
        var ofGroup = GroupKernels.OfGroup(x, groupEnds, m, rows * columns);
        var sum = AddVectorMatrixProduct(result[i], first, (int)Math.Min((long)next * tile, end), rowOf, weights, ofGroup, columns, column);
        for (; (long)next * tile < end; next++)
        {
            sum = sum.AddScaled(1, tiles[(next * columns) + column]);
        }

        result[i] = sum;
    }

    /// <summary>
    /// The tiles that long columns are cut into: tiles[t] = Σ of weights[j]·x[rowOf[j]] over the nonzeros j from
    /// t·tile on that belong to the same column as the first of them, if that column began more than a tile before.
    /// One thread per column (or four) of x.
    /// </summary>
    /// <remarks>If no column is that long, only the columns of the tiles are read.</remarks>
    [Kernel("8*N + 4*B*D", "2*N*D", CachedBytes = "2*N*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SumColumnTiles<T>(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        ArrayView<int> indices,
        ArrayView<float> weights,
        ArrayView<int> groupEnds,
        int rows,
        ArrayView<T> x,
        int tile,
        int columns,
        ArrayView<T> tiles)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i >= tiles.IntLength)
        {
            return;
        }

        var (t, column) = (i / columns, i % columns);
        var m = indices[entryOf[t * tile]];
        if (t >= FirstTile(offsets[m], tile))
        {
            var end = (int)Math.Min((t + 1L) * tile, offsets[m + 1]);
            var ofGroup = GroupKernels.OfGroup(x, groupEnds, m, rows * columns);
            tiles[i] = AddVectorMatrixProduct(default, t * tile, end, rowOf, weights, ofGroup, columns, column);
        }
    }

    /// <summary>result[j] = values[entryOf[j]]: the nonzeros' values by column. Each value reads a 32-byte sector.</summary>
    [Kernel("12*N", CachedBytes = "32*N")]
    public static void GatherEntries(ArrayView<float> values, ArrayView<int> entryOf, ArrayView<float> result)
    {
        var j = Grid.GlobalIndex.X;
        if (j < result.IntLength)
        {
            result[j] = values[entryOf[j]];
        }
    }

    /// <summary>
    /// gradient[entry] += g[i]·matrix[indices[entry]] for the nonzeros of row i, one group per row, four nonzeros per warp at a time: g[i]
    /// is read once for the four, from the level-1 cache. With groups of columns, for those of one group.
    /// </summary>
    [Kernel("4*(3*N + B + B*D + M*D)", "2*N*D", CachedBytes = "4*N*D", GroupSize = SddmmGroupSize)]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SDDMM<T>(
        ArrayView<int> offsets,
        ArrayView<int> indices,
        ArrayView<int> groupEnds,
        int group,
        ArrayView<T> g,
        ArrayView<T> matrix,
        int columns,
        ArrayView<float> gradient)
        where T : unmanaged, IFloats<T>
    {
        var row = Grid.IdxX;
        var (first, end) = (offsets[row], offsets[row + 1]);
        if (groupEnds.IntLength > 0)
        {
            end = GroupKernels.EndOfGroup(indices, first, end, groupEnds[group]);
            first = group > 0 ? GroupKernels.EndOfGroup(indices, first, end, groupEnds[group - 1]) : first;
        }

        var lane = Warp.LaneIdx;
        for (var entry = first + (4 * (Group.IdxX / Warp.WarpSize)); entry < end; entry += 4 * (Group.DimX / Warp.WarpSize))
        {
            // If fewer than four are left, the last one is repeated.
            var row0 = indices[entry] * columns;
            var row1 = indices[Math.Min(entry + 1, end - 1)] * columns;
            var row2 = indices[Math.Min(entry + 2, end - 1)] * columns;
            var row3 = indices[Math.Min(entry + 3, end - 1)] * columns;
            float dot0 = 0, dot1 = 0, dot2 = 0, dot3 = 0;
            for (var j = lane; j < columns; j += Warp.WarpSize)
            {
                var value = g[(row * columns) + j];
                dot0 = value.Dot(matrix[row0 + j], dot0);
                dot1 = value.Dot(matrix[row1 + j], dot1);
                dot2 = value.Dot(matrix[row2 + j], dot2);
                dot3 = value.Dot(matrix[row3 + j], dot3);
            }

            var dot = Reductions.WarpSums(dot0, dot1, dot2, dot3);
            var quarter = Warp.WarpSize / 4;
            if (lane % quarter == 0 && entry + (lane / quarter) < end)
            {
                gradient[entry + (lane / quarter)] += dot;
            }
        }
    }

    /// <summary>dense[i, indices[entry]] = values[entry], one warp per row; the other elements are 0 already.</summary>
    [Kernel("12*N + 4*B", CachedBytes = "8*N")]
    public static void WriteOut(
        ArrayView<int> offsets, ArrayView<int> indices, ArrayView<float> values, int rows, int columns, ArrayView<float> dense)
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row < rows)
        {
            var end = offsets[row + 1];
            for (var entry = offsets[row] + Warp.LaneIdx; entry < end; entry += Warp.WarpSize)
            {
                dense[(row * columns) + indices[entry]] = values[entry];
            }
        }
    }

    /// <summary>sums[m] += Σ of the gradient over the nonzeros of column m in float64, one warp per column.</summary>
    [Kernel("8*N + 12*M", "N", CachedBytes = "32*N")]
    public static void SumColumns(
        ArrayView<int> offsets, ArrayView<int> entryOf, ArrayView<float> gradient, int columns, ArrayView<float> sums)
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        if (m >= columns)
        {
            return;
        }

        var sum = 0.0;
        for (var j = offsets[m] + Warp.LaneIdx; j < offsets[m + 1]; j += Warp.WarpSize)
        {
            sum += gradient[entryOf[j]];
        }

        sum = Reductions.WarpSum(sum);
        if (Warp.LaneIdx == 0)
        {
            sums[m] += (float)sum;
        }
    }

    /// <summary>How many of each group's values are positive, and their sum: all counts, then all sums.</summary>
    [Kernel("4*N", "2*N")]
    public static void SumAndCountPositive(ArrayView<float> values, ArrayView<double> parts)
    {
        double count = 0, sum = 0;
        for (var entry = Grid.GlobalIndex.X; entry < values.IntLength; entry += Grid.DimX * Group.DimX)
        {
            var value = values[entry];
            if (value > 0)
            {
                count++;
                sum += value;
            }
        }

        count = Reductions.GroupSum(count);
        sum = Reductions.GroupSum(sum);
        if (Group.IdxX == 0)
        {
            parts[Grid.IdxX] = count;
            parts[Grid.DimX + Grid.IdxX] = sum;
        }
    }

    /// <summary>result[i] = the sum of the i-th run of parts, one group per result.</summary>
    [Kernel("N/128")]
    public static void SumParts(ArrayView<double> parts, ArrayView<double> result)
    {
        var count = parts.IntLength / Grid.DimX;
        var sum = 0.0;
        for (var part = Group.IdxX; part < count; part += Group.DimX)
        {
            sum += parts[(Grid.IdxX * count) + part];
        }

        sum = Reductions.GroupSum(sum);
        if (Group.IdxX == 0)
        {
            result[Grid.IdxX] = sum;
        }
    }

    /// <summary>gradient += amount where the value is positive, one thread per entry.</summary>
    [Kernel("12*N", "N")]
    public static void AddWherePositive(ArrayView<float> values, float amount, ArrayView<float> gradient)
    {
        var entry = Grid.GlobalIndex.X;
        if (entry < values.IntLength && values[entry] > 0)
        {
            gradient[entry] += amount;
        }
    }

    /// <summary>indices[entry] = list[indices[entry]], one thread per entry.</summary>
    [Kernel("8*N + 4*M", CachedBytes = "16*N")]
    public static void RemapColumns(ArrayView<int> list, ArrayView<int> indices)
    {
        var entry = Grid.GlobalIndex.X;
        if (entry < indices.IntLength)
        {
            indices[entry] = list[indices[entry]];
        }
    }

    /// <summary>sum + Σ of weights[j]·matrix[rows[j]] at a column (or group of four) over the nonzeros j, in their order.</summary>
    internal static T AddVectorMatrixProduct<T>(
        T sum, int first, int end, ArrayView<int> rows, ArrayView<float> weights, ArrayView<T> matrix, int columns, int column)
        where T : unmanaged, IFloats<T>
    {
        var j = first;
        // Four loads in flight.
        for (; j + 3 < end; j += 4)
        {
            var row0 = matrix[(rows[j] * columns) + column];
            var row1 = matrix[(rows[j + 1] * columns) + column];
            var row2 = matrix[(rows[j + 2] * columns) + column];
            var row3 = matrix[(rows[j + 3] * columns) + column];
            sum = sum.AddScaled(weights[j], row0).AddScaled(weights[j + 1], row1)
                .AddScaled(weights[j + 2], row2).AddScaled(weights[j + 3], row3);
        }

        for (; j < end; j++)
        {
            sum = sum.AddScaled(weights[j], matrix[(rows[j] * columns) + column]);
        }

        return sum;
    }

    /// <summary>The first tile of a column that <see cref="SumColumnTiles"/> sums; short columns have none.</summary>
    private static int FirstTile(int firstEntry, int tile) => (firstEntry / tile) + 2;
}
