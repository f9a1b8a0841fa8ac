using MonoLoss.Cli;

namespace MonoLoss.Tests.Cli;

/// <summary>The interval of a difference of means.</summary>
public sealed class BootstrapTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    [InlineData(100, 3)]
    public void Interval_is_that_of_a_naive_bootstrap(int latents, int seeds)
    {
        var pairs = Pairs(latents, seeds);
        var random = new Random(Bootstrap.Seed);
        double Draw(double[] values) => values.Select(_ => values[random.Next(values.Length)]).ToList().Sum() / values.Length;
        var differences = new List<double>();
        for (var i = 0; i < Bootstrap.Replicates; i++)
        {
            var total = 0.0;
            foreach (var (values, baseline) in pairs)
            {
                var mean = Draw(values);
                total += mean - Draw(baseline);
            }

            differences.Add(total / seeds);
        }

        differences.Sort();
        double Quantile(double share)
        {
            var position = share * (differences.Count - 1);
            var below = (int)position;
            return differences[below] + ((position - below) * (differences[below + 1] - differences[below]));
        }

        var gain = Bootstrap.Of(pairs);
        Assert.Equal(pairs.Average(pair => pair.Values.Average()) - pairs.Average(pair => pair.Baseline.Average()), gain.Value, 1e-12);
        Assert.Equal(Quantile(0.025), gain.Low, 1e-12);
        Assert.Equal(Quantile(0.975), gain.High, 1e-12);
    }

    [Fact]
    public void Interval_of_many_latents_is_that_of_the_normal_distribution()
    {
        var pairs = Pairs(latents: 2000, seeds: 1);
        double Variance(double[] values)
        {
            var mean = values.Average();
            return values.Average(value => (value - mean) * (value - mean)) / values.Length;
        }

        var half = 1.96 * Math.Sqrt(Variance(pairs[0].Values) + Variance(pairs[0].Baseline));
        var gain = Bootstrap.Of(pairs);
        Assert.Equal(gain.Value - half, gain.Low, 0.15 * half);
        Assert.Equal(gain.Value + half, gain.High, 0.15 * half);
    }

    [Fact]
    public void Latents_that_are_all_alike_have_an_interval_without_width() =>
        Assert.Equal(new Gain(0.25, 0.25, 0.25), Bootstrap.Of([([0.5, 0.5, 0.5], [0.25])]));

    private static List<(double[] Values, double[] Baseline)> Pairs(int latents, int seeds)
    {
        var random = new Random(3);
        return
        [
            .. Enumerable.Range(0, seeds).Select(_ => (
                Enumerable.Range(0, latents).Select(_ => random.NextDouble() * random.NextDouble()).ToArray(),
                Enumerable.Range(0, latents + 2).Select(_ => random.NextDouble() * 0.3).ToArray())),
        ];
    }
}
