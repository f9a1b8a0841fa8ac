using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Nearest rows and near-duplicates against loops in float64.</summary>
public sealed class NearestDirectionsTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Device => Environment.GetEnvironmentVariable("MONOLOSS_TEST_DEVICE") ?? "cpu";

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(30, 70, 19, 5)]
    [InlineData(7, 3, 8, 10)]
    [InlineData(1100, 2300, 33, 4)]
    public void They_are_those_of_all_cosines(int queries, int table, int dimension, int count)
    {
        var (a, b) = (Random(queries, dimension, 1), Random(table, dimension, 2));
        using var device = DeviceFactory.Open(Device);
        Check(Naive(a, b, dimension, count), NearestDirections.Find(device, a, b, dimension, count, stop: Stop));
    }

    [Fact]
    public void Ties_go_to_the_lower_index_and_rows_of_zeros_have_cosine_0()
    {
        const int Dimension = 37, Rows = 2500;
        var (a, b) = (Random(40, Dimension, 3), Random(Rows, Dimension, 4));

        // Every row is there three times, one of them twice as long, and some are zeros: all else of a query is at an angle above 90°.
        for (var i = 0; i < Rows / 3; i++)
        {
            b.AsSpan(i * Dimension, Dimension).CopyTo(b.AsSpan((i + (Rows / 3)) * Dimension));
            for (var j = 0; j < Dimension; j++)
            {
                b[((Rows - 1 - i) * Dimension) + j] = 2 * b[(i * Dimension) + j];
            }
        }

        foreach (var zero in new[] { 5, 17, 900, Rows - 1 })
        {
            b.AsSpan(zero * Dimension, Dimension).Clear();
        }

        a.AsSpan(3 * Dimension, Dimension).Clear();
        for (var row = 0; row < Rows; row++)
        {
            b[row * Dimension] = -Math.Abs(b[row * Dimension]);
        }

        a.AsSpan(4 * Dimension, Dimension).Clear();
        a[4 * Dimension] = 1;
        using var device = DeviceFactory.Open(Device);
        var found = NearestDirections.Find(device, a, b, Dimension, 6, stop: Stop);
        Check(Naive(a, b, Dimension, 6), found);
        Assert.Equal([0, 1, 2, 3, 4, 5], found[3].Select(neighbor => neighbor.Row));
        Assert.Equal([5, 17, 900, Rows - 1], found[4].Take(4).Select(neighbor => neighbor.Row));
        Assert.Equal(0, found[4][3].Cosine);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public void Products_in_tf32_give_the_same()
    {
        const int Dimension = 32;
        var (a, b) = (Random(8, Dimension, 12), Random(90, Dimension, 13));
        using var device = DeviceFactory.Open("ilgpu-cpu", tf32: true);
        Assert.True(device.GemmInputRounding > 0);
        Check(Naive(a, b, Dimension, 12), NearestDirections.Find(device, a, b, Dimension, 12, stop: Stop));
    }

    [Fact]
    public void Nearly_equal_rows_are_told_apart_in_float64()
    {
        const int Dimension = 64, Rows = 300;
        var a = Random(1, Dimension, 5);

        // Their cosines differ by less than float32 products can tell.
        var b = new float[Rows * Dimension];
        var random = new Random(6);
        for (var i = 0; i < b.Length; i++)
        {
            b[i] = a[i % Dimension] * (1 + (random.Next(-4, 5) * 1e-6f));
        }

        using var device = DeviceFactory.Open(Device);
        Check(Naive(a, b, Dimension, 20), NearestDirections.Find(device, a, b, Dimension, 20, stop: Stop));
    }

    [Theory]
    [InlineData(50, 3)]
    [InlineData(2100, 3)]
    [InlineData(4, 9)]
    public void A_row_is_not_its_own_neighbor_within_a_dictionary(int latents, int count)
    {
        const int Dimension = 16;
        var a = Random(latents, Dimension, 7);
        a.AsSpan(0, Dimension).CopyTo(a.AsSpan(2 * Dimension));
        using var device = DeviceFactory.Open(Device);
        var found = NearestDirections.Find(device, a, a, Dimension, count, leaveOutSelf: true, Stop);
        Check(Naive(a, a, Dimension, count, leaveOutSelf: true), found);
        Assert.Equal(Math.Min(count, latents - 1), found[0].Length);
        Assert.Equal((2, 0), (found[0][0].Row, found[2][0].Row));
    }

    [Fact]
    public void The_table_may_come_in_parts()
    {
        const int Dimension = 24;
        var (a, b) = (Random(100, Dimension, 8), Random(5000, Dimension, 9));
        using var device = DeviceFactory.Open(Device);
        using var nearest = new NearestDirections(device, a, Dimension, 7);
        Assert.Empty(nearest.Of(99));
        foreach (var (start, end) in new[] { (0, 1), (1, 1), (1, 2049), (2049, 4999), (4999, 5000) })
        {
            nearest.Add(b.AsSpan((start * Dimension)..(end * Dimension)), Stop);
        }

        Assert.Equal(5000, nearest.Rows);
        var whole = NearestDirections.Find(device, a, b, Dimension, 7, stop: Stop);
        Assert.Equal(whole, Enumerable.Range(0, 100).Select(nearest.Of));
        Assert.Throws<ArgumentException>(() => nearest.Add(new float[Dimension + 1], Stop));
        Assert.Throws<OperationCanceledException>(() => nearest.Add(b, new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData(60, 20)]
    [InlineData(2600, 20)]
    [InlineData(2600, 0)]
    public void Near_duplicates_are_those_of_all_pairs(int latents, int listed)
    {
        const int Dimension = 12;
        var a = Random(latents, Dimension, 10);
        a.AsSpan(0, Dimension).CopyTo(a.AsSpan((latents - 1) * Dimension));
        a.AsSpan(3 * Dimension, Dimension).CopyTo(a.AsSpan(20 * Dimension));
        a.AsSpan(8 * Dimension, Dimension).Clear();
        a.AsSpan(9 * Dimension, Dimension).Clear();
        const double Threshold = 0.7;
        var pairs = new List<LatentPair>();
        var counts = new int[latents];
        for (var i = 0; i < latents; i++)
        {
            for (var j = i + 1; j < latents; j++)
            {
                if (Cosine(a, i, a, j, Dimension) is > Threshold and var cosine)
                {
                    pairs.Add(new LatentPair(i, j, cosine));
                    counts[i]++;
                    counts[j]++;
                }
            }
        }

        using var device = DeviceFactory.Open(Device);
        var found = NearDuplicates.Of(device, a, Dimension, listed, Threshold, Stop);
        Assert.Equal(pairs.Count, found.Pairs);
        Assert.Equal(counts, found.Counts);
        var expected = pairs.OrderByDescending(pair => Math.Round(pair.Cosine, 12)).ThenBy(pair => pair.First)
            .ThenBy(pair => pair.Second).Take(listed).ToList();
        Assert.Equal(expected.Select(pair => (pair.First, pair.Second)), found.Largest.Select(pair => (pair.First, pair.Second)));
        Assert.All(expected.Zip(found.Largest), pair => Assert.Equal(pair.First.Cosine, pair.Second.Cosine, 1e-12));
    }

    [Fact]
    public void Near_duplicates_of_a_collapsed_dictionary_are_all_pairs()
    {
        const int Latents = 1500, Dimension = 9;
        var row = Random(1, Dimension, 11);
        float[] a = [.. Enumerable.Range(0, Latents).SelectMany(_ => row)];
        using var device = DeviceFactory.Open(Device);
        var found = NearDuplicates.Of(device, a, Dimension, listed: 3, stop: Stop);
        Assert.Equal(Latents * (Latents - 1L) / 2, found.Pairs);
        Assert.All(found.Counts, count => Assert.Equal(Latents - 1, count));
        Assert.Equal([(0, 1), (0, 2), (0, 3)], found.Largest.Select(pair => (pair.First, pair.Second)));
        Assert.Throws<OperationCanceledException>(
            () => NearDuplicates.Of(device, a, Dimension, stop: new CancellationToken(canceled: true)));
    }

    private static void Check(Neighbor[][] expected, Neighbor[][] found)
    {
        Assert.Equal(expected.Length, found.Length);
        foreach (var (one, other) in expected.Zip(found))
        {
            Assert.Equal(one.Select(neighbor => neighbor.Row), other.Select(neighbor => neighbor.Row));
            Assert.All(one.Zip(other), pair => Assert.Equal(pair.First.Cosine, pair.Second.Cosine, 1e-12));
        }
    }

    // Cosines that differ by rounding alone are ties.
    private static Neighbor[][] Naive(float[] queries, float[] table, int dimension, int count, bool leaveOutSelf = false) =>
    [
        .. Enumerable.Range(0, queries.Length / dimension).Select(query => Enumerable.Range(0, table.Length / dimension)
            .Where(row => !leaveOutSelf || row != query)
            .Select(row => new Neighbor(row, Cosine(queries, query, table, row, dimension)))
            .OrderByDescending(neighbor => Math.Round(neighbor.Cosine, 14)).ThenBy(neighbor => neighbor.Row).Take(count).ToArray()),
    ];

    private static double Cosine(float[] a, int i, float[] b, int j, int dimension)
    {
        double dot = 0, x = 0, y = 0;
        for (var d = 0; d < dimension; d++)
        {
            var (p, q) = ((double)a[(i * dimension) + d], (double)b[(j * dimension) + d]);
            dot += p * q;
            x += p * p;
            y += q * q;
        }

        return x == 0 || y == 0 ? 0 : dot / Math.Sqrt(x * y);
    }

    private static float[] Random(int rows, int dimension, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows * dimension).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
