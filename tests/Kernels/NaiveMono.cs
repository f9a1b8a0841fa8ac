namespace MonoLoss.Tests.Kernels;

/// <summary>
/// MonoScore and MonoLoss by their definition, a sum over pairs of rows in float64. It shares nothing with the code it checks.
/// </summary>
internal static class NaiveMono
{
    private const double RangeEpsilon = 1e-8;
    private const double SmallestPairWeight = 1e-8;
    private const double BatchDelta = 1e-8;

    public static double[] Column(float[] z, int column, int rows, int columns) =>
        [.. Enumerable.Range(0, rows).Select(row => (double)z[(row * columns) + column])];

    /// <summary>Σ_{i&lt;j} a_i a_j cos(x_i, x_j) / (Σ_{i&lt;j} a_i a_j + δ); 0 where the latent is not active.</summary>
    public static double Score(double[] z, float[] x, int rows, int d, double delta) =>
        ScoreOfActive(z, [.. x.Select(value => (double)value)], rows, d, delta) ?? 0;

    /// <summary>1 − the mean score over the active columns of z, rows×latents.</summary>
    public static double Loss(double[] z, double[] x, int rows, int d, int latents)
    {
        var scores = Enumerable.Range(0, latents)
            .Select(m => Enumerable.Range(0, rows).Select(row => z[(row * latents) + m]).ToArray())
            .Select(column => ScoreOfActive(column, x, rows, d, BatchDelta))
            .OfType<double>().ToArray();
        return scores.Length > 0 ? 1 - scores.Average() : 1;
    }

    /// <summary>The score; null if the weights of all pairs sum to 1e-8 or less.</summary>
    private static double? ScoreOfActive(double[] z, double[] x, int rows, int d, double delta)
    {
        double minimum = z.Min(), maximum = z.Max();
        if (maximum == minimum)
        {
            return null;
        }

        double numerator = 0, denominator = 0;
        for (var i = 0; i < rows; i++)
        {
            for (var j = i + 1; j < rows; j++)
            {
                double dot = 0, left = 0, right = 0;
                for (var k = 0; k < d; k++)
                {
                    dot += x[(i * d) + k] * x[(j * d) + k];
                    left += x[(i * d) + k] * x[(i * d) + k];
                    right += x[(j * d) + k] * x[(j * d) + k];
                }

                var range = maximum - minimum + RangeEpsilon;
                var weight = (z[i] - minimum) / range * (z[j] - minimum) / range;
                numerator += weight * dot / Math.Sqrt(left * right);
                denominator += weight;
            }
        }

        return denominator > SmallestPairWeight ? numerator / (denominator + delta) : null;
    }
}
