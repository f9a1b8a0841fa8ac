namespace MonoLoss.Kernels.Cpu;

/// <content>Operations on the rows of dense matrices.</content>
public sealed unsafe partial class CpuDevice
{
    private const float LayerNormEpsilon = 1e-5f;
    private const int ColumnsPerTask = 64;

    /// <inheritdoc/>
    public override void RowNorms(Tensor x, DeviceArray<double> norms)
    {
        norms.Resize(x.Rows);
        var rows = RowsPerTask(x.Columns);
        _pool.Run(TaskCount(x.Rows, rows), new RowNormsWork(Pointer(x), x.Rows, x.Columns, rows, Pointer(norms)));
    }

    /// <inheritdoc/>
    public override void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum)
    {
        Require(norms.Length == x.Rows && sum.Length == x.Columns, "shapes do not fit");
        _pool.Run(
            TaskCount(x.Columns, ColumnsPerTask), new SumUnitRowsWork(Pointer(x), x.Rows, x.Columns, Pointer(norms), Pointer(sum)));
    }

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
    {
        normalized.Resize(x.Rows, x.Columns);
        mean.Resize(1, x.Rows);
        deviation.Resize(1, x.Rows);
        var rows = RowsPerTask(x.Columns);
        _pool.Run(
            TaskCount(x.Rows, rows),
            new LayerNormWork(Pointer(x), x.Rows, x.Columns, rows, Pointer(normalized), Pointer(mean), Pointer(deviation)));
    }

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result)
    {
        Require(
            scale.Count == x.Rows && (shift is null || shift.Count == x.Rows), $"not one scale and shift for each of {x.Rows} rows");
        result.Resize(x.Rows, x.Columns);
        var rows = RowsPerTask(x.Columns);
        _pool.Run(
            TaskCount(x.Rows, rows),
            new ScaleRowsWork(Pointer(x), x.Rows, x.Columns, rows, Pointer(scale), PointerOrNull(shift), Pointer(result)));
    }

    /// <inheritdoc/>
    public override void AddRow(Tensor x, float alpha, Tensor row, Tensor result)
    {
        Require(row.Count == x.Columns, $"a row of {row.Count} values for {x.Columns} columns");
        result.Resize(x.Rows, x.Columns);
        var rows = RowsPerTask(x.Columns);
        _pool.Run(TaskCount(x.Rows, rows), new AddRowWork(Pointer(x), x.Rows, x.Columns, rows, alpha, Pointer(row), Pointer(result)));
    }

    /// <inheritdoc/>
    public override void SumColumns(float alpha, Tensor x, Tensor sums, int? rows = null)
    {
        Require(sums.Count == x.Columns, $"{sums.Count} sums for {x.Columns} columns");
        Require(rows is null or >= 0 && (rows ?? 0) <= x.Rows, $"{rows} rows of {x.Rows}");
        _pool.Run(
            TaskCount(x.Columns, ColumnsPerTask), new SumColumnsWork(alpha, Pointer(x), rows ?? x.Rows, x.Columns, Pointer(sums)));
    }

    /// <inheritdoc/>
    public override void LinearCombination(float alpha, Tensor x, float beta, Tensor y, Tensor result)
    {
        RequireSameShape(x, y);
        result.Resize(x.Rows, x.Columns);
        _pool.Run(
            TaskCount(x.Count, ElementsPerTask), new LinearCombinationWork(alpha, Pointer(x), beta, Pointer(y), x.Count, Pointer(result)));
    }

    /// <inheritdoc/>
    public override void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result)
    {
        result.Resize((int)list.Length, matrix.Columns);
        var rows = RowsPerTask(matrix.Columns);
        _pool.Run(
            TaskCount(list.Length, rows),
            new GatherRowsWork(Pointer(matrix), Pointer(list), (int)list.Length, matrix.Columns, rows, Pointer(result)));
    }

    /// <inheritdoc/>
    public override void GatherElements(Tensor vector, DeviceArray<int> list, Tensor result)
    {
        result.Resize(1, (int)list.Length);
        var source = Pointer(vector);
        var index = Pointer(list);
        var target = Pointer(result);
        for (var i = 0L; i < list.Length; i++)
        {
            target[i] = source[index[i]];
        }
    }

    /// <inheritdoc/>
    public override void ScatterRows(Tensor rows, DeviceArray<int> list, Tensor matrix)
    {
        Require(rows.Rows == list.Length && rows.Columns == matrix.Columns, $"{rows.Rows} rows of {rows.Columns} for {list.Length}");
        float* source = Pointer(rows), target = Pointer(matrix);
        var index = Pointer(list);
        var d = rows.Columns;
        for (var i = 0; i < rows.Rows; i++)
        {
            new Span<float>(source + ((long)i * d), d).CopyTo(new Span<float>(target + ((long)index[i] * d), d));
        }
    }

    private readonly struct RowNormsWork(float* x, int rows, int d, int rowsPerTask, double* norms) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                norms[i] = Math.Max(Math.Sqrt(VectorMath.SumSquares(x + ((long)i * d), d)), MonoScore.SmallestNorm);
            }
        }
    }

    private readonly struct SumUnitRowsWork(float* x, int rows, int d, double* norms, double* sum) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * ColumnsPerTask;
            var count = Math.Min(d - first, ColumnsPerTask);
            for (var i = 0; i < rows; i++)
            {
                VectorMath.AccumulateDouble(sum + first, 1 / norms[i], x + ((long)i * d) + first, count);
            }
        }
    }

    private readonly struct LayerNormWork(
        float* x, int rows, int d, int rowsPerTask, float* normalized, float* mean, float* deviation) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                float* source = x + ((long)i * d), target = normalized + ((long)i * d);
                var average = VectorMath.Sum(source, d) / d;
                var squares = Math.Max(0, VectorMath.SumSquares(source, d) - (d * average * average));
                // A single feature has no standard deviation.
                var spread = d > 1 ? Math.Sqrt(squares / (d - 1)) : 0;
                mean[i] = (float)average;
                deviation[i] = (float)spread;
                VectorMath.ShiftAndScale(source, average, 1 / (spread + LayerNormEpsilon), target, d);
            }
        }
    }

    private readonly struct ScaleRowsWork(
        float* x, int rows, int d, int rowsPerTask, float* scale, float* shift, float* result) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                float* source = x + ((long)i * d), target = result + ((long)i * d);
                float factor = scale[i], addend = shift is null ? 0 : shift[i];
                for (var j = 0; j < d; j++)
                {
                    target[j] = (source[j] * factor) + addend;
                }
            }
        }
    }

    private readonly struct AddRowWork(float* x, int rows, int d, int rowsPerTask, float alpha, float* row, float* result) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                float* source = x + ((long)i * d), target = result + ((long)i * d);
                for (var j = 0; j < d; j++)
                {
                    target[j] = source[j] + (alpha * row[j]);
                }
            }
        }
    }

    private readonly struct SumColumnsWork(float alpha, float* x, int rows, int d, float* sums) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * ColumnsPerTask;
            var count = Math.Min(d - first, ColumnsPerTask);
            var totals = stackalloc double[ColumnsPerTask];
            new Span<double>(totals, ColumnsPerTask).Clear();
            for (var i = 0; i < rows; i++)
            {
                VectorMath.AccumulateDouble(totals, 1, x + ((long)i * d) + first, count);
            }

            for (var j = 0; j < count; j++)
            {
                sums[first + j] += (float)(alpha * totals[j]);
            }
        }
    }

    private readonly struct LinearCombinationWork(float alpha, float* x, float beta, float* y, long n, float* result) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(n, (task + 1L) * ElementsPerTask);
            for (var i = (long)task * ElementsPerTask; i < last; i++)
            {
                result[i] = (alpha * x[i]) + (beta * y[i]);
            }
        }
    }

    private readonly struct GatherRowsWork(float* matrix, int* list, int count, int d, int rowsPerTask, float* result) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(count, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                new Span<float>(matrix + ((long)list[i] * d), d).CopyTo(new Span<float>(result + ((long)i * d), d));
            }
        }
    }
}
