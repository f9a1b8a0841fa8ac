using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Selects values from arrays. No value is negative, so values are ordered as their bits are as integers. Arrays are written, and may be
/// read, up to <see cref="Slack"/> elements beyond their contents.
/// </summary>
internal static unsafe class ValueSelection
{
    /// <summary>The number of elements that must exist beyond the end of an array.</summary>
    public const int Slack = 16;

    /// <summary>Appends the values of max(from + bias, 0) above a bound, with their indices; NaN is not above it.</summary>
    /// <param name="isa">The instructions to use.</param>
    /// <param name="from">Values.</param>
    /// <param name="bias">Added to them; null for 0.</param>
    /// <param name="count">The number of values.</param>
    /// <param name="bound">The bound, not negative.</param>
    /// <param name="index">The index of the first value.</param>
    /// <param name="values">Where to append values.</param>
    /// <param name="indices">Where to append indices.</param>
    /// <returns>The number appended.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AppendAbove(GemmIsa isa, float* from, float* bias, int count, float bound, int index, float* values, int* indices)
    {
        var appended = 0;
        var i = 0;
        if (isa == GemmIsa.Avx512)
        {
            var bounds = Vector512.Create(bound);
            for (; i + 16 <= count; i += 16)
            {
                var value = Vector512.Load(from + i);
                if (bias is not null)
                {
                    value += Vector512.Load(bias + i);
                }

                var above = Vector512.GreaterThan(value, bounds);
                appended += Append(value, above, index + i, values + appended, indices + appended);
            }
        }
        else
        {
            var bounds = Vector256.Create(bound);
            for (; i + 8 <= count; i += 8)
            {
                var value = Vector256.Load(from + i);
                if (bias is not null)
                {
                    value += Vector256.Load(bias + i);
                }

                var above = Vector256.GreaterThan(value, bounds);
                appended += Append(value, above, index + i, values + appended, indices + appended);
            }
        }

        for (; i < count; i++)
        {
            var value = bias is null ? from[i] : from[i] + bias[i];
            if (value > bound)
            {
                values[appended] = value;
                indices[appended++] = index + i;
            }
        }

        return appended;
    }

    /// <summary>The same with one bound per value. A negative bound lets the zeros of max(from + bias, 0) pass.</summary>
    /// <param name="isa">The instructions to use.</param>
    /// <param name="from">Values.</param>
    /// <param name="bias">Added to them; null for 0.</param>
    /// <param name="count">The number of values.</param>
    /// <param name="bounds">One bound per value.</param>
    /// <param name="index">The index of the first value.</param>
    /// <param name="values">Where to append values.</param>
    /// <param name="indices">Where to append indices.</param>
    /// <returns>The number appended.</returns>
    public static int AppendAbove(GemmIsa isa, float* from, float* bias, int count, float* bounds, int index, float* values, int* indices)
    {
        var appended = 0;
        var i = 0;
        if (isa == GemmIsa.Avx512)
        {
            for (; i + 16 <= count; i += 16)
            {
                var value = Vector512.Load(from + i);
                if (bias is not null)
                {
                    value += Vector512.Load(bias + i);
                }

                value = Vector512.ConditionalSelect(Vector512.LessThan(value, Vector512<float>.Zero), Vector512<float>.Zero, value);
                var above = Vector512.GreaterThan(value, Vector512.Load(bounds + i));
                appended += Append(value, above, index + i, values + appended, indices + appended);
            }
        }
        else
        {
            for (; i + 8 <= count; i += 8)
            {
                var value = Vector256.Load(from + i);
                if (bias is not null)
                {
                    value += Vector256.Load(bias + i);
                }

                value = Vector256.ConditionalSelect(Vector256.LessThan(value, Vector256<float>.Zero), Vector256<float>.Zero, value);
                var above = Vector256.GreaterThan(value, Vector256.Load(bounds + i));
                appended += Append(value, above, index + i, values + appended, indices + appended);
            }
        }

        for (; i < count; i++)
        {
            var value = bias is null ? from[i] : from[i] + bias[i];
            value = value < 0 ? 0 : value;
            if (value > bounds[i])
            {
                values[appended] = value;
                indices[appended++] = index + i;
            }
        }

        return appended;
    }

