using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Models;

/// <summary>What comparisons of directions have in common: rows of a matrix that are compared by cosine.</summary>
internal static class Directions
{
    /// <summary>A row of a matrix.</summary>
    public static ReadOnlySpan<float> Row(ReadOnlySpan<float> values, int row, int dimension) =>
        values.Slice(row * dimension, dimension);

    /// <summary>Scales rows to unit length; rows of zeros stay.</summary>
    /// <param name="values">Rows of <paramref name="dimension"/> values.</param>
    /// <param name="dimension">D.</param>
    /// <param name="result">Becomes the unit rows; as long as the values.</param>
    /// <param name="norms">Becomes the length of every row, in float64; may be empty.</param>
    public static void UnitRows(ReadOnlySpan<float> values, int dimension, Span<float> result, Span<double> norms = default)
    {
        for (var (start, i) = (0, 0); start < values.Length; start += dimension, i++)
        {
            var row = values.Slice(start, dimension);
            var norm = Math.Sqrt(Dot(row, row));
            for (var j = 0; j < dimension; j++)
            {
                result[start + j] = norm > 0 ? (float)(row[j] / norm) : 0;
            }

            if (!norms.IsEmpty)
            {
                norms[i] = norm;
            }
        }
    }

    /// <summary>Σ a·b in float64, in eight parts on every processor: the same to the bit everywhere.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var (low, high) = (Vector256<double>.Zero, Vector256<double>.Zero);
        var x = MemoryMarshal.Cast<float, Vector256<float>>(a);
        var y = MemoryMarshal.Cast<float, Vector256<float>>(b);
        for (var i = 0; i < x.Length; i++)
        {
            var (xLow, xHigh) = Vector256.Widen(x[i]);
            var (yLow, yHigh) = Vector256.Widen(y[i]);
            low += xLow * yLow;
            high += xHigh * yHigh;
        }

        var parts = low + high;
        var sum = parts[0] + parts[1] + (parts[2] + parts[3]);
        for (var i = x.Length * Vector256<float>.Count; i < a.Length; i++)
        {
            sum += (double)a[i] * b[i];
        }

        return sum;
    }
}
