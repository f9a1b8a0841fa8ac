using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Stability of two dictionaries against loops in float64.</summary>
public sealed class StabilityTests
{
    private const int Dimension = 19;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(60, 60)]
    [InlineData(300, 270)]
    [InlineData(31, 300)]
    public void It_is_the_best_mean_cosine(int first, int second)
    {
        float[] a = Random(first, 1), b = Random(second, 2);
        using var device = DeviceFactory.Open("cpu");
        var stability = Stability.Of(device, a, b, Dimension, Stop);
        var cosines = Rows(first).Select(i => Rows(second).Select(j => Cosine(a, i, b, j)).ToArray()).ToArray();
        var costs = first <= second ? cosines : [.. Rows(second).Select(j => Rows(first).Select(i => cosines[i][j]).ToArray())];
        var best = -AssignmentTests.Hungarian(Array.ConvertAll(costs, row => Array.ConvertAll(row, cosine => -cosine)));

        // The matching is that of cosines rounded to 2⁻²⁴.
        Assert.Equal(best / costs.Length, stability.MeanCosine, 2e-7);
        Assert.Equal(costs.Length, stability.Pairs.Count);
        Assert.Equal(costs.Length, stability.Pairs.Select(pair => pair.First).Distinct().Count());
        Assert.Equal(costs.Length, stability.Pairs.Select(pair => pair.Second).Distinct().Count());
        Assert.All(stability.Pairs, pair => Assert.Equal(cosines[pair.First][pair.Second], pair.Cosine, 1e-6));
        Assert.Equal(stability.MeanCosine, Stability.Of(device, b, a, Dimension, Stop).MeanCosine, 2e-7);
    }

    [Fact]
    public void The_same_directions_in_another_order_and_of_other_lengths_are_found()
    {
        const int Latents = 500;
        var a = Random(Latents, 3);
        var order = Rows(Latents).ToArray();
        new Random(4).Shuffle(order);
        float[] b = [.. order.SelectMany((row, i) => a.Skip(row * Dimension).Take(Dimension).Select(value => value * (i + 1)))];
        using var device = DeviceFactory.Open("cpu");
        var stability = Stability.Of(device, a, b, Dimension, Stop);
        Assert.Equal(1, stability.MeanCosine, 1e-6);
        Assert.All(stability.Pairs, pair => Assert.Equal(pair.First, order[pair.Second]));
    }

    [Fact]
    public void Rows_of_zeros_have_cosine_0()
    {
        using var device = DeviceFactory.Open("cpu");
        var stability = Stability.Of(device, [0, 0, 3, 0], [0, 0, 2, 0], 2, Stop);
        Assert.Equal([new LatentPair(0, 0, 0), new LatentPair(1, 1, 1)], stability.Pairs);
        Assert.Equal(0.5, stability.MeanCosine);
    }

    [Fact]
    public void A_tied_decoder_is_the_encoder()
    {
        using var device = DeviceFactory.Open("cpu");
        var config = new SaeConfig { Architecture = Architecture.TopK, Dimension = Dimension, Latents = 40, K = 4 };
        using var tied = SparseAutoencoder.Create(device, config);
        using var untied = SparseAutoencoder.Create(device, config with { Untied = true, Latents = 30 });
        tied.Initialize(new Random(1));
        untied.Initialize(new Random(2));
        float[] Matrix(SparseAutoencoder model, string name) =>
            model.Parameters.Single(parameter => parameter.Name == name).Value.ToArray();
        Assert.Equal(
            Stability.Of(device, Matrix(tied, "W_enc"), Matrix(untied, "W_dec"), Dimension, Stop).Pairs,
            Stability.Of(tied, untied, Stop).Pairs);
        using var other = SparseAutoencoder.Create(device, config with { Dimension = 7 });
        Assert.Throws<ArgumentException>(() => Stability.Of(tied, other, Stop));
    }

    private static IEnumerable<int> Rows(int count) => Enumerable.Range(0, count);

    private static float[] Random(int rows, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows * Dimension).Select(_ => (random.NextSingle() * 2) - 1)];
    }

    private static double Cosine(float[] a, int i, float[] b, int j)
    {
        double dot = 0, x = 0, y = 0;
        for (var d = 0; d < Dimension; d++)
        {
            var (p, q) = ((double)a[(i * Dimension) + d], (double)b[(j * Dimension) + d]);
            dot += p * q;
            x += p * p;
            y += q * q;
        }

        return dot / Math.Sqrt(x * y);
    }
}