    /// <summary>Keeps the k largest values in their present order; among equals, the first.</summary>
    /// <param name="isa">The instructions to use.</param>
    /// <param name="values">Values.</param>
    /// <param name="indices">Their indices, which move with them.</param>
    /// <param name="count">Their number, more than k.</param>
    /// <param name="k">The number to keep, at least 1.</param>
    /// <param name="below">In: less than every value, at least 0. Out: less than the k-th largest value.</param>
    /// <param name="bound">A later value must be above this to be among the k largest.</param>
    public static void KeepLargest(GemmIsa isa, float* values, int* indices, int count, int k, ref float below, out float bound)
    {
        var low = BitConverter.SingleToInt32Bits(below);
        var high = BitConverter.SingleToInt32Bits(Max(isa, values, count));
        if (Bisect(isa, values, count, k, ref low, ref high))
        {
            below = BitConverter.Int32BitsToSingle(low);
            bound = below;
            KeepAbove(isa, values, indices, count, below);
            return;
        }

        // `high` is the k-th largest value, and too many values equal it.
        below = BitConverter.Int32BitsToSingle(low);
        bound = BitConverter.Int32BitsToSingle(high);
        var ties = k - (int)CountAbove(isa, values, count, bound);
        var kept = 0;
        for (var i = 0; i < count; i++)
        {
            if (values[i] > bound || (values[i] == bound && ties-- > 0))
            {
                values[kept] = values[i];
                indices[kept++] = indices[i];
            }
        }
    }

    /// <summary>Keeps, in their present order, the upper bounds whose values may be among the k largest.</summary>
    /// <param name="isa">The instructions to use.</param>
    /// <param name="values">Values.</param>
    /// <param name="indices">Their indices, which move with them.</param>
    /// <param name="count">Their number, more than k.</param>
    /// <param name="k">The number, at least 1.</param>
    /// <param name="slack">The most by which a bound exceeds its value, apart from <see cref="Int16Prefilter.Rounding"/>.</param>
    /// <param name="bound">In: less than every value. Out: what any further value must exceed.</param>
    /// <returns>The number kept, at least k.</returns>
    public static int KeepContenders(GemmIsa isa, float* values, int* indices, int count, int k, float slack, ref float bound)
    {
        var low = BitConverter.SingleToInt32Bits(bound);
        var high = BitConverter.SingleToInt32Bits(Max(isa, values, count));
        var cut = BitConverter.Int32BitsToSingle(Bisect(isa, values, count, k, ref low, ref high) ? low : high);
        bound = MathF.Max(bound, BelowAll(cut, slack));
        return KeepAbove(isa, values, indices, count, bound);
    }

    /// <summary>Less than the least value that an upper bound may stand for, but not negative.</summary>
    public static float BelowAll(float value, float slack) =>
        MathF.Max(0, MathF.BitDecrement((value * (1 - Int16Prefilter.Rounding)) - slack));

    /// <summary>Keeps the values above a bound in their present order; NaN is not above it.</summary>
    /// <returns>The number kept.</returns>
    public static int KeepAbove(GemmIsa isa, float* values, int* indices, int count, float bound)
    {
        var kept = 0;
        var i = 0;
        if (isa == GemmIsa.Avx512)
        {
            var bounds = Vector512.Create(bound);
            for (; i + 16 <= count; i += 16)
            {
                var value = Vector512.Load(values + i);
                var index = Vector512.Load(indices + i);
                var above = Vector512.GreaterThan(value, bounds);
                Avx512F.Compress(Vector512<float>.Zero, above, value).Store(values + kept);
                Avx512F.Compress(Vector512<int>.Zero, above.AsInt32(), index).Store(indices + kept);
                kept += BitOperations.PopCount(above.ExtractMostSignificantBits());
            }
        }

        for (; i < count; i++)
        {
            if (values[i] > bound)
            {
                values[kept] = values[i];
                indices[kept++] = indices[i];
            }
        }

        return kept;
    }

