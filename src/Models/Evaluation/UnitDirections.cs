namespace MonoLoss.Models;

/// <summary>Directions as rows of unit length.</summary>
internal static class UnitDirections
{
    /// <summary>Scales rows to unit length; rows of zeros stay as they are.</summary>
    /// <param name="values">Rows of floats.</param>
    /// <param name="dimension">Floats in a row.</param>
    public static float[] Of(ReadOnlySpan<float> values, int dimension)
    {
        var result = new float[values.Length];
        for (var start = 0; start < values.Length; start += dimension)
        {
            var row = values.Slice(start, dimension);
            var norm = Math.Sqrt(Dot(row, row));
            for (var j = 0; norm > 0 && j < dimension; j++)
            {
                result[start + j] = (float)(row[j] / norm);
            }
        }

        return result;
    }

    /// <summary>The product of two rows in float64.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0.0;
        for (var j = 0; j < a.Length; j++)
        {
            sum += (double)a[j] * b[j];
        }

        return sum;
    }
}
