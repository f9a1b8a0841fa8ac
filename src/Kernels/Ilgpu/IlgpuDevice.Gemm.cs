using ILGPU;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Products.</content>
public sealed partial class IlgpuDevice
{
    /// <summary>
    /// Whether products of dense matrices round their operands to TF32, a mantissa of 10 bits (a relative error of up to 2⁻¹¹ each),
    /// and run on tensor cores, several times as fast. Sums are float32. Products whose rows are not a multiple of 16 bytes stay float32.
    /// </summary>
    /// <exception cref="NotSupportedException">
    /// The device has no tensor cores for TF32: it is not an NVIDIA GPU of compute capability 8.0 or more.
    /// </exception>
    public bool UseTf32
    {
        get;
        set
        {
            if (value && !SupportsTf32)
            {
                throw new NotSupportedException(
                    $"{Description} has no TF32: that needs an NVIDIA GPU of compute capability 8.0 (Ampere) or more");
            }

            field = value;
        }
    }

    /// <inheritdoc/>
    public override double GemmInputRounding => UseTf32 ? 1.0 / (1 << 11) : 0;

    private bool SupportsTf32 => Accelerator switch
    {
        CudaAccelerator cuda => cuda.Architecture >= CudaArchitecture.SM_80 && cuda.InstructionSet >= CudaInstructionSet.ISA_70,
        CPUAccelerator => true,
        _ => false,
    };

    /// <inheritdoc/>
    public override void Gemm(
        bool transposeA, bool transposeB, float alpha, Tensor a, Tensor b, float beta, Tensor c, Tensor? bias = null, bool relu = false)
    {
        var (m, k) = transposeA ? (a.Columns, a.Rows) : (a.Rows, a.Columns);
        var (inner, n) = transposeB ? (b.Columns, b.Rows) : (b.Rows, b.Columns);
        Require(k == inner && c.Rows == m && c.Columns == n, $"{m}×{k} times {inner}×{n} is not {c.Rows}×{c.Columns}");
        Require(bias is null || bias.Count == n, $"expected {n} biases, one per column");
        var vectorized = IsVectorizable(a.Columns) && IsVectorizable(b.Columns) && IsVectorizable(n);
        var plan = Plan(m, n, k, vectorized);
        Gemm(plan, transposeA, transposeB, View(a), View(b), View(c), ViewOrEmpty(bias), new(m, n, k, plan.SplitDepth, alpha, beta, relu));
    }

    /// <inheritdoc/>
    public override void AddVectorMatrixProduct(float alpha, Tensor weights, Tensor matrix, Tensor y)
    {
        Require(weights.Count == matrix.Rows && y.Count == matrix.Columns, "shapes do not fit");
        if (matrix.Count > 0)
        {
            var (sums, parts) = SumColumnParts(matrix, matrix.Rows, new(ArrayView<double>.Empty, View(weights)));
            Launch(SumKernels.AddScaledPartials, Columns(matrix.Columns), sums, parts, matrix.Columns, alpha, View(y));
        }
    }

    /// <summary>Computes a product as the plan divides it.</summary>
    internal void Gemm(
        GemmPlan plan,
        bool transposeA,
        bool transposeB,
        ArrayView<float> a,
        ArrayView<float> b,
        ArrayView<float> c,
        ArrayView<float> bias,
        GemmShape shape)
    {
        if (shape.M == 0 || shape.N == 0)
        {
            return;
        }

        // With K = 0 the operands are never read, but a kernel's views still need an address.
        var (left, right) = shape.K == 0 ? (c, c) : (a, b);
        if (plan.Tile == GemmTile.Odd)
        {
            Gemm(plan, transposeA, transposeB, left.Cast<Float1>(), right.Cast<Float1>(), c.Cast<Float1>(), bias.Cast<Float1>(), shape);
        }
        else
        {
            Gemm(plan, transposeA, transposeB, left.Cast<Float4>(), right.Cast<Float4>(), c.Cast<Float4>(), bias.Cast<Float4>(), shape);
        }
    }

    private static ArrayView<float> ViewOrEmpty(Tensor? tensor) => tensor is null ? ArrayView<float>.Empty : View(tensor);

    private GemmPlan Plan(int m, int n, int k, bool vectorized) =>
        GemmPlan.Choose(m, n, k, vectorized, vectorized && UseTf32, MultiprocessorCount);

    private void Gemm<T>(
        GemmPlan plan, bool transposeA, bool transposeB, ArrayView<T> a, ArrayView<T> b, ArrayView<T> c, ArrayView<T> bias, GemmShape shape)
        where T : unmanaged, IFloats<T>
    {
        if (plan.Splits == 1)
        {
            GemmOnce(plan, transposeA, transposeB, a, b, c, bias, shape);
            return;
        }

        var partials = Scratch.SplitProducts.WithLength((long)plan.Splits * shape.M * shape.N).View.Cast<T>();
        GemmOnce(
            plan, transposeA, transposeB, a, b, partials, ArrayView<T>.Empty,
            new(shape.M, shape.N, shape.K, shape.SplitDepth, 1, 0, relu: false));
        Launch(GemmKernels.SumPartials, Elements(shape.M * ((shape.N + 3L) / 4)), partials, plan.Splits, bias, c, shape);
    }

    private void GemmOnce<T>(
        GemmPlan plan, bool transposeA, bool transposeB, ArrayView<T> a, ArrayView<T> b, ArrayView<T> c, ArrayView<T> bias, GemmShape shape)
        where T : unmanaged, IFloats<T>
    {
        switch (transposeA, transposeB)
        {
            case (false, false):
                GemmOnce<T, AlongTerms, AcrossTerms>(plan, a, b, c, bias, shape);
                break;
            case (false, true):
                GemmOnce<T, AlongTerms, AlongTerms>(plan, a, b, c, bias, shape);
                break;
            case (true, false):
                GemmOnce<T, AcrossTerms, AcrossTerms>(plan, a, b, c, bias, shape);
                break;
            case (true, true):
                GemmOnce<T, AcrossTerms, AlongTerms>(plan, a, b, c, bias, shape);
                break;
        }
    }

    private void GemmOnce<T, TLeft, TRight>(
        GemmPlan plan, ArrayView<T> a, ArrayView<T> b, ArrayView<T> c, ArrayView<T> bias, GemmShape shape)
        where T : unmanaged, IFloats<T>
        where TLeft : unmanaged, ITensorOperand
        where TRight : unmanaged, ITensorOperand
    {
        var threads = plan.Tile == GemmTile.Tensor ? TensorTile.Threads : GroupSize;
        var config = new KernelConfig(new Index3D(plan.Tiles(shape.M, shape.N), plan.Splits, 1), new Index3D(threads, 1, 1));
        switch (plan.Tile)
        {
            case GemmTile.Large:
                Launch(GemmKernels.Gemm<T, TLeft, TRight, Tile128>, config, a, b, bias, c, shape);
                break;
            case GemmTile.Tensor:
                Launch(
                    GemmKernels.GemmTf32<TLeft, TRight>, config, a.Cast<Float4>(), b.Cast<Float4>(), bias.Cast<Float4>(), c.Cast<Float4>(),
                    shape);
                break;
            default:
                Launch(GemmKernels.Gemm<T, TLeft, TRight, Tile64>, config, a, b, bias, c, shape);
                break;
        }
    }
}
