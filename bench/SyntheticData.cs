using MonoLoss.Data;

namespace MonoLoss.Bench;

/// <summary>Synthetic features and latents; the same seed gives the same data.</summary>
internal static class SyntheticData
{
    // Rows cluster around directions, as features of images do; peer.py draws its rows in the same way.
    private const int Directions = 64;
    private const double Shared = 0.6;
    private const double Own = 0.8;

    /// <summary>Rows of unit length around a few common directions.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <param name="features">D.</param>
    /// <param name="seed">The random seed.</param>
    public static float[] UnitRows(int rows, int features, int seed)
    {
        var random = new GaussianRandom((ulong)seed);
        var directions = random.UnitVectors(Directions, features);
        var noise = Own / Math.Sqrt(features);
        var x = new float[rows * features];
        var row = new double[features];
        for (var i = 0; i < rows; i++)
        {
            var direction = directions[random.Choose(Directions)];
            var squares = 0.0;
            for (var d = 0; d < features; d++)
            {
                row[d] = (Shared * direction[d]) + (noise * random.Normal());
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

    /// <summary>Numbers uniform in ±<paramref name="bound"/>.</summary>
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

    /// <summary>Exactly k active latents per row, one in each k-th of the latents, with values in (0, 1].</summary>
    /// <param name="indices">Rows × k; receives the latents, ascending within a row.</param>
    /// <param name="values">Rows × k; receives the values.</param>
    /// <param name="latents">M, a multiple of k.</param>
    /// <param name="k">k.</param>
    /// <param name="random">The source of random numbers.</param>
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
}
