using System.Globalization;
using System.Numerics;

namespace MonoLoss.Data.Parquet;

/// <summary>The float32 nearest to an integer or a decimal. A way over float64 would round twice.</summary>
internal static class FloatRounding
{
    private const int DoubleBits = 53;

    // Powers of ten up to this are exact in float64.
    private const int ExactPower = 22;

    private static readonly double[] Powers = [.. Enumerable.Range(0, ExactPower + 1).Select(power => (double)BigInteger.Pow(10, power))];

    /// <summary>The float32 nearest to an integer.</summary>
    public static float FromInteger(Int128 value)
    {
        var magnitude = UInt128.CreateTruncating(Int128.IsNegative(value) ? -value : value);
        var shift = Math.Max(0, 128 - (int)UInt128.LeadingZeroCount(magnitude) - DoubleBits);
        var top = (ulong)(magnitude >> shift);
        // The bits cut off can matter only where what is left is half way between two floats.
        var sticky = top | (magnitude != (UInt128)top << shift ? 1u : 0u);
        var result = (float)Math.ScaleB((double)sticky, shift);
        return Int128.IsNegative(value) ? -result : result;
    }

    /// <summary>The float32 nearest to <paramref name="unscaled"/> / 10^<paramref name="scale"/>.</summary>
    public static float FromDecimal(long unscaled, int scale)
    {
        if (scale > ExactPower || Int128.Abs(unscaled) >> DoubleBits != 0)
        {
            return FromDecimal((BigInteger)unscaled, scale);
        }

        double numerator = unscaled;
        var quotient = numerator / Powers[scale];
        var rest = Math.FusedMultiplyAdd(-quotient, Powers[scale], numerator);
        if (rest != 0)
        {
            // Rounded to odd: towards zero, then the last bit set. Rounding that to float32 is as rounding the exact quotient.
            var isTooFar = (rest > 0) != (quotient > 0);
            var bits = BitConverter.DoubleToUInt64Bits(quotient) - (isTooFar ? 1u : 0u);
            quotient = BitConverter.UInt64BitsToDouble(bits | 1);
        }

        return (float)quotient;
    }

    /// <inheritdoc cref="FromDecimal(long, int)"/>
    public static float FromDecimal(BigInteger unscaled, int scale) => float.Parse(
        string.Create(CultureInfo.InvariantCulture, $"{unscaled}e-{scale}"), NumberStyles.Float, CultureInfo.InvariantCulture);
}