    /// <summary>Counts the values above a bound.</summary>
    public static long CountAbove(GemmIsa isa, float* values, long count, float bound)
    {
        var above = 0L;
        var i = 0L;
        if (isa == GemmIsa.Avx512)
        {
            var bounds = Vector512.Create(bound);
            for (; i + 16 <= count; i += 16)
            {
                above += BitOperations.PopCount(Vector512.GreaterThan(Vector512.Load(values + i), bounds).ExtractMostSignificantBits());
            }

            if (i < count)
            {
                var mask = Vector512.GreaterThan(Vector512.Load(values + i), bounds).ExtractMostSignificantBits();
                above += BitOperations.PopCount(mask & ((1UL << (int)(count - i)) - 1));
            }

            return above;
        }

        var sums = Vector256<int>.Zero;
        for (; i + 8 <= count; i += 8)
        {
            sums -= Vector256.GreaterThan(Vector256.Load(values + i), Vector256.Create(bound)).AsInt32();
        }

        above = Vector256.Sum(sums);
        for (; i < count; i++)
        {
            above += values[i] > bound ? 1 : 0;
        }

        return above;
    }

    /// <summary>The largest of non-negative values; 0 if there are none.</summary>
    public static float Max(GemmIsa isa, float* values, long count)
    {
        float max;
        var i = 0L;
        if (isa == GemmIsa.Avx512)
        {
            var maxima = Vector512<float>.Zero;
            for (; i + 16 <= count; i += 16)
            {
                maxima = Avx512F.Max(maxima, Vector512.Load(values + i));
            }

            max = Largest(Vector256.MaxNumber(maxima.GetLower(), maxima.GetUpper()));
        }
        else
        {
            var maxima = Vector256<float>.Zero;
            for (; i + 8 <= count; i += 8)
            {
                maxima = Vector256.MaxNumber(maxima, Vector256.Load(values + i));
            }

            max = Largest(maxima);
        }

        for (; i < count; i++)
        {
            max = Math.Max(max, values[i]);
        }

        return max;
    }

    private static float Largest(Vector256<float> values)
    {
        var largest = values[0];
        for (var lane = 1; lane < 8; lane++)
        {
            largest = Math.Max(largest, values[lane]);
        }

        return largest;
    }

    /// <summary>
    /// Narrows down the k-th largest value by bisection on its bits: more than k values are above <paramref name="low"/> and fewer than k
    /// above
    /// <paramref name="high"/>; or exactly k are above <paramref name="low"/>, and it returns true.
    /// </summary>
    private static bool Bisect(GemmIsa isa, float* values, int count, int k, ref int low, ref int high)
    {
        while (high - low > 1)
        {
            var middle = low + ((high - low) / 2);
            var above = CountAbove(isa, values, count, BitConverter.Int32BitsToSingle(middle));
            if (above == k)
            {
                low = middle;
                return true;
            }

            if (above > k)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Append(Vector512<float> value, Vector512<float> above, int index, float* values, int* indices)
    {
        var mask = above.ExtractMostSignificantBits();
        if (mask == 0)
        {
            return 0;
        }

        Avx512F.Compress(Vector512<float>.Zero, above, value).Store(values);
        Avx512F.Compress(Vector512<int>.Zero, above.AsInt32(), Vector512<int>.Indices + Vector512.Create(index)).Store(indices);
        return BitOperations.PopCount(mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Append(Vector256<float> value, Vector256<float> above, int index, float* values, int* indices)
    {
        var mask = above.ExtractMostSignificantBits();
        var appended = 0;
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            values[appended] = value[lane];
            indices[appended++] = index + lane;
        }

        return appended;
    }
}
