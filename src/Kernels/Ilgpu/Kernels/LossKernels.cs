using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Squared errors of reconstructions r against targets t.</summary>
internal static class LossKernels
{
    /// <summary>errors[i] = weight·Σ_d (r − t)², divided by Σ_d t² where relative is not 0; one warp per row.</summary>
    [Kernel("4*2*B*D + 8*B", "5*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SquaredErrors<T>(
        ArrayView<T> r, ArrayView<T> t, int rows, int columns, double weight, int relative, ArrayView<double> errors)
        where T : unmanaged, IFloats<T>
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row < rows)
        {
            double error = 0, squares = 0;
            for (var j = Warp.LaneIdx; j < columns; j += Warp.WarpSize)
            {
                var target = t[(row * columns) + j];
                error = target.SumSquaredDifferences(r[(row * columns) + j], error);
                squares = target.Dot(target, squares);
            }

            error = Reductions.WarpSum(error);
            squares = Reductions.WarpSum(squares);
            if (Warp.LaneIdx == 0)
            {
                errors[row] = error * (relative == 0 ? weight : RelativeWeight(weight, squares));
            }
        }
    }

    /// <summary>gradient += factor·(r − t), one thread per element.</summary>
    [Kernel("4*4*B*D", "3*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void AddScaledDifference<T>(ArrayView<T> r, ArrayView<T> t, float factor, ArrayView<T> gradient)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < r.IntLength)
        {
            AddScaledDifference(r[i], t[i], factor, gradient, i);
        }
    }

    /// <summary>gradient += factor/Σ_d t² · (r − t), one group per row; the second read of t is from the level-1 cache.</summary>
    [Kernel("4*4*B*D", "5*B*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void AddRelativeDifference<T>(ArrayView<T> r, ArrayView<T> t, int columns, double factor, ArrayView<T> gradient)
        where T : unmanaged, IFloats<T>
    {
        var first = Grid.IdxX * columns;
        var squares = 0.0;
        for (var j = Group.IdxX; j < columns; j += Group.DimX)
        {
            var target = t[first + j];
            squares = target.Dot(target, squares);
        }

        var rowFactor = (float)RelativeWeight(factor, Reductions.GroupSum(squares));
        for (var i = first + Group.IdxX; i < first + columns; i += Group.DimX)
        {
            AddScaledDifference(r[i], t[i], rowFactor, gradient, i);
        }
    }

    private static void AddScaledDifference<T>(T r, T t, float factor, ArrayView<T> gradient, int i)
        where T : unmanaged, IFloats<T>
    {
        var sum = gradient[i];
        gradient[i] = sum.AddScaled(factor, r.AddScaled(-1, t));
    }

    /// <summary>weight/squares, or 0 for a row of zeros, which does not count.</summary>
    private static double RelativeWeight(double weight, double squares) => squares > 0 ? weight / squares : 0;
}
