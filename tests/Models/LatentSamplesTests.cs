using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Samples of latents against a sort of all activations.</summary>
public sealed class LatentSamplesTests
{
    private const int Latents = 9;
    private const int Rows = 1200;

    [Theory]
    [InlineData(1, 100, 7)]
    [InlineData(3, 5, 64)]
    [InlineData(9, 1000, 1200)]
    [InlineData(100, 4, 1)]
    public void They_are_those_of_a_sort(int count, int values, int batch)
    {
        // Few values, so that there are ties; latent 8 never fires, and each latent half as often as the one before.
        var random = new Random(count);
        var z = new float[Rows, Latents];
        for (var row = 0; row < Rows; row++)
        {
            for (var m = 0; m < Latents - 1; m++)
            {
                z[row, m] = random.Next(1 << m) == 0 ? random.Next(-1, values + 1) / 8f : 0;
            }
        }

        var samples = new LatentSamples(Latents, count);
        for (var start = 0; start < Rows; start += batch)
        {
            Add(samples, z, start, Math.Min(batch, Rows - start));
        }

        Assert.Equal(Rows, samples.Rows);
        Assert.Equal(Enumerable.Range(0, Latents).SelectMany(m => Naive(z, m, count)), samples.All());
        Assert.Empty(samples.Of(Latents - 1));
    }

    [Theory]
    [InlineData(30)]
    [InlineData(31)]
    [InlineData(64)]
    public void The_middle_of_a_latent_that_fires_seldom_is_that_of_all_its_rows(int rows)
    {
        const int Count = 4;
        var samples = new LatentSamples(1, Count);
        var order = Enumerable.Range(1, rows).ToArray();
        new Random(1).Shuffle(order);
        samples.Add([.. Enumerable.Range(0, rows + 1)], new int[rows], Array.ConvertAll(order, value => (float)value));
        var middle = samples.Of(0).Where(sample => sample.Rank == SampleRank.Middle).Select(sample => (int)sample.Activation);
        var first = ((rows - Count) / 2) + 1;
        var start = rows % 2 == 0 ? first : first + 1;
        Assert.Equal(Enumerable.Range(start, Count).Reverse(), middle);
        Assert.All(samples.All(), sample => Assert.Equal(order[sample.Row], sample.Activation));
    }

    [Fact]
    public void Extreme_and_undefined_activations_have_their_place()
    {
        float[] z = [float.Epsilon, float.MaxValue, float.PositiveInfinity, float.NaN, -1, -0f, 1];
        var samples = new LatentSamples(1, 2);
        samples.Add([.. Enumerable.Range(0, z.Length + 1)], new int[z.Length], z);
        Assert.Equal(
            [
                new(0, SampleRank.Top, 2, float.PositiveInfinity), new(0, SampleRank.Top, 1, float.MaxValue),
                new(0, SampleRank.Bottom, 6, 1), new(0, SampleRank.Bottom, 0, float.Epsilon),
            ],
            samples.All());
    }

    private static void Add(LatentSamples samples, float[,] z, int start, int count)
    {
        var (offsets, indices, values) = (new List<int> { 0 }, new List<int>(), new List<float>());
        for (var row = start; row < start + count; row++)
        {
            for (var m = 0; m < Latents; m++)
            {
                if (z[row, m] != 0)
                {
                    indices.Add(m);
                    values.Add(z[row, m]);
                }
            }

            offsets.Add(values.Count);
        }

        samples.Add([.. offsets], [.. indices], [.. values]);
    }

    private static IEnumerable<LatentSample> Naive(float[,] z, int latent, int count)
    {
        var fires = Enumerable.Range(0, Rows).Where(row => z[row, latent] > 0).ToList();
        var top = fires.OrderByDescending(row => z[row, latent]).ThenBy(row => row).Take(count).ToList();
        var bottom = fires.OrderBy(row => z[row, latent]).ThenBy(row => row).Take(count).Except(top).ToList();
        var drawn = fires.OrderBy(row => LatentSamples.Hash(latent, row)).Take(count * LatentSamples.PoolPerSample)
            .Except(top).Except(bottom).OrderByDescending(row => z[row, latent]).ThenBy(row => row).ToList();
        var middle = drawn.Skip(Math.Max(0, (drawn.Count - count) / 2)).Take(count);
        return top.Select(row => (Row: row, Rank: SampleRank.Top))
            .Concat(middle.Select(row => (Row: row, Rank: SampleRank.Middle)))
            .Concat(bottom.OrderByDescending(row => z[row, latent]).ThenBy(row => row).Select(row => (Row: row, Rank: SampleRank.Bottom)))
            .Select(sample => new LatentSample(latent, sample.Rank, sample.Row, z[sample.Row, latent]));
    }
}
