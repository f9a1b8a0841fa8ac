using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    // Moments of latents that stay dead decay for ever; once denormal they make every operation on them ten times slower.
    private const float SmallestMoment = 1.1754944e-38f;

    /// <inheritdoc/>
    public override void JumpReLU(
        SparseRows s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre)
    {
        Require(logThreshold.Count == s.Columns && bias.Count == s.Columns, "one threshold and bias a latent");
        Require(x.Rows == s.Rows && weights.Rows == s.Columns && x.Columns == weights.Columns, "shapes do not fit");
        pre.Resize(s.Count);
        var rows = RowsPerPiece(x.Columns);
        _pool.Run(
            Pieces(s.Rows, rows),
            new JumpReLUWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                Pointer(s.Values),
                s.Rows,
                rows,
                Pointer(x),
                Pointer(weights),
                Pointer(bias),
                x.Columns,
                Pointer(logThreshold),
                bandwidth,
                Pointer(pre)));
    }

    /// <inheritdoc/>
    public override void JumpReLUGradient(
        SparseRows s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient)
    {
        RequireColumnIndex(s);
        Require(pre.Length == s.Count && logThreshold.Count == s.Columns && gradient.Count == s.Columns, "shapes do not fit");
        _pool.Run(
            Pieces(s.Columns, LatentsPerPiece),
            new JumpReLUGradientWork(
                Pointer(s.ColumnOffsets),
                Pointer(s.PlaceOf),
                Pointer(s.Values),
                Pointer(s.Gradient),
                s.Columns,
                Pointer(pre),
                Pointer(logThreshold),
                bandwidth,
                l0Factor,
                Pointer(gradient)));
    }

    /// <inheritdoc/>
    public override void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds)
    {
        bounds.Resize(1, logThreshold.Columns);
        var source = Pointer(logThreshold);
        var target = Pointer(bounds);
        for (var m = 0L; m < logThreshold.Count; m++)
        {
            var threshold = MathF.Exp(source[m]);
            target[m] = threshold - (bandwidth / 2) - EdgeDoubt(threshold);
        }
    }

    /// <inheritdoc/>
    public override void CountSilentBatches(SparseRows s, DeviceArray<int> counters, int fired)
    {
        RequireColumnIndex(s);
        Require(counters.Length == s.Columns, $"{counters.Length} counters for {s.Columns} latents");
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        if (s.Dense is { } dense)
        {
            _pool.Run(pieces, new CountSilentDenseWork(Pointer(dense), dense.Rows, dense.Columns, Pointer(counters), fired));
            return;
        }

        _pool.Run(
            pieces,
            new CountSilentWork(Pointer(s.ColumnOffsets), Pointer(s.PlaceOf), Pointer(s.Values), s.Columns, Pointer(counters), fired));
    }

    /// <inheritdoc/>
    public override int ListSilent(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        list.Resize(counters.Length);
        var source = Pointer(counters);
        var target = Pointer(list);
        var count = 0;
        for (var m = 0; m < counters.Length; m++)
        {
            if (source[m] >= least)
            {
                target[count++] = m;
            }
        }

        list.Resize(count);
        return count;
    }

    /// <inheritdoc/>
    public override void AddSumSquares(Tensor x, DeviceArray<double> result)
    {
        var pieces = Pieces(x.Count, ElementsPerPiece);
        _pool.Run(pieces, new SumSquaresWork(Pointer(x), x.Count, Partials(pieces)));
        Pointer(result)[0] += SumPartials(pieces);
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
    public override void NormalizeRows(Tensor x)
    {
        var rows = RowsPerPiece(x.Columns);
        _pool.Run(Pieces(x.Rows, rows), new NormalizeRowsWork(Pointer(x), x.Rows, x.Columns, rows));
    }

    /// <inheritdoc/>
    public override void Adam(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step)
    {
        RequireSameShape(parameter, gradient);
        RequireSameShape(parameter, firstMoment);
        RequireSameShape(parameter, secondMoment);
        var rows = RowsPerPiece(parameter.Columns);
        _pool.Run(
            Pieces(parameter.Rows, rows),
            new AdamWork(
                Pointer(parameter), Pointer(gradient), Pointer(firstMoment), Pointer(secondMoment), parameter.Rows, parameter.Columns, rows, step));
    }

    /// <summary>How far from an edge a float32 pre-activation can still be on its wrong side.</summary>
    private static float EdgeDoubt(float threshold) => 1e-6f * (1 + threshold);

    private readonly struct JumpReLUWork(
        int* offsets,
        int* indices,
        float* values,
        int rows,
        int rowsPerPiece,
        float* x,
        float* weights,
        float* bias,
        int d,
        float* logThreshold,
        float bandwidth,
        float* pre) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(rows, (piece + 1) * rowsPerPiece);
            for (var i = piece * rowsPerPiece; i < last; i++)
            {
                for (var place = offsets[i]; place < offsets[i + 1]; place++)
                {
                    var m = indices[place];
                    var threshold = MathF.Exp(logThreshold[m]);
                    var distance = Math.Abs(values[place] - threshold);
                    var toEdge = Math.Min(distance, Math.Abs(distance - (bandwidth / 2)));
                    var value = toEdge < EdgeDoubt(threshold) ? PreActivation(i, m) : values[place];
                    pre[place] = value;
                    values[place] = value > threshold ? value : 0;
                }
            }
        }

        private float PreActivation(int i, int m)
        {
            float* row = x + ((long)i * d), weight = weights + ((long)m * d);
            double sum = bias[m];
            for (var j = 0; j < d; j++)
            {
                sum += (double)row[j] * weight[j];
            }

            return Math.Max((float)sum, 0);
        }
    }

    /// <summary>Sums up the straight-through gradient of one latent's threshold (<see cref="Device.JumpReLUGradient"/>).</summary>
    private struct ThresholdBand(float threshold, float bandwidth)
    {
        private readonly float _half = bandwidth / 2;
        private double _preSum;
        private int _l0Places;

        /// <summary>Adds a place; where the latent is off, nothing goes on to the pre-activation.</summary>
        public void Add(float pre, float z, ref float gradient)
        {
            _preSum += Math.Abs(pre - threshold) < _half ? gradient : 0;
            _l0Places += Math.Abs(z - threshold) < _half ? 1 : 0;
            if (z == 0)
            {
                gradient = 0;
            }
        }

        /// <summary>The gradient of the threshold's logarithm.</summary>
        public readonly float Gradient(double l0Factor) => (float)(-((threshold * _preSum) + (l0Factor * _l0Places)) / bandwidth);
    }

    private readonly struct JumpReLUGradientWork(
        int* offsets,
        int* placeOf,
        float* values,
        float* gradient,
        int latents,
        float* pre,
        float* logThreshold,
        float bandwidth,
        double l0Factor,
        float* thresholdGradient) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                var band = new ThresholdBand(MathF.Exp(logThreshold[m]), bandwidth);
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    var place = placeOf[j];
                    band.Add(pre[place], values[place], ref gradient[place]);
                }

                thresholdGradient[m] += band.Gradient(l0Factor);
            }
        }
    }

    private readonly struct CountSilentWork(int* offsets, int* placeOf, float* values, int latents, int* counters, int fired) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                counters[m]++;
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    if (values[placeOf[j]] > 0)
                    {
                        counters[m] = fired;
                        break;
                    }
                }
            }
        }
    }

    private readonly struct CountSilentDenseWork(float* dense, int latents, int rows, int* counters, int fired) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                var isSilent = new ReadOnlySpan<float>(dense + ((long)m * rows), rows).IndexOfAnyExcept(0) < 0;
                counters[m] = isSilent ? counters[m] + 1 : fired;
            }
        }
    }

    private readonly struct SumSquaresWork(float* x, long n, double* partials) : IWork
    {
        public void Run(int piece)
        {
            var first = (long)piece * ElementsPerPiece;
            partials[piece] = VectorMath.SumSquares(x + first, Math.Min(n - first, ElementsPerPiece));
        }
    }

    private readonly struct NormalizeRowsWork(float* x, int rows, int d, int rowsPerPiece) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(rows, (piece + 1) * rowsPerPiece);
            for (var i = piece * rowsPerPiece; i < last; i++)
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

    private readonly struct AdamWork(float* p, float* g, float* m, float* v, int rows, int d, int rowsPerPiece, AdamStep step) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(rows, (piece + 1) * rowsPerPiece);
            for (var i = piece * rowsPerPiece; i < last; i++)
            {
                var start = (long)i * d;
                if (step.UnitRows)
                {
                    NormalizeRowsWork.ScaleToUnit(p + start, d);
                }

                // The projected gradient is scale·(g − along·p).
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
            var correction1 = 1 - Math.Pow(step.Beta1, step.Step);
            var rootCorrection2 = (float)(1 / Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)));
            var rate = (float)(step.LearningRate / correction1);
            TVector scale = TSimd.Broadcast(step.GradientScale), minusAlong = TSimd.Broadcast(-along);
            TVector beta1 = TSimd.Broadcast(step.Beta1), rest1 = TSimd.Broadcast(1 - step.Beta1);
            TVector beta2 = TSimd.Broadcast(step.Beta2), rest2 = TSimd.Broadcast(1 - step.Beta2);
            TVector root = TSimd.Broadcast(rootCorrection2), epsilon = TSimd.Broadcast(step.Epsilon), minusRate = TSimd.Broadcast(-rate);
            var smallest = TSimd.Broadcast(SmallestMoment);
            var j = 0;
            for (; j + TSimd.Width <= d; j += TSimd.Width)
            {
                var parameter = TSimd.Load(p + j);
                var gradient = TSimd.Multiply(scale, TSimd.MultiplyAdd(minusAlong, parameter, TSimd.Load(g + j)));
                var first = TSimd.MultiplyAdd(rest1, gradient, TSimd.Multiply(beta1, TSimd.Load(m + j)));
                var second = TSimd.MultiplyAdd(TSimd.Multiply(rest2, gradient), gradient, TSimd.Multiply(beta2, TSimd.Load(v + j)));
                var denominator = TSimd.MultiplyAdd(TSimd.Sqrt(second), root, epsilon);
                TSimd.Store(m + j, TSimd.FlushBelow(first, smallest));
                TSimd.Store(v + j, TSimd.FlushBelow(second, smallest));
                TSimd.Store(p + j, TSimd.MultiplyAdd(minusRate, TSimd.Divide(first, denominator), parameter));
            }

            for (; j < d; j++)
            {
                var gradient = step.GradientScale * (g[j] - (along * p[j]));
                var first = (step.Beta1 * m[j]) + ((1 - step.Beta1) * gradient);
                var second = (step.Beta2 * v[j]) + ((1 - step.Beta2) * gradient * gradient);
                var denominator = (MathF.Sqrt(second) * rootCorrection2) + step.Epsilon;
                m[j] = Math.Abs(first) < SmallestMoment ? 0 : first;
                v[j] = second < SmallestMoment ? 0 : second;
                p[j] -= rate * first / denominator;
            }
        }
    }
}
