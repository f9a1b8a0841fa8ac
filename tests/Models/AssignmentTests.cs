using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>Optimal assignments against every possible one, and against the textbook's Hungarian method where there are too many.</summary>
public sealed class AssignmentTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 1, 10)]
    [InlineData(1, 5, 10)]
    [InlineData(2, 2, 3)]
    [InlineData(4, 7, 4)]
    [InlineData(6, 6, 1000)]
    [InlineData(6, 8, 2)]
    [InlineData(7, 7, 0)]
    public void It_is_as_cheap_as_the_best_of_all(int rows, int columns, int range)
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var costs = Costs(rows, columns, range, seed);
            Assert.Equal(Cheapest(costs, 0, new bool[columns]), Total(costs, Assignment.Solve(costs, Stop)));
        }
    }

    [Theory]
    [InlineData(150, 150, 1 << 24)]
    [InlineData(150, 150, 3)]
    [InlineData(100, 217, 1 << 24)]
    [InlineData(217, 218, 40)]
    public void It_is_as_cheap_as_the_Hungarian_method(int rows, int columns, int range)
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var costs = Costs(rows, columns, range, seed);
            Assert.Equal(Hungarian(costs), Total(costs, Assignment.Solve(costs, Stop)));
        }
    }

    [Fact]
    public void Rows_that_compete_for_few_columns_end()
    {
        // Products i·j: every row wants the same columns, and prices differ by little. The longest paths there are.
        const int Size = 120;
        var costs = Enumerable.Range(1, Size).Select(i => Enumerable.Range(1, Size).Select(j => i * j).ToArray()).ToArray();
        Assert.Equal(Hungarian(costs), Total(costs, Assignment.Solve(costs, Stop)));
        costs = Array.ConvertAll(costs, row => Array.ConvertAll(row, cost => (1 << 24) - (cost / 100)));
        Assert.Equal(Hungarian(costs), Total(costs, Assignment.Solve(costs, Stop)));
    }

    [Fact]
    public void Extreme_costs_do_not_overflow()
    {
        var costs = Enumerable.Range(0, 40).Select(i =>
            Enumerable.Range(0, 40).Select(j => ((i * 7) + (j * 3)) % 5 < 2 ? int.MinValue : int.MaxValue).ToArray()).ToArray();
        Assert.Equal(Hungarian(costs), Total(costs, Assignment.Solve(costs, Stop)));
    }

    [Fact]
    public void Shapes_that_cannot_be_assigned_are_refused()
    {
        Assert.Empty(Assignment.Solve([], Stop));
        Assert.Throws<ArgumentException>(() => Assignment.Solve([[1], [2]], Stop));
        Assert.Throws<ArgumentException>(() => Assignment.Solve([[1, 2], [2]], Stop));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => Assignment.Solve([[1]], stop.Token));
    }

    /// <summary>The least sum of costs: shortest paths from every row in turn, in float64 (Kuhn and Munkres).</summary>
    /// <param name="costs">At least as many columns as rows.</param>
    internal static double Hungarian<T>(T[][] costs)
        where T : IConvertible
    {
        var (n, m) = (costs.Length, costs[0].Length);
        double Cost(int i, int j) => costs[i - 1][j - 1].ToDouble(null);
        double[] u = new double[n + 1], v = new double[m + 1];
        int[] rowOf = new int[m + 1], way = new int[m + 1];
        for (var i = 1; i <= n; i++)
        {
            rowOf[0] = i;
            var j0 = 0;
            var least = Enumerable.Repeat(double.PositiveInfinity, m + 1).ToArray();
            var used = new bool[m + 1];
            do
            {
                used[j0] = true;
                var (i0, delta, j1) = (rowOf[j0], double.PositiveInfinity, 0);
                for (var j = 1; j <= m; j++)
                {
                    if (!used[j])
                    {
                        var reduced = Cost(i0, j) - u[i0] - v[j];
                        (least[j], way[j]) = reduced < least[j] ? (reduced, j0) : (least[j], way[j]);
                        (delta, j1) = least[j] < delta ? (least[j], j) : (delta, j1);
                    }
                }

                for (var j = 0; j <= m; j++)
                {
                    if (used[j])
                    {
                        u[rowOf[j]] += delta;
                        v[j] -= delta;
                    }
                    else
                    {
                        least[j] -= delta;
                    }
                }

                j0 = j1;
            }
            while (rowOf[j0] != 0);

            for (; j0 != 0; j0 = way[j0])
            {
                rowOf[j0] = rowOf[way[j0]];
            }
        }

        return Enumerable.Range(1, m).Where(j => rowOf[j] > 0).Sum(j => Cost(rowOf[j], j));
    }

    private static int[][] Costs(int rows, int columns, int range, int seed)
    {
        var random = new Random(seed);
        int[] Row() => [.. Enumerable.Range(0, columns).Select(_ => random.Next(-range, range + 1))];
        return [.. Enumerable.Range(0, rows).Select(_ => Row())];
    }

    private static double Total(int[][] costs, int[] columns)
    {
        Assert.Equal(costs.Length, columns.Distinct().Count());
        return columns.Select((column, row) => (double)costs[row][column]).Sum();
    }

    private static double Cheapest(int[][] costs, int row, bool[] taken)
    {
        if (row == costs.Length)
        {
            return 0;
        }

        var least = double.PositiveInfinity;
        for (var j = 0; j < taken.Length; j++)
        {
            if (!taken[j])
            {
                taken[j] = true;
                least = Math.Min(least, costs[row][j] + Cheapest(costs, row + 1, taken));
                taken[j] = false;
            }
        }

        return least;
    }
}
