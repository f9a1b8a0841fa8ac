using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Loops over contiguous vectors, of which the sparse kernels are made. The order of every sum depends on the length and the vector width
/// alone.
/// </summary>
internal static unsafe class VectorMath
{
    /// <summary>Σ a·b over <paramref name="n"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(float* a, float* b, int n) =>
        Simd512.IsSupported ? Dot<Simd512, Vector512<float>>(a, b, n)
        : Simd256.IsSupported ? Dot<Simd256, Vector256<float>>(a, b, n)
        : Dot<Simd128, Vector128<float>>(a, b, n);

    /// <summary>y += alpha · x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Axpy(float alpha, float* x, float* y, int n)
    {
        if (Simd512.IsSupported)
        {
            Axpy<Simd512, Vector512<float>>(alpha, x, y, n);
        }
        else if (Simd256.IsSupported)
        {
            Axpy<Simd256, Vector256<float>>(alpha, x, y, n);
        }
        else
        {
            Axpy<Simd128, Vector128<float>>(alpha, x, y, n);
        }
    }

    /// <summary>results[j] = Σ vector · rows[index[j]] for <paramref name="count"/> rows of <paramref name="n"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DotRows(float* vector, int* index, int count, float* rows, float* results, int n)
    {
        if (Simd512.IsSupported)
        {
            DotRows<Simd512, Vector512<float>>(vector, index, count, rows, results, n);
        }
        else if (Simd256.IsSupported)
        {
            DotRows<Simd256, Vector256<float>>(vector, index, count, rows, results, n);
        }
        else
        {
            DotRows<Simd128, Vector128<float>>(vector, index, count, rows, results, n);
        }
    }

    /// <summary>
    /// Prefetches a row to the level-2 cache. The processor cannot predict rows that follow each other at random.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* row, int n)
    {
        if (Sse.IsSupported)
        {
            for (var i = 0; i < n; i += 16)
            {
                Sse.Prefetch1(row + i);
            }
        }
    }

    /// <summary>accumulator += weight · source in float64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateDouble(double* accumulator, double weight, float* source, int n)
    {
        if (Simd512.IsSupported)
        {
            AccumulateDouble<Simd512, Vector512<float>>(accumulator, weight, source, n);
        }
        else if (Simd256.IsSupported)
        {
            AccumulateDouble<Simd256, Vector256<float>>(accumulator, weight, source, n);
        }
        else
        {
            AccumulateDouble<Simd128, Vector128<float>>(accumulator, weight, source, n);
        }
    }

    /// <summary>The smallest and the largest of at least one value, none of which may be NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (float Min, float Max) Extremes(float* x, int n) =>
        Simd512.IsSupported ? Extremes<Simd512, Vector512<float>>(x, n)
        : Simd256.IsSupported ? Extremes<Simd256, Vector256<float>>(x, n)
        : Extremes<Simd128, Vector128<float>>(x, n);

