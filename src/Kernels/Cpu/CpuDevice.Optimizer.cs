using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <content>Clipping, decoder rows of unit length, and Adam.</content>
public sealed unsafe partial class CpuDevice
{
    // The smallest normal float32. Moments of latents that stay dead decay without end, and once they are denormal, every operation on them
    // takes ten times as long.
    private const float SmallestMoment = 1.1754944e-38f;

    /// <inheritdoc/>
    public override void AddSumSquares(Tensor x, DeviceArray<double> result)
    {
        var tasks = TaskCount(x.Count, ElementsPerTask);
        _pool.Run(tasks, new SumSquaresWork(Pointer(x), x.Count, Partials(tasks)));
        Pointer(result)[0] += SumPartials(tasks);
    }

    /// <inheritdoc/>
    public override void AddSum(DeviceArray<double> values, DeviceArray<double> result)
    {
        var source = Pointer(values);
        var sum = 0.0;
        for (var i = 0L; i < values.Length; i++)
        {
            sum += source[i];
        }

        Pointer(result)[0] += sum;
    }

    /// <inheritdoc/>
    public override void ClipFactor(DeviceArray<double> squares, double maxNorm, DeviceArray<float> factor) =>
        Pointer(factor)[0] = (float)Math.Min(1, maxNorm / (Math.Sqrt(Pointer(squares)[0]) + ClipEpsilon));

    /// <inheritdoc/>
    public override void NormalizeRows(Tensor x)
    {
        var rows = RowsPerTask(x.Columns);
        _pool.Run(TaskCount(x.Rows, rows), new NormalizeRowsWork(Pointer(x), x.Rows, x.Columns, rows));
    }

    /// <inheritdoc/>
    public override void Adam(
        Tensor parameter,
        Tensor gradient,
        Tensor firstMoment,
        Tensor secondMoment,
        in AdamStep step,
        DeviceArray<float>? gradientScale = null)
    {
        RequireSameShape(parameter, gradient);
        RequireSameShape(parameter, firstMoment);
        RequireSameShape(parameter, secondMoment);
        var rows = RowsPerTask(parameter.Columns);
        _pool.Run(
            TaskCount(parameter.Rows, rows),
            new AdamWork(
                Pointer(parameter),
                Pointer(gradient),
                Pointer(firstMoment),
                Pointer(secondMoment),
                parameter.Rows,
                parameter.Columns,
                rows,
                step,
                gradientScale is { } scale ? Pointer(scale)[0] : 1));
    }

    private readonly struct SumSquaresWork(float* x, long n, double* partials) : IParallelWork
    {
        public void Run(int task)
        {
            var first = (long)task * ElementsPerTask;
            partials[task] = VectorMath.SumSquares(x + first, Math.Min(n - first, ElementsPerTask));
        }
    }

    private readonly struct NormalizeRowsWork(float* x, int rows, int d, int rowsPerTask) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                ScaleToUnit(x + ((long)i * d), d);
            }
        }

        public static void ScaleToUnit(float* row, int d)
        {
            var norm = Math.Sqrt(VectorMath.SumSquares(row, d));
            if (norm > 0)
            {
                VectorMath.ShiftAndScale(row, 0, 1 / norm, row, d);
            }
        }
    }

    private readonly struct AdamWork(
        float* p, float* g, float* m, float* v, int rows, int d, int rowsPerTask, AdamStep step, float gradientScale) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                var start = (long)i * d;
                if (step.UnitRows)
                {
                    NormalizeRowsWork.ScaleToUnit(p + start, d);
                }

                // Projection removes the part of the gradient along the row p, which has unit length: g − (g·p)·p.
                var along = step.Project ? VectorMath.Dot(g + start, p + start, d) : 0;
                if (Simd512.IsSupported)
                {
                    Update<Simd512, Vector512<float>>(p + start, g + start, m + start, v + start, along);
                }
                else if (Simd256.IsSupported)
                {
                    Update<Simd256, Vector256<float>>(p + start, g + start, m + start, v + start, along);
                }
                else
                {
                    Update<Simd128, Vector128<float>>(p + start, g + start, m + start, v + start, along);
                }
            }
        }

        private void Update<TSimd, TVector>(float* p, float* g, float* m, float* v, float along)
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            var (stepSize, rootCorrection, relativeDecay) = (step.StepSize, step.RootCorrection, step.RelativeDecay);
            TVector scale = TSimd.Broadcast(gradientScale), minusAlong = TSimd.Broadcast(-along);
            TVector beta1 = TSimd.Broadcast(step.Beta1), oneMinusBeta1 = TSimd.Broadcast(1 - step.Beta1);
            TVector beta2 = TSimd.Broadcast(step.Beta2), oneMinusBeta2 = TSimd.Broadcast(1 - step.Beta2);
            TVector root = TSimd.Broadcast(rootCorrection), epsilon = TSimd.Broadcast(step.Epsilon);
            TVector minusStepSize = TSimd.Broadcast(-stepSize), decay = TSimd.Broadcast(relativeDecay);
            var smallest = TSimd.Broadcast(SmallestMoment);
            var j = 0;
            for (; j + TSimd.Width <= d; j += TSimd.Width)
            {
                var parameter = TSimd.Load(p + j);
                // g = scale·(gradient − along·p)
                var gradient = TSimd.Multiply(scale, TSimd.MultiplyAdd(minusAlong, parameter, TSimd.Load(g + j)));
                // m = β₁·m + (1 − β₁)·g
                var first = TSimd.MultiplyAdd(oneMinusBeta1, gradient, TSimd.Multiply(beta1, TSimd.Load(m + j)));
                // v = β₂·v + (1 − β₂)·g²
                var second = TSimd.MultiplyAdd(TSimd.Multiply(oneMinusBeta2, gradient), gradient, TSimd.Multiply(beta2, TSimd.Load(v + j)));
                // p −= α/(1 − β₁ᵗ)·(m / (√(v/(1 − β₂ᵗ)) + ε) + decay·p)
                var denominator = TSimd.MultiplyAdd(TSimd.Sqrt(second), root, epsilon);
                TSimd.Store(m + j, TSimd.FlushBelow(first, smallest));
                TSimd.Store(v + j, TSimd.FlushBelow(second, smallest));
                var direction = TSimd.MultiplyAdd(decay, parameter, TSimd.Divide(first, denominator));
                TSimd.Store(p + j, TSimd.MultiplyAdd(minusStepSize, direction, parameter));
            }

            for (; j < d; j++)
            {
                var gradient = gradientScale * (g[j] - (along * p[j]));
                var first = (step.Beta1 * m[j]) + ((1 - step.Beta1) * gradient);
                var second = (step.Beta2 * v[j]) + ((1 - step.Beta2) * gradient * gradient);
                var denominator = (MathF.Sqrt(second) * rootCorrection) + step.Epsilon;
                m[j] = Math.Abs(first) < SmallestMoment ? 0 : first;
                v[j] = second < SmallestMoment ? 0 : second;
                p[j] -= (stepSize * first / denominator) + (stepSize * relativeDecay * p[j]);
            }
        }
    }
}
