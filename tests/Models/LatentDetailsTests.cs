using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>What a report shows of latents, against plain loops over all activations.</summary>
public sealed class LatentDetailsTests
{
    private const int Latents = 11;
    private const int Rows = 400;

    [Theory]
    [InlineData(1, 1f)]
    [InlineData(2, 1e-3f)]
    [InlineData(3, 1e30f)]
    [InlineData(4, 1e-42f)]
    public void Histograms_have_the_narrowest_bins_that_hold_all_activations(int seed, float scale)
    {
        var random = new Random(seed);
        var z = Activations(random, scale);
        var bins = new ActivationBins(Latents);
        Feed(bins, z, random);
        for (var m = 0; m < Latents; m++)
        {
            var values = z.Select(row => (double)row[m]).Where(value => value > 0).ToList();
            var (width, counts) = bins.Of(m);
            Assert.Equal(values.Count, counts.Sum());
            if (values.Count == 0)
            {
                Assert.Equal(0, width);
                continue;
            }

            Assert.True(values.Max() < width * ActivationBins.Count);
            Assert.True(values.Max() >= width * ActivationBins.Count / 2);
            Assert.Equal(Math.Round(Math.Log2(width)), Math.Log2(width), 12);
            for (var i = 0; i < ActivationBins.Count; i++)
            {
                Assert.Equal(values.Count(value => value >= i * width && value < (i + 1) * width), counts[i]);
            }
        }
    }

    [Theory]
    [InlineData(int.MaxValue, long.MaxValue, 3)]
    [InlineData(400, long.MaxValue, 20)]
    [InlineData(int.MaxValue, 900, 20)]
    public void Latents_fire_together_as_often_as_plain_loops_count(int maxEntries, long maxPairs, int count)
    {
        var random = new Random(5);
        var z = Activations(random, 1);
        var together = new CoActivation(Latents, maxEntries, maxPairs);
        Feed(together, z, random);
        Assert.Equal(Rows, together.Rows);

        // What is kept are the rows with the least hashes.
        var kept = Enumerable.Range(0, Rows).OrderBy(row => LatentSamples.Hash(0, row)).Take(together.KeptRows)
            .Select(row => z[row]).ToList();
        Assert.True(kept.Sum(row => row.Count(value => value > 0)) <= maxEntries);
        Assert.True(kept.Sum(row => Math.Pow(row.Count(value => value > 0), 2)) <= maxPairs);
        Assert.InRange(kept.Count, maxEntries == int.MaxValue && maxPairs == long.MaxValue ? Rows : 1, Rows);
        var nearest = together.Nearest(count, TestContext.Current.CancellationToken);
        for (var m = 0; m < Latents; m++)
        {
            var expected = Enumerable.Range(0, Latents).Where(other => other != m)
                .Select(other => new CoActive(other, (double)kept.Count(row => row[m] > 0 && row[other] > 0)
                    / Math.Max(1, kept.Count(row => row[m] > 0 || row[other] > 0))))
                .Where(other => other.Jaccard > 0)
                .OrderByDescending(other => other.Jaccard).ThenBy(other => other.Latent).Take(count);
            Assert.Equal(expected, nearest[m]);
        }
    }

    [Fact]
    public void The_most_frequent_classes_are_those_of_plain_loops()
    {
        const int Classes = 6;
        var random = new Random(6);
        var z = Activations(random, 1);
        var labels = z.Select(_ => random.Next(-1, Classes)).ToArray();
        var purity = new ClassPurity(Latents, Classes);
        var (offsets, indices, values) = Sparse(z);
        var batch = new LabelBatch();
        foreach (var label in labels)
        {
            batch.Add(label < 0 ? [] : [label]);
        }

        purity.Add(offsets, indices, values, batch);
        foreach (var count in new[] { 0, 1, 3, 10 })
        {
            var lists = purity.MostFrequent(count);
            for (var m = 0; m < Latents; m++)
            {
                var expected = Enumerable.Range(0, Classes)
                    .Select(c => new ClassCount(c, Enumerable.Range(0, Rows).Count(row => z[row][m] > 0 && labels[row] == c)))
                    .Where(c => c.Rows > 0).OrderByDescending(c => c.Rows).ThenBy(c => c.Class).Take(count);
                Assert.Equal(expected, lists[m]);
            }
        }
    }

    // Latent 10 never fires, and each of the others less often than the one before; some values are not positive.
    private static float[][] Activations(Random random, float scale) => [.. Enumerable.Range(0, Rows).Select(_ =>
        Enumerable.Range(0, Latents).Select(m => m == Latents - 1 || random.Next(m + 1) > 0
            ? random.Next(4) == 0 ? -1f : 0f
            : scale * MathF.Pow(random.NextSingle(), 4) * (random.Next(20) == 0 ? 50 : 1)).ToArray())];

    private static void Feed(ILatentObserver observer, float[][] z, Random random)
    {
        for (var start = 0; start < z.Length;)
        {
            var count = Math.Min(random.Next(1, 60), z.Length - start);
            var (offsets, indices, values) = Sparse(z[start..(start + count)]);
            observer.Add(offsets, indices, values);
            start += count;
        }
    }

    private static (int[] Offsets, int[] Indices, float[] Values) Sparse(float[][] rows)
    {
        var entries = rows.Select(row => row.Index().Where(entry => entry.Item != 0).ToList()).ToList();
        var offsets = entries.Aggregate(new List<int> { 0 }, (ends, row) => [.. ends, ends[^1] + row.Count]);
        return ([.. offsets], [.. entries.SelectMany(row => row.Select(entry => entry.Index))],
            [.. entries.SelectMany(row => row.Select(entry => entry.Item))]);
    }
}
