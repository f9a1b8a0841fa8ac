namespace MonoLoss.Kernels.Cpu;

/// <content>Dense products.</content>
public sealed unsafe partial class CpuDevice
{
    private readonly CpuGemm _gemm;
    private readonly CpuEncoder _encoder;
    private readonly SparseBuffer _encoded = new();

    /// <inheritdoc/>
    public override void Gemm(
        bool transposeA, bool transposeB, float alpha, Tensor a, Tensor b, float beta, Tensor c, Tensor? bias = null, bool relu = false)
    {
        var (m, k) = transposeA ? (a.Columns, a.Rows) : (a.Rows, a.Columns);
        var (inner, n) = transposeB ? (b.Columns, b.Rows) : (b.Rows, b.Columns);
        Require(k == inner && c.Rows == m && c.Columns == n, $"{m}×{k} times {inner}×{n} is not {c.Rows}×{c.Columns}");
        Require(bias is null || bias.Count == n, $"{bias?.Count} biases for {n} columns");
        _gemm.Gemm(
            transposeA,
            transposeB,
            m,
            n,
            k,
            alpha,
            Pointer(a),
            a.Columns,
            Pointer(b),
            b.Columns,
            beta,
            Pointer(c),
            c.Columns,
            PointerOrNull(bias),
            relu);
    }

    /// <inheritdoc/>
    public override void AddVectorMatrixProduct(float alpha, Tensor weights, Tensor matrix, Tensor y)
    {
        Require(weights.Count == matrix.Rows && y.Count == matrix.Columns, "shapes do not fit");
        _pool.Run(
            TaskCount(matrix.Columns, ColumnsPerTask),
            new AddVectorMatrixProductWork(alpha, Pointer(weights), Pointer(matrix), matrix.Rows, matrix.Columns, Pointer(y)));
    }

    private readonly struct AddVectorMatrixProductWork(
        float alpha, float* weights, float* matrix, int rows, int d, float* y) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * ColumnsPerTask;
            var count = Math.Min(d - first, ColumnsPerTask);
            var totals = stackalloc double[ColumnsPerTask];
            new Span<double>(totals, ColumnsPerTask).Clear();
            for (var m = 0; m < rows; m++)
            {
                if (weights[m] != 0)
                {
                    VectorMath.AccumulateDouble(totals, weights[m], matrix + ((long)m * d) + first, count);
                }
            }

            for (var j = 0; j < count; j++)
            {
                y[first + j] += (float)(alpha * totals[j]);
            }
        }
    }
}
