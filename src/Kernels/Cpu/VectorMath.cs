using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// The loops over contiguous D-vectors that the sparse kernels are made of. Every sum is taken in an order that depends on the
/// length and the vector width only.
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

    /// <summary>y += Σ weights[j] · rows[index[j]] over <paramref name="count"/> rows of <paramref name="n"/> elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddWeightedRows(float* weights, int* index, int count, float* rows, float* y, int n)
    {
        if (Simd512.IsSupported)
        {
            AddWeightedRows<Simd512, Vector512<float>>(weights, index, count, rows, y, n);
        }
        else if (Simd256.IsSupported)
        {
            AddWeightedRows<Simd256, Vector256<float>>(weights, index, count, rows, y, n);
        }
        else
        {
            AddWeightedRows<Simd128, Vector128<float>>(weights, index, count, rows, y, n);
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

    /// <summary>Σ x² with every product and sum in float64.</summary>
    public static double SumSquares(float* x, long n)
    {
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        long i = 0;
        for (; i + 4 <= n; i += 4)
        {
            s0 += (double)x[i] * x[i];
            s1 += (double)x[i + 1] * x[i + 1];
            s2 += (double)x[i + 2] * x[i + 2];
            s3 += (double)x[i + 3] * x[i + 3];
        }

        for (; i < n; i++)
        {
            s0 += (double)x[i] * x[i];
        }

        return s0 + s1 + (s2 + s3);
    }

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

    private static void AddWeightedRows<TSimd, TVector>(float* weights, int* index, int count, float* rows, float* y, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        var j = 0;
        // Four rows at a time: y is then read and written once for four, and the loads of rows are what the loop waits for.
        for (; j + 4 <= count; j += 4)
        {
            float* r0 = rows + ((long)index[j] * n), r1 = rows + ((long)index[j + 1] * n);
            float* r2 = rows + ((long)index[j + 2] * n), r3 = rows + ((long)index[j + 3] * n);
            TVector w0 = TSimd.Broadcast(weights[j]), w1 = TSimd.Broadcast(weights[j + 1]);
            TVector w2 = TSimd.Broadcast(weights[j + 2]), w3 = TSimd.Broadcast(weights[j + 3]);
            var i = 0;
            for (; i + width <= n; i += width)
            {
                var sum = TSimd.MultiplyAdd(w0, TSimd.Load(r0 + i), TSimd.Load(y + i));
                sum = TSimd.MultiplyAdd(w1, TSimd.Load(r1 + i), sum);
                sum = TSimd.MultiplyAdd(w2, TSimd.Load(r2 + i), sum);
                TSimd.Store(y + i, TSimd.MultiplyAdd(w3, TSimd.Load(r3 + i), sum));
            }

            for (; i < n; i++)
            {
                var sum = MathF.FusedMultiplyAdd(weights[j], r0[i], y[i]);
                sum = MathF.FusedMultiplyAdd(weights[j + 1], r1[i], sum);
                sum = MathF.FusedMultiplyAdd(weights[j + 2], r2[i], sum);
                y[i] = MathF.FusedMultiplyAdd(weights[j + 3], r3[i], sum);
            }
        }

        for (; j < count; j++)
        {
            Axpy<TSimd, TVector>(weights[j], rows + ((long)index[j] * n), y, n);
        }
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
