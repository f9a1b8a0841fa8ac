using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Loops over rows picked by an index: those that one latent fires on, which lie in the level-2 cache. The outer loop goes over blocks of
/// columns that stay in registers, the inner one over the rows, so that each row is read from cache once.
/// </summary>
internal static unsafe class IndexedRows
{
    // Rows whose dot products are kept as vectors at once: 4 KiB of stack.
    private const int RowsPerBlock = 64;

    // The widest vector, in floats.
    private const int MaxWidth = 16;

    /// <summary>y = (add ? y : 0) + Σ_j weights[j]·rows[index[j]].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WeightedSum(float* weights, int* index, int count, float* rows, float* y, int n, bool add)
    {
        if (Simd512.IsSupported)
        {
            WeightedSum<Simd512, Vector512<float>>(weights, index, count, rows, y, n, add);
        }
        else if (Simd256.IsSupported)
        {
            WeightedSum<Simd256, Vector256<float>>(weights, index, count, rows, y, n, add);
        }
        else
        {
            WeightedSum<Simd128, Vector128<float>>(weights, index, count, rows, y, n, add);
        }
    }

    /// <summary>dots[j] = Σ vector·rows[index[j]] and y = (add ? y : 0) + Σ_j weights[j]·rows[index[j]], reading the rows once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DotsAndWeightedSum(
        float* vector, float* weights, int* index, int count, float* rows, float* dots, float* y, int n, bool add)
    {
        if (Simd512.IsSupported)
        {
            DotsAndWeightedSum<Simd512, Vector512<float>>(vector, weights, index, count, rows, dots, y, n, add);
        }
        else if (Simd256.IsSupported)
        {
            DotsAndWeightedSum<Simd256, Vector256<float>>(vector, weights, index, count, rows, dots, y, n, add);
        }
        else
        {
            DotsAndWeightedSum<Simd128, Vector128<float>>(vector, weights, index, count, rows, dots, y, n, add);
        }
    }

    /// <summary>w = Σ_j weights[j]·rows[index[j]] and then dots[j] = Σ w·rows[index[j]].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WeightedSumThenDots(float* weights, int* index, int count, float* rows, float* w, float* dots, int n)
    {
        if (Simd512.IsSupported)
        {
            WeightedSumThenDots<Simd512, Vector512<float>>(weights, index, count, rows, w, dots, n);
        }
        else if (Simd256.IsSupported)
        {
            WeightedSumThenDots<Simd256, Vector256<float>>(weights, index, count, rows, w, dots, n);
        }
        else
        {
            WeightedSumThenDots<Simd128, Vector128<float>>(weights, index, count, rows, w, dots, n);
        }
    }

    private static void WeightedSum<TSimd, TVector>(float* weights, int* index, int count, float* rows, float* y, int n, bool add)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        var i = 0;
        for (; i + (8 * width) <= n; i += 8 * width)
        {
            TVector y0 = TSimd.Zero, y1 = TSimd.Zero, y2 = TSimd.Zero, y3 = TSimd.Zero;
            TVector y4 = TSimd.Zero, y5 = TSimd.Zero, y6 = TSimd.Zero, y7 = TSimd.Zero;
            if (add)
            {
                y0 = TSimd.Load(y + i);
                y1 = TSimd.Load(y + i + width);
                y2 = TSimd.Load(y + i + (2 * width));
                y3 = TSimd.Load(y + i + (3 * width));
                y4 = TSimd.Load(y + i + (4 * width));
                y5 = TSimd.Load(y + i + (5 * width));
                y6 = TSimd.Load(y + i + (6 * width));
                y7 = TSimd.Load(y + i + (7 * width));
            }

            for (var j = 0; j < count; j++)
            {
                var row = rows + ((long)index[j] * n) + i;
                var weight = TSimd.Broadcast(weights[j]);
                y0 = TSimd.MultiplyAdd(weight, TSimd.Load(row), y0);
                y1 = TSimd.MultiplyAdd(weight, TSimd.Load(row + width), y1);
                y2 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (2 * width)), y2);
                y3 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (3 * width)), y3);
                y4 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (4 * width)), y4);
                y5 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (5 * width)), y5);
                y6 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (6 * width)), y6);
                y7 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (7 * width)), y7);
            }

            TSimd.Store(y + i, y0);
            TSimd.Store(y + i + width, y1);
            TSimd.Store(y + i + (2 * width), y2);
            TSimd.Store(y + i + (3 * width), y3);
            TSimd.Store(y + i + (4 * width), y4);
            TSimd.Store(y + i + (5 * width), y5);
            TSimd.Store(y + i + (6 * width), y6);
            TSimd.Store(y + i + (7 * width), y7);
        }

        for (; i + width <= n; i += width)
        {
            var sum = add ? TSimd.Load(y + i) : TSimd.Zero;
            for (var j = 0; j < count; j++)
            {
                sum = TSimd.MultiplyAdd(TSimd.Broadcast(weights[j]), TSimd.Load(rows + ((long)index[j] * n) + i), sum);
            }

            TSimd.Store(y + i, sum);
        }

        for (; i < n; i++)
        {
            var sum = add ? y[i] : 0;
            for (var j = 0; j < count; j++)
            {
                sum = MathF.FusedMultiplyAdd(weights[j], rows[((long)index[j] * n) + i], sum);
            }

            y[i] = sum;
        }
    }

    private static void DotsAndWeightedSum<TSimd, TVector>(
        float* vector, float* weights, int* index, int count, float* rows, float* dots, float* y, int n, bool add)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        var partial = stackalloc float[RowsPerBlock * MaxWidth];
        for (var first = 0; first < count || first == 0; first += RowsPerBlock)
        {
            var block = Math.Min(count - first, RowsPerBlock);
            var addBlock = add || first > 0;
            new Span<float>(partial, block * width).Clear();
            var i = 0;
            for (; i + (4 * width) <= n; i += 4 * width)
            {
                TVector v0 = TSimd.Load(vector + i), v1 = TSimd.Load(vector + i + width);
                TVector v2 = TSimd.Load(vector + i + (2 * width)), v3 = TSimd.Load(vector + i + (3 * width));
                TVector y0 = TSimd.Zero, y1 = TSimd.Zero, y2 = TSimd.Zero, y3 = TSimd.Zero;
                if (addBlock)
                {
                    y0 = TSimd.Load(y + i);
                    y1 = TSimd.Load(y + i + width);
                    y2 = TSimd.Load(y + i + (2 * width));
                    y3 = TSimd.Load(y + i + (3 * width));
                }

                for (var j = 0; j < block; j++)
                {
                    var row = rows + ((long)index[first + j] * n) + i;
                    var weight = TSimd.Broadcast(weights[first + j]);
                    TVector r0 = TSimd.Load(row), r1 = TSimd.Load(row + width);
                    TVector r2 = TSimd.Load(row + (2 * width)), r3 = TSimd.Load(row + (3 * width));
                    y0 = TSimd.MultiplyAdd(weight, r0, y0);
                    y1 = TSimd.MultiplyAdd(weight, r1, y1);
                    y2 = TSimd.MultiplyAdd(weight, r2, y2);
                    y3 = TSimd.MultiplyAdd(weight, r3, y3);
                    var low = TSimd.MultiplyAdd(v1, r1, TSimd.MultiplyAdd(v0, r0, TSimd.Load(partial + (j * width))));
                    var high = TSimd.MultiplyAdd(v3, r3, TSimd.Multiply(v2, r2));
                    TSimd.Store(partial + (j * width), TSimd.Add(low, high));
                }

                TSimd.Store(y + i, y0);
                TSimd.Store(y + i + width, y1);
                TSimd.Store(y + i + (2 * width), y2);
                TSimd.Store(y + i + (3 * width), y3);
            }

            for (var j = 0; j < block; j++)
            {
                dots[first + j] = TSimd.Sum(TSimd.Load(partial + (j * width)));
            }

            for (; i < n; i++)
            {
                var sum = addBlock ? y[i] : 0;
                for (var j = 0; j < block; j++)
                {
                    var value = rows[((long)index[first + j] * n) + i];
                    sum = MathF.FusedMultiplyAdd(weights[first + j], value, sum);
                    dots[first + j] += vector[i] * value;
                }

                y[i] = sum;
            }
        }
    }

    private static void WeightedSumThenDots<TSimd, TVector>(
        float* weights, int* index, int count, float* rows, float* w, float* dots, int n)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        if (count > RowsPerBlock)
        {
            WeightedSum<TSimd, TVector>(weights, index, count, rows, w, n, add: false);
            VectorMath.DotRows(w, index, count, rows, dots, n);
            return;
        }

        // A block of w is complete once all rows have been added to it; their blocks are then still in the level-1 cache.
        var width = TSimd.Width;
        var partial = stackalloc float[RowsPerBlock * MaxWidth];
        new Span<float>(partial, count * width).Clear();
        var i = 0;
        for (; i + (4 * width) <= n; i += 4 * width)
        {
            TVector w0 = TSimd.Zero, w1 = TSimd.Zero, w2 = TSimd.Zero, w3 = TSimd.Zero;
            for (var j = 0; j < count; j++)
            {
                var row = rows + ((long)index[j] * n) + i;
                var weight = TSimd.Broadcast(weights[j]);
                w0 = TSimd.MultiplyAdd(weight, TSimd.Load(row), w0);
                w1 = TSimd.MultiplyAdd(weight, TSimd.Load(row + width), w1);
                w2 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (2 * width)), w2);
                w3 = TSimd.MultiplyAdd(weight, TSimd.Load(row + (3 * width)), w3);
            }

            TSimd.Store(w + i, w0);
            TSimd.Store(w + i + width, w1);
            TSimd.Store(w + i + (2 * width), w2);
            TSimd.Store(w + i + (3 * width), w3);
            for (var j = 0; j < count; j++)
            {
                var row = rows + ((long)index[j] * n) + i;
                var low = TSimd.MultiplyAdd(
                    w1, TSimd.Load(row + width), TSimd.MultiplyAdd(w0, TSimd.Load(row), TSimd.Load(partial + (j * width))));
                var high = TSimd.MultiplyAdd(
                    w3, TSimd.Load(row + (3 * width)), TSimd.Multiply(w2, TSimd.Load(row + (2 * width))));
                TSimd.Store(partial + (j * width), TSimd.Add(low, high));
            }
        }

        for (var j = 0; j < count; j++)
        {
            dots[j] = TSimd.Sum(TSimd.Load(partial + (j * width)));
        }

        for (; i < n; i++)
        {
            var sum = 0f;
            for (var j = 0; j < count; j++)
            {
                sum = MathF.FusedMultiplyAdd(weights[j], rows[((long)index[j] * n) + i], sum);
            }

            w[i] = sum;
            for (var j = 0; j < count; j++)
            {
                dots[j] += sum * rows[((long)index[j] * n) + i];
            }
        }
    }
}
