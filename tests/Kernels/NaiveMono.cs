namespace MonoLoss.Tests.Kernels;

/// <summary>MonoScore as it is defined: a sum over pairs of rows, in float64.</summary>
internal static class NaiveMono
{
    public static double[] Column(float[] z, int column, int rows, int columns) =>
        [.. Enumerable.Range(0, rows).Select(row => (double)z[(row * columns) + column])];

    /// <summary>Σ_{i&lt;j} a_i a_j cos(x_i, x_j) / (Σ_{i&lt;j} a_i a_j + δ); 0 where the pairs weigh no more than 1e-8.</summary>
    public static double Score(double[] z, float[] x, int rows, int d, double addend)
    {
        double minimum = z.Min(), maximum = z.Max();
        if (maximum == minimum)
        {
            return 0;
        }

        double numerator = 0, denominator = 0;
        for (var i = 0; i < rows; i++)
        {
            for (var j = i + 1; j < rows; j++)
            {
                double dot = 0, left = 0, right = 0;
                for (var k = 0; k < d; k++)
                {
                    dot += (double)x[(i * d) + k] * x[(j * d) + k];
                    left += (double)x[(i * d) + k] * x[(i * d) + k];
                    right += (double)x[(j * d) + k] * x[(j * d) + k];
                }

                var weight = (z[i] - minimum) / (maximum - minimum + 1e-8) * (z[j] - minimum) / (maximum - minimum + 1e-8);
                numerator += weight * dot / Math.Sqrt(left * right);
                denominator += weight;
            }
        }

        return denominator > 1e-8 ? numerator / (denominator + addend) : 0;
    }
}