    /// <summary>Σ x in float64.</summary>
    public static double Sum(float* x, long n)
    {
        long i = 0;
        var sum = 0.0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> s0 = Vector512<double>.Zero, s1 = Vector512<double>.Zero;
            for (; i + 16 <= n; i += 16)
            {
                s0 = Avx512F.Add(s0, Widen512(x + i));
                s1 = Avx512F.Add(s1, Widen512(x + i + 8));
            }

            sum = Vector512.Sum(Avx512F.Add(s0, s1));
        }
        else
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = Vector256<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(x + i));
                s0 += low;
                s1 += high;
            }

            sum = Vector256.Sum(s0 + s1);
        }

        for (; i < n; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>The number of positive x, and their sum in float64.</summary>
    public static (long Count, double Sum) SumAndCountPositive(float* x, long n)
    {
        long i = 0, count = 0;
        var sum = 0.0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> s0 = Vector512<double>.Zero, s1 = Vector512<double>.Zero;
            for (; i + 16 <= n; i += 16)
            {
                var value = Avx512F.LoadVector512(x + i);
                count += BitOperations.PopCount(Vector512.GreaterThan(value, Vector512<float>.Zero).ExtractMostSignificantBits());
                value = Avx512F.Max(value, Vector512<float>.Zero);
                s0 = Avx512F.Add(s0, Avx512F.ConvertToVector512Double(value.GetLower()));
                s1 = Avx512F.Add(s1, Avx512F.ConvertToVector512Double(value.GetUpper()));
            }

            sum = Vector512.Sum(Avx512F.Add(s0, s1));
        }
        else
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = Vector256<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var value = Vector256.Load(x + i);
                var positive = Vector256.GreaterThan(value, Vector256<float>.Zero);
                count += BitOperations.PopCount(positive.ExtractMostSignificantBits());
                var (low, high) = Vector256.Widen(value & positive.AsSingle());
                s0 += low;
                s1 += high;
            }

            sum = Vector256.Sum(s0 + s1);
        }

        for (; i < n; i++)
        {
            count += x[i] > 0 ? 1 : 0;
            sum += Math.Max(x[i], 0);
        }

        return (count, sum);
    }

    /// <summary>Σ x² in float64.</summary>
    public static double SumSquares(float* x, long n)
    {
        long i = 0;
        var sum = 0.0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> s0 = Vector512<double>.Zero, s1 = Vector512<double>.Zero;
            for (; i + 16 <= n; i += 16)
            {
                Vector512<double> low = Widen512(x + i), high = Widen512(x + i + 8);
                s0 = Avx512F.FusedMultiplyAdd(low, low, s0);
                s1 = Avx512F.FusedMultiplyAdd(high, high, s1);
            }

            sum = Vector512.Sum(Avx512F.Add(s0, s1));
        }
        else
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = Vector256<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(x + i));
                s0 = Vector256.FusedMultiplyAdd(low, low, s0);
                s1 = Vector256.FusedMultiplyAdd(high, high, s1);
            }

            sum = Vector256.Sum(s0 + s1);
        }

        for (; i < n; i++)
        {
            sum += (double)x[i] * x[i];
        }

        return sum;
    }

    /// <summary>Σ weights·x² in float64.</summary>
    public static double WeightedSumSquares(double* weights, float* x, long n)
    {
        long i = 0;
        var sum = 0.0;
        if (Avx512F.IsSupported)
        {
            var sums = Vector512<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var value = Widen512(x + i);
                sums = Avx512F.FusedMultiplyAdd(Avx512F.Multiply(value, value), Avx512F.LoadVector512(weights + i), sums);
            }

            sum = Vector512.Sum(sums);
        }
        else
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = Vector256<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(x + i));
                s0 = Vector256.FusedMultiplyAdd(low * low, Vector256.Load(weights + i), s0);
                s1 = Vector256.FusedMultiplyAdd(high * high, Vector256.Load(weights + i + 4), s1);
            }

            sum = Vector256.Sum(s0 + s1);
        }

        for (; i < n; i++)
        {
            sum += (double)x[i] * x[i] * weights[i];
        }

        return sum;
    }

    /// <summary>Σ (x − y)² in float64, of differences rounded to float32.</summary>
    public static double SumSquaredDifferences(float* x, float* y, long n)
    {
        long i = 0;
        var sum = 0.0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> s0 = Vector512<double>.Zero, s1 = Vector512<double>.Zero;
            for (; i + 16 <= n; i += 16)
            {
                var difference = Avx512F.Subtract(Avx512F.LoadVector512(x + i), Avx512F.LoadVector512(y + i));
                var low = Avx512F.ConvertToVector512Double(difference.GetLower());
                var high = Avx512F.ConvertToVector512Double(difference.GetUpper());
                s0 = Avx512F.FusedMultiplyAdd(low, low, s0);
                s1 = Avx512F.FusedMultiplyAdd(high, high, s1);
            }

            sum = Vector512.Sum(Avx512F.Add(s0, s1));
        }
        else
        {
            Vector256<double> s0 = Vector256<double>.Zero, s1 = Vector256<double>.Zero;
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(x + i) - Vector256.Load(y + i));
                s0 = Vector256.FusedMultiplyAdd(low, low, s0);
                s1 = Vector256.FusedMultiplyAdd(high, high, s1);
            }

            sum = Vector256.Sum(s0 + s1);
        }

        for (; i < n; i++)
        {
            double difference = x[i] - y[i];
            sum += difference * difference;
        }

        return sum;
    }

    /// <summary>Element by element sum += x, squares += x² and errors += (x − y)², all in float64.</summary>
    public static void AccumulateErrors(float* x, float* y, double* sum, double* squares, double* errors, int n)
    {
        var i = 0;
        if (Avx512F.IsSupported)
        {
            for (; i + 8 <= n; i += 8)
            {
                var value = Widen512(x + i);
                var error = Avx512F.Subtract(value, Widen512(y + i));
                Avx512F.Store(sum + i, Avx512F.Add(Avx512F.LoadVector512(sum + i), value));
                Avx512F.Store(squares + i, Avx512F.FusedMultiplyAdd(value, value, Avx512F.LoadVector512(squares + i)));
                Avx512F.Store(errors + i, Avx512F.FusedMultiplyAdd(error, error, Avx512F.LoadVector512(errors + i)));
            }
        }
        else
        {
            for (; i + 4 <= n; i += 4)
            {
                var value = Vector256.WidenLower(Vector128.Load(x + i).ToVector256());
                var error = value - Vector256.WidenLower(Vector128.Load(y + i).ToVector256());
                (Vector256.Load(sum + i) + value).Store(sum + i);
                Vector256.FusedMultiplyAdd(value, value, Vector256.Load(squares + i)).Store(squares + i);
                Vector256.FusedMultiplyAdd(error, error, Vector256.Load(errors + i)).Store(errors + i);
            }
        }

        for (; i < n; i++)
        {
            double value = x[i], error = value - y[i];
            sum[i] += value;
            squares[i] += value * value;
            errors[i] += error * error;
        }
    }

    /// <summary>target = (x − offset)·scale in float64, rounded once; target may be x.</summary>
    public static void ShiftAndScale(float* x, double offset, double scale, float* target, long n)
    {
        long i = 0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> o = Vector512.Create(offset), s = Vector512.Create(scale);
            for (; i + 8 <= n; i += 8)
            {
                var value = Avx512F.Multiply(Avx512F.Subtract(Widen512(x + i), o), s);
                Avx512F.ConvertToVector256Single(value).Store(target + i);
            }
        }
        else
        {
            Vector256<double> o = Vector256.Create(offset), s = Vector256.Create(scale);
            for (; i + 8 <= n; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(x + i));
                Vector256.Narrow((low - o) * s, (high - o) * s).Store(target + i);
            }
        }

        for (; i < n; i++)
        {
            target[i] = (float)((x[i] - offset) * scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Widen512(float* source) => Avx512F.ConvertToVector512Double(Vector256.Load(source));

    private static float Dot<TSimd, TVector>(float* a, float* b, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        var i = 0;
        for (; i + (4 * width) <= n; i += 4 * width)
        {
            s0 = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), s0);
            s1 = TSimd.MultiplyAdd(TSimd.Load(a + i + width), TSimd.Load(b + i + width), s1);
            s2 = TSimd.MultiplyAdd(TSimd.Load(a + i + (2 * width)), TSimd.Load(b + i + (2 * width)), s2);
            s3 = TSimd.MultiplyAdd(TSimd.Load(a + i + (3 * width)), TSimd.Load(b + i + (3 * width)), s3);
        }

        for (; i + width <= n; i += width)
        {
            s0 = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), s0);
        }

        var sum = TSimd.Sum(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)));
        for (; i < n; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static void Axpy<TSimd, TVector>(float alpha, float* x, float* y, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        var factor = TSimd.Broadcast(alpha);
        var i = 0;
        for (; i + width <= n; i += width)
        {
            TSimd.Store(y + i, TSimd.MultiplyAdd(factor, TSimd.Load(x + i), TSimd.Load(y + i)));
        }

        for (; i < n; i++)
        {
            y[i] = MathF.FusedMultiplyAdd(alpha, x[i], y[i]);
        }
    }

    private static (float Min, float Max) Extremes<TSimd, TVector>(float* x, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector least = TSimd.Broadcast(x[0]), most = least;
        var i = 0;
        for (; i + TSimd.Width <= n; i += TSimd.Width)
        {
            var value = TSimd.Load(x + i);
            least = TSimd.Min(least, value);
            most = TSimd.Max(most, value);
        }

        var lanes = stackalloc float[2 * TSimd.Width];
        TSimd.Store(lanes, least);
        TSimd.Store(lanes + TSimd.Width, most);
        var (min, max) = (lanes[0], lanes[TSimd.Width]);
        for (var lane = 1; lane < TSimd.Width; lane++)
        {
            min = Math.Min(min, lanes[lane]);
            max = Math.Max(max, lanes[TSimd.Width + lane]);
        }

        for (; i < n; i++)
        {
            min = Math.Min(min, x[i]);
            max = Math.Max(max, x[i]);
        }

        return (min, max);
    }

    private static void DotRows<TSimd, TVector>(float* vector, int* index, int count, float* rows, float* results, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        var j = 0;
        for (; j + 4 <= count; j += 4)
        {
            float* r0 = rows + ((long)index[j] * n), r1 = rows + ((long)index[j + 1] * n);
            float* r2 = rows + ((long)index[j + 2] * n), r3 = rows + ((long)index[j + 3] * n);
            TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
            var i = 0;
            for (; i + width <= n; i += width)
            {
                var v = TSimd.Load(vector + i);
                s0 = TSimd.MultiplyAdd(v, TSimd.Load(r0 + i), s0);
                s1 = TSimd.MultiplyAdd(v, TSimd.Load(r1 + i), s1);
                s2 = TSimd.MultiplyAdd(v, TSimd.Load(r2 + i), s2);
                s3 = TSimd.MultiplyAdd(v, TSimd.Load(r3 + i), s3);
            }

            float t0 = TSimd.Sum(s0), t1 = TSimd.Sum(s1), t2 = TSimd.Sum(s2), t3 = TSimd.Sum(s3);
            for (; i < n; i++)
            {
                t0 += vector[i] * r0[i];
                t1 += vector[i] * r1[i];
                t2 += vector[i] * r2[i];
                t3 += vector[i] * r3[i];
            }

            results[j] = t0;
            results[j + 1] = t1;
            results[j + 2] = t2;
            results[j + 3] = t3;
        }

        for (; j < count; j++)
        {
            results[j] = Dot<TSimd, TVector>(vector, rows + ((long)index[j] * n), n);
        }
    }

    private static void AccumulateDouble<TSimd, TVector>(double* accumulator, double weight, float* source, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var i = 0;
        for (; i + TSimd.Width <= n; i += TSimd.Width)
        {
            TSimd.AccumulateDouble(accumulator + i, weight, source + i);
        }

        for (; i < n; i++)
        {
            accumulator[i] += weight * source[i];
        }
    }
}
