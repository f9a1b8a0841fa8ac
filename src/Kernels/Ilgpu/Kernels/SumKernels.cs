using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Sums in float64 over many rows or elements. Each is formed in two launches: groups sum parts, whose number depends on the size alone,
/// and then the parts are summed in order.
/// </summary>
internal static class SumKernels
{
    /// <summary>Columns (or groups of four) that a group sums at once: 32 lanes read 128 or 512 contiguous bytes of a row.</summary>
    public const int ColumnsPerGroup = 32;

    /// <summary>Rows that a group reads at once.</summary>
    public const int RowsAtOnce = IlgpuDevice.GroupSize / ColumnsPerGroup;

    /// <summary>
    /// partials[part, d] = Σ x[i, d]·weight of the row over the rows of a part, one group per 32 columns of a part.
    /// </summary>
    [Kernel("4*M*D + 4*M + M*D/8", "2*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void SumColumns<T, TSums>(
        ArrayView<T> x, int rows, int columns, int rowsPerPart, RowWeights weights, ArrayView<TSums> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var column = (Grid.IdxX * ColumnsPerGroup) + (Group.IdxX % ColumnsPerGroup);
        TSums sum = default;
        if (column < columns)
        {
            var last = Math.Min(rows, (Grid.IdxY + 1) * rowsPerPart);
            for (var i = (Grid.IdxY * rowsPerPart) + (Group.IdxX / ColumnsPerGroup); i < last; i += RowsAtOnce)
            {
                sum = sum.AddScaled(weights.Of(i), x[(i * columns) + column]);
            }
        }

        sum = ColumnTotal<TSums, T>(sum);
        if (Group.IdxX < ColumnsPerGroup && column < columns)
        {
            partials[(Grid.IdxY * columns) + column] = sum;
        }
    }

    /// <summary>
    /// partials[part] = Σ x, Σ x², Σ (x − r)² of every column over the rows of a part, D sums of each kind one after another.
    /// </summary>
    [Kernel("8*B*D", "8*B*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void SumColumnErrors<T, TSums>(
        ArrayView<T> x, ArrayView<T> r, int rows, int columns, int rowsPerPart, ArrayView<TSums> partials)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var column = (Grid.IdxX * ColumnsPerGroup) + (Group.IdxX % ColumnsPerGroup);
        TSums sum = default, squares = default, errors = default;
        if (column < columns)
        {
            var last = Math.Min(rows, (Grid.IdxY + 1) * rowsPerPart);
            for (var i = (Grid.IdxY * rowsPerPart) + (Group.IdxX / ColumnsPerGroup); i < last; i += RowsAtOnce)
            {
                var value = x[(i * columns) + column];
                sum = sum.AddScaled(1, value);
                squares = squares.AddSquaredDifferences(value, default);
                errors = errors.AddSquaredDifferences(value, r[(i * columns) + column]);
            }
        }

        sum = ColumnTotal<TSums, T>(sum);
        squares = ColumnTotal<TSums, T>(squares);
        errors = ColumnTotal<TSums, T>(errors);
        if (Group.IdxX < ColumnsPerGroup && column < columns)
        {
            var first = (3 * Grid.IdxY * columns) + column;
            partials[first] = sum;
            partials[first + columns] = squares;
            partials[first + (2 * columns)] = errors;
        }
    }

    /// <summary>result[i] += Σ of partials[part, i] over the parts, one group per 32 results.</summary>
    [Kernel("8*(B/64 + 2)*D")]
    public static void AddPartials(ArrayView<double> partials, int parts, int count, ArrayView<double> result)
    {
        var i = (Grid.IdxX * ColumnsPerGroup) + (Group.IdxX % ColumnsPerGroup);
        var sum = PartialsTotal(partials, parts, count, i);
        if (Group.IdxX < ColumnsPerGroup && i < count)
        {
            result[i] += sum;
        }
    }

    /// <summary>result[i] += α·Σ of partials[part, i] over the parts, rounded once; one group per 32 results.</summary>
    [Kernel("M*D/8 + 8*D")]
    public static void AddScaledPartials(ArrayView<double> partials, int parts, int count, float alpha, ArrayView<float> result)
    {
        var i = (Grid.IdxX * ColumnsPerGroup) + (Group.IdxX % ColumnsPerGroup);
        var sum = PartialsTotal(partials, parts, count, i);
        if (Group.IdxX < ColumnsPerGroup && i < count)
        {
            result[i] += (float)(alpha * sum);
        }
    }

    /// <summary>partials[group] = Σ x² over the elements that the group visits in strides of the grid.</summary>
    [Kernel("4*M*D", "2*M*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void SumSquares<T>(ArrayView<T> x, ArrayView<double> partials)
        where T : unmanaged, IFloats<T>
    {
        var squares = 0.0;
        for (var i = Grid.GlobalIndex.X; i < x.IntLength; i += Grid.DimX * Group.DimX)
        {
            var value = x[i];
            squares = value.Dot(value, squares);
        }

        squares = Reductions.GroupSum(squares);
        if (Group.IdxX == 0)
        {
            partials[Grid.IdxX] = squares;
        }
    }

    /// <summary>partials[group] = Σ of the values that the group visits in strides of the grid.</summary>
    [Kernel("8*M", "M")]
    public static void Sum(ArrayView<double> values, ArrayView<double> partials)
    {
        var sum = 0.0;
        for (var i = Grid.GlobalIndex.X; i < values.IntLength; i += Grid.DimX * Group.DimX)
        {
            sum += values[i];
        }

        sum = Reductions.GroupSum(sum);
        if (Group.IdxX == 0)
        {
            partials[Grid.IdxX] = sum;
        }
    }

    /// <summary>result[0] = factor·result[0] + Σ values, in one group.</summary>
    [Kernel("8*M", "M")]
    public static void AddTotal(ArrayView<double> values, double factor, ArrayView<double> result)
    {
        var sum = 0.0;
        for (var i = Group.IdxX; i < values.IntLength; i += Group.DimX)
        {
            sum += values[i];
        }

        sum = Reductions.GroupSum(sum);
        if (Group.IdxX == 0)
        {
            result[0] = (factor == 0 ? 0 : factor * result[0]) + sum;
        }
    }

    private static double PartialsTotal(ArrayView<double> partials, int parts, int count, int i)
    {
        Double1 sum = default;
        if (i < count)
        {
            for (var part = Group.IdxX / ColumnsPerGroup; part < parts; part += RowsAtOnce)
            {
                sum = sum.Add(new Double1(partials[(part * count) + i]));
            }
        }

        return ColumnTotal<Double1, Float1>(sum).X;
    }

    /// <summary>
    /// For each of the first 32 threads, the sum over the threads of the group whose index differs from its own by a multiple of 32.
    /// All threads must call it.
    /// </summary>
    private static TSums ColumnTotal<TSums, T>(TSums sum)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var sums = SharedMemory.Allocate<TSums>(IlgpuDevice.GroupSize);
        sums[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < ColumnsPerGroup)
        {
            for (var other = Group.IdxX + ColumnsPerGroup; other < IlgpuDevice.GroupSize; other += ColumnsPerGroup)
            {
                sum = sum.Add(sums[other]);
            }
        }

        return sum;
    }
}

/// <summary>The weights of rows in a sum: 1/divisors[i], weights[i] or, with neither, 1.</summary>
internal readonly struct RowWeights(ArrayView<double> divisors, ArrayView<float> weights)
{
    private readonly ArrayView<double> _divisors = divisors;
    private readonly ArrayView<float> _weights = weights;

    public double Of(int row) => _divisors.IntLength > 0 ? 1 / _divisors[row] : _weights.IntLength > 0 ? _weights[row] : 1;
}
