using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Kernels on the rows of dense matrices.</summary>
internal static class RowKernels
{
    private const float LayerNormEpsilon = 1e-5f;

    /// <summary>norms[i] = max(‖x_i‖, 1e-8) in float64, one warp per row.</summary>
    [Kernel("4*B*D + 8*B", "2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void RowNorms<T>(ArrayView<T> x, int rows, int columns, ArrayView<double> norms)
        where T : unmanaged, IFloats<T>
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row < rows)
        {
            var squares = WarpSquares(x, row, columns);
            if (Warp.LaneIdx == 0)
            {
                var norm = Math.Sqrt(squares);
                norms[row] = norm < MonoScore.SmallestNorm ? MonoScore.SmallestNorm : norm;
            }
        }
    }

    /// <summary>Σ_d x[row, d]² in float64, in all lanes of the warp.</summary>
    public static double WarpSquares<T>(ArrayView<T> x, int row, int columns)
        where T : unmanaged, IFloats<T>
    {
        var squares = 0.0;
        for (var j = Warp.LaneIdx; j < columns; j += Warp.WarpSize)
        {
            var value = x[(row * columns) + j];
            squares = value.Dot(value, squares);
        }

        return Reductions.WarpSum(squares);
    }

    /// <summary>
    /// normalized = (x − mean)/(deviation + 1e-5), one group per row: it is read twice, but the second time from the level-1 cache.
    /// </summary>
    [Kernel("4*(2*B*D + 2*B)", "9*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void LayerNorm<T>(
        ArrayView<T> x, int columns, int features, ArrayView<T> normalized, ArrayView<float> mean, ArrayView<float> deviation)
        where T : unmanaged, IFloats<T>
    {
        var first = Grid.IdxX * columns;
        double sum = 0, squares = 0;
        for (var j = Group.IdxX; j < columns; j += Group.DimX)
        {
            var value = x[first + j];
            sum = value.Sum(sum);
            squares = value.Dot(value, squares);
        }

        var average = Reductions.GroupSum(sum) / features;
        var spread = Reductions.GroupSum(squares) - (features * average * average);
        // One feature has no spread to scale by.
        var standard = features > 1 && spread > 0 ? Math.Sqrt(spread / (features - 1)) : 0;
        for (var j = Group.IdxX; j < columns; j += Group.DimX)
        {
            var value = x[first + j];
            normalized[first + j] = value.ShiftAndScale(average, 1 / (standard + LayerNormEpsilon));
        }

        if (Group.IdxX == 0)
        {
            mean[Grid.IdxX] = (float)average;
            deviation[Grid.IdxX] = (float)standard;
        }
    }

    /// <summary>Scales every row to length 1 in place, one group per row; the second read is from the level-1 cache.</summary>
    [Kernel("8*M*D", "5*M*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void NormalizeRows<T>(ArrayView<T> x, int columns)
        where T : unmanaged, IFloats<T>
    {
        var first = Grid.IdxX * columns;
        var squares = 0.0;
        for (var j = Group.IdxX; j < columns; j += Group.DimX)
        {
            var value = x[first + j];
            squares = value.Dot(value, squares);
        }

        squares = Reductions.GroupSum(squares);
        if (squares > 0)
        {
            for (var j = Group.IdxX; j < columns; j += Group.DimX)
            {
                var value = x[first + j];
                x[first + j] = value.ShiftAndScale(0, 1 / Math.Sqrt(squares));
            }
        }
    }

    /// <summary>result[i] = x[i]·scale[row], one thread per element.</summary>
    [Kernel("4*(2*B*D + B)", "B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void ScaleRows<T>(ArrayView<T> x, ArrayView<float> scale, int columns, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < x.IntLength)
        {
            var value = x[i];
            result[i] = value.Scale(scale[i / columns]);
        }
    }

    /// <summary>result[i] = x[i]·scale[row] + shift[row], one thread per element.</summary>
    [Kernel("4*(2*B*D + 2*B)", "2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void ScaleAndShiftRows<T>(
        ArrayView<T> x, ArrayView<float> scale, ArrayView<float> shift, int columns, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < x.IntLength)
        {
            var value = x[i];
            result[i] = value.Scale(scale[i / columns]).Add(shift[i / columns]);
        }
    }

    /// <summary>result[i] = x[i] + α·row, one thread per element.</summary>
    [Kernel("4*(2*B*D + D)", "2*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void AddRow<T>(ArrayView<T> x, float alpha, ArrayView<T> row, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < x.IntLength)
        {
            var value = x[i];
            result[i] = value.AddScaled(alpha, row[i % row.IntLength]);
        }
    }

    /// <summary>result = α·x + β·y, one thread per element.</summary>
    [Kernel("4*3*B*D", "3*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void LinearCombination<T>(float alpha, ArrayView<T> x, float beta, ArrayView<T> y, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < x.IntLength)
        {
            var value = x[i];
            result[i] = value.Scale(alpha).AddScaled(beta, y[i]);
        }
    }

    /// <summary>result[i] = matrix[list[i]], one thread per element; the matrix may have more than 2³¹ of them.</summary>
    [Kernel("4*(2*M*D + M)")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void GatherRows<T>(ArrayView<T> matrix, ArrayView<int> list, int columns, ArrayView<T> result)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < result.IntLength)
        {
            result[i] = matrix[((long)list[i / columns] * columns) + (i % columns)];
        }
    }

    /// <summary>matrix[list[i]] = rows[i], one thread per element; the matrix may have more than 2³¹ of them.</summary>
    [Kernel("4*(2*M*D + M)")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void ScatterRows<T>(ArrayView<T> rows, ArrayView<int> list, int columns, ArrayView<T> matrix)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < rows.IntLength)
        {
            matrix[((long)list[i / columns] * columns) + (i % columns)] = rows[i];
        }
    }

    /// <summary>result[i] = vector[list[i]], one thread per element; each reads a 32-byte sector.</summary>
    [Kernel("12*M")]
    public static void GatherElements(ArrayView<float> vector, ArrayView<int> list, ArrayView<float> result)
    {
        var i = Grid.GlobalIndex.X;
        if (i < result.IntLength)
        {
            result[i] = vector[list[i]];
        }
    }
}
