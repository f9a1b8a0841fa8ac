using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Class purity against plain loops over rows.</summary>
public sealed class ClassPurityTests
{
    private const int Latents = 7;
    private const int Rows = 500;

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 3)]
    [InlineData(1_000_000, 2)]
    public void Purity_is_that_of_plain_loops(int classes, int mostLabels)
    {
        var random = new Random(classes + mostLabels);
        var labels = Enumerable.Range(0, Rows)
            .Select(_ => Enumerable.Range(0, random.Next(mostLabels + 1)).Select(_ => random.Next(classes)).ToArray()).ToArray();
        // Multiples of a power of two, so that sums do not depend on their order; latent 6 never fires.
        var z = Enumerable.Range(0, Rows * Latents).Select(i => i % Latents == 6 ? 0 : random.Next(-4, 5) / 8f).ToArray();

        var purity = new ClassPurity(Latents, classes);
        Add(purity, z, labels);
        for (var m = 0; m < Latents; m++)
        {
            var fires = Enumerable.Range(0, Rows).Where(row => z[(row * Latents) + m] > 0 && labels[row].Length > 0).ToArray();
            if (fires.Length == 0)
            {
                Assert.Null(purity.Of(m));
                continue;
            }

            var all = fires.SelectMany(row => labels[row].Distinct().Select(label => (Label: label, Z: (double)z[(row * Latents) + m])))
                .GroupBy(pair => pair.Label).OrderBy(group => group.Key).ToArray();
            var most = all.MaxBy(group => group.Count())!;
            var mass = fires.Sum(row => (double)z[(row * Latents) + m]);
            var expected = new LatentPurity(
                most.Key, (double)most.Count() / fires.Length, all.Max(group => group.Sum(pair => pair.Z)) / mass);
            Assert.Equal(expected, purity.Of(m));
        }
    }

    [Fact]
    public void Beyond_the_limit_of_pairs_there_is_no_purity()
    {
        var labels = Enumerable.Range(0, Rows).Select(row => new[] { row }).ToArray();
        var purity = new ClassPurity(Latents, Rows, limit: 100);
        Add(purity, [.. Enumerable.Repeat(1f, Rows * Latents)], labels);
        Assert.True(purity.IsOverLimit);
        Assert.All(Enumerable.Range(0, Latents), m => Assert.Null(purity.Of(m)));
    }

    // All entries, zeros included, in batches of 64 rows.
    private static void Add(ClassPurity purity, float[] z, int[][] labels)
    {
        for (var start = 0; start < Rows; start += 64)
        {
            var count = Math.Min(64, Rows - start);
            var batch = new LabelBatch();
            foreach (var row in labels[start..(start + count)])
            {
                batch.Add(row);
            }

            purity.Add(
                [.. Enumerable.Range(0, count + 1).Select(row => row * Latents)],
                [.. Enumerable.Range(0, count * Latents).Select(i => i % Latents)],
                z.AsSpan(start * Latents, count * Latents),
                batch);
        }
    }
}
