using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Data;

/// <summary>
/// Scales rows to unit length: x ← x / (‖x‖₂ + 1e-8), norm and quotient in float64, rounded once. The sum is formed in eight
/// parts on every processor, so that the result is the same to the bit everywhere.
/// </summary>
public static class UnitLength
{
    private const double Epsilon = 1e-8;

    /// <summary>Scales a row in place; a row of zeros stays.</summary>
    /// <returns>False, and the row is unchanged, if it has a NaN or an infinity.</returns>
    public static bool TryScale(Span<float> row) => TryScale(row, out _);

    /// <summary>Scales a row in place; a row of zeros stays.</summary>
    /// <param name="row">The row.</param>
    /// <param name="divisor">What it was divided by.</param>
    /// <returns>False, and the row is unchanged, if it has a NaN or an infinity.</returns>
    public static bool TryScale(Span<float> row, out double divisor)
    {
        var squares = SumOfSquares(row);
        divisor = Math.Sqrt(squares) + Epsilon;
        if (!double.IsFinite(squares))
        {
            return false;
        }

        var divisors = Vector256.Create(divisor);
        ref var first = ref MemoryMarshal.GetReference(row);
        var i = 0;
        for (; i <= row.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var (low, high) = Vector256.Widen(Vector256.LoadUnsafe(ref first, (nuint)i));
            Vector256.Narrow(low / divisors, high / divisors).StoreUnsafe(ref first, (nuint)i);
        }

        for (; i < row.Length; i++)
        {
            row[i] = (float)(row[i] / divisor);
        }

        return true;
    }

    /// <summary>Whether a row is free of NaN and infinities.</summary>
    public static bool IsFinite(ReadOnlySpan<float> row) => double.IsFinite(SumOfSquares(row));

    // No sum of squares of finite float32 overflows a float64, so it is finite exactly when all elements are.
    private static double SumOfSquares(ReadOnlySpan<float> row)
    {
        var lowSum = Vector256<double>.Zero;
        var highSum = Vector256<double>.Zero;
        ref var first = ref MemoryMarshal.GetReference(row);
        var i = 0;
        for (; i <= row.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var (low, high) = Vector256.Widen(Vector256.LoadUnsafe(ref first, (nuint)i));
            lowSum += low * low;
            highSum += high * high;
        }

        var parts = lowSum + highSum;
        var sum = parts[0] + parts[1] + (parts[2] + parts[3]);
        for (; i < row.Length; i++)
        {
            sum += (double)Unsafe.Add(ref first, i) * Unsafe.Add(ref first, i);
        }

        return sum;
    }
}
