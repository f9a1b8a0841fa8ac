using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Nearest directions against a sort of all cosines in float64.</summary>
public sealed class NearestDirectionsTests
{
    private const int Dimension = 3;

    [Theory]
    [InlineData(300, 40, 5)]
    [InlineData(7, 9000, 3)]
    [InlineData(5, 2, 4)]
    [InlineData(5, 20, 0)]
    public void They_are_those_of_a_sort(int queries, int rows, int count)
    {
        using var device = DeviceFactory.Open("cpu");
        var random = new Random(queries);
        float[] wanted = Directions(queries, random), table = Directions(rows, random);
        var found = NearestDirections.Find(device, wanted, table, Dimension, count, stop: TestContext.Current.CancellationToken);
        AssertNearest(found, wanted, table, count, isSame: false);
    }

    [Fact]
    public void No_row_is_near_itself()
    {
        using var device = DeviceFactory.Open("cpu");
        var table = Directions(500, new Random(1));
        var found = NearestDirections.Find(device, table, table, Dimension, 6, isSame: true, TestContext.Current.CancellationToken);
        AssertNearest(found, table, table, 6, isSame: true);
    }

    // Whole numbers, of which many are equal or zero rows.
    private static float[] Directions(int rows, Random random) =>
        [.. Enumerable.Range(0, rows * Dimension).Select(_ => (float)random.Next(-2, 3))];

    private static void AssertNearest(NearestDirections found, float[] wanted, float[] table, int count, bool isSame)
    {
        for (var i = 0; i < wanted.Length / Dimension; i++)
        {
            var cosines = Enumerable.Range(0, table.Length / Dimension).Where(row => !isSame || row != i)
                .Select(row => (Row: row, Cosine: Cosine(wanted, i, table, row))).ToList();
            var nearest = found.Nearest[i];
            Assert.Equal(Math.Min(count, cosines.Count), nearest.Count);
            // Cosines that differ by rounding alone are in either order.
            var sorted = cosines.OrderByDescending(entry => Math.Round(entry.Cosine, 5)).ThenBy(entry => entry.Row).ToList();
            for (var n = 0; n < nearest.Count; n++)
            {
                Assert.Equal(sorted[n].Cosine, nearest[n].Cosine, 1e-6);
                Assert.Equal(cosines.First(entry => entry.Row == nearest[n].Row).Cosine, nearest[n].Cosine, 1e-6);
            }

            Assert.Equal(nearest.Count, nearest.Select(near => near.Row).Distinct().Count());
            Assert.Equal(cosines.Count(entry => entry.Cosine > NearestDirections.DuplicateCosine), found.Above[i]);
        }
    }

    private static double Cosine(float[] a, int i, float[] b, int j)
    {
        double Dot(float[] x, int m, float[] y, int n) =>
            Enumerable.Range(0, Dimension).Sum(d => (double)x[(m * Dimension) + d] * y[(n * Dimension) + d]);
        var norm = Math.Sqrt(Dot(a, i, a, i) * Dot(b, j, b, j));
        return norm == 0 ? 0 : Dot(a, i, b, j) / norm;
    }
}
