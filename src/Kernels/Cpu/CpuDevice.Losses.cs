namespace MonoLoss.Kernels.Cpu;

/// <content>Squared errors and their gradients.</content>
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result)
    {
        RequireSameShape(r, t);
        var rows = RowsPerTask(r.Columns);
        var tasks = TaskCount(r.Rows, rows);
        _pool.Run(
            tasks, new SquaredErrorWork(Pointer(r), Pointer(t), r.Rows, r.Columns, rows, weight, relative, Partials(tasks)));
        Pointer(result)[0] = SumPartials(tasks);
    }

    /// <inheritdoc/>
    public override void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient)
    {
        RequireSameShape(r, t);
        RequireSameShape(r, gradient);
        var rows = RowsPerTask(r.Columns);
        _pool.Run(
            TaskCount(r.Rows, rows),
            new SquaredErrorGradientWork(
                Pointer(r), Pointer(t), r.Rows, r.Columns, rows, weight * factor, relative, Pointer(gradient)));
    }

    /// <inheritdoc/>
    public override void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums)
    {
        RequireSameShape(x, r);
        Require(sums.Length == 3L * x.Columns, $"{sums.Length} sums, not three for each of {x.Columns} columns");
        _pool.Run(
            TaskCount(x.Columns, ColumnsPerTask), new ColumnErrorsWork(Pointer(x), Pointer(r), x.Rows, x.Columns, Pointer(sums)));
    }

    private readonly struct SquaredErrorWork(
        float* r, float* t, int rows, int d, int rowsPerTask, double weight, bool relative, double* partials) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            var total = 0.0;
            for (var i = task * rowsPerTask; i < last; i++)
            {
                float* ri = r + ((long)i * d), ti = t + ((long)i * d);
                total += VectorMath.SumSquaredDifferences(ri, ti, d) * RowWeight(ti, d, weight, relative);
            }

            partials[task] = total;
        }

        public static double RowWeight(float* target, int d, double weight, bool relative)
        {
            if (!relative)
            {
                return weight;
            }

            var squares = VectorMath.SumSquares(target, d);
            return squares > 0 ? weight / squares : 0;
        }
    }

    private readonly struct SquaredErrorGradientWork(
        float* r, float* t, int rows, int d, int rowsPerTask, double weight, bool relative, float* gradient) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                float* ri = r + ((long)i * d), ti = t + ((long)i * d), gi = gradient + ((long)i * d);
                var factor = (float)(2 * SquaredErrorWork.RowWeight(ti, d, weight, relative));
                for (var j = 0; j < d; j++)
                {
                    gi[j] += factor * (ri[j] - ti[j]);
                }
            }
        }
    }

    private readonly struct ColumnErrorsWork(float* x, float* r, int rows, int d, double* sums) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * ColumnsPerTask;
            var count = Math.Min(d - first, ColumnsPerTask);
            for (var i = 0; i < rows; i++)
            {
                var at = ((long)i * d) + first;
                VectorMath.AccumulateErrors(x + at, r + at, sums + first, sums + d + first, sums + (2 * d) + first, count);
            }
        }
    }
}
