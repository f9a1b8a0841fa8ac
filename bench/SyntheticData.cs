using MonoLoss.Data;

namespace MonoLoss.Bench;

/// <summary>Made-up features and latents: always the same for the same seed.</summary>
internal static class SyntheticData
{
    // Rows gather around directions, as features of images do; peer.py draws its rows in the same way.
    private const int Directions = 64;
    private const double Shared = 0.6;
    private const double Own = 0.8;

    /// <summary>Rows of unit length around a few common directions.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="features">D.</param>
    /// <param name="seed">Which.</param>
    public static float[] UnitRows(int rows, int features, int seed)
    {
        var random = new Random(seed);
        var directions = new double[Directions * features];
        for (var i = 0; i < directions.Length; i++)
        {
            directions[i] = Normal(random);
        }

        var x = new float[rows * features];
        var row = new double[features];
        for (var i = 0; i < rows; i++)
        {
            var direction = directions.AsSpan(random.Next(Directions) * features, features);
            var squares = 0.0;
            for (var d = 0; d < features; d++)
            {
                row[d] = (Shared * direction[d]) + (Own * Normal(random));
                squares += row[d] * row[d];
            }

            var scale = 1 / Math.Sqrt(squares);
            for (var d = 0; d < features; d++)
            {
                x[(i * features) + d] = (float)(row[d] * scale);
            }
        }

        return x;
    }

    /// <summary>DeviceScalars uniform in ±<paramref name="bound"/>.</summary>
    public static float[] Uniform(long count, float bound, int seed)
    {
        var random = new Xoshiro256((ulong)seed);
        var values = new float[count];
        FillUniform(values, bound, ref random);
        return values;
    }

    /// <summary>Fills a span with numbers uniform in ±<paramref name="bound"/>.</summary>
    public static void FillUniform(Span<float> values, float bound, ref Xoshiro256 random)
    {
        const float Unit = 1f / (1L << 31);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = ((int)(random.Next() >> 32)) * Unit * bound;
        }
    }

    /// <summary>Exactly k active latents a row, one in each k-th of the latents, with values in 0 … 1.</summary>
    /// <param name="indices">Rows × k; becomes the latents, ascending in a row.</param>
    /// <param name="values">Rows × k; becomes the values.</param>
    /// <param name="latents">M, a multiple of k.</param>
    /// <param name="k">k.</param>
    /// <param name="random">Draws them.</param>
    public static void FillActive(Span<int> indices, Span<float> values, int latents, int k, ref Xoshiro256 random)
    {
        const float Unit = 1f / (1 << 24);
        var stride = latents / k;
        for (var i = 0; i < indices.Length; i++)
        {
            var bits = random.Next();
            indices[i] = ((i % k) * stride) + (int)((bits & uint.MaxValue) % (uint)stride);
            // Never 0: an active latent is positive.
            values[i] = ((bits >> 40) + 1) * Unit;
        }
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
