namespace MonoLoss.Data;

/// <summary>Normally and uniformly distributed random numbers for synthetic data: the same on every machine and version.</summary>
/// <param name="seed">The seed.</param>
/// <param name="stream">Which of the seed's many sequences.</param>
public sealed class GaussianRandom(ulong seed, ulong stream = 0)
{
    private Xoshiro256 _random = new(seed, stream);

    /// <summary>A uniformly distributed number in [0, 1).</summary>
    public double Uniform() => (_random.Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A standard normal number, by the Box–Muller transform.</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    /// <summary>An integer in 0 … <paramref name="count"/> − 1.</summary>
    public int Choose(int count) => (int)_random.Next((ulong)count);

    /// <summary>Vectors of length 1 with uniformly distributed directions.</summary>
    /// <param name="count">The number of vectors.</param>
    /// <param name="dimension">The number of values in each.</param>
    public double[][] UnitVectors(int count, int dimension)
    {
        var vectors = new double[count][];
        for (var i = 0; i < count; i++)
        {
            vectors[i] = [.. Enumerable.Range(0, dimension).Select(_ => Normal())];
            var length = Math.Sqrt(vectors[i].Sum(value => value * value));
            vectors[i] = [.. vectors[i].Select(value => value / length)];
        }

        return vectors;
    }
}
