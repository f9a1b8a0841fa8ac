using System.Numerics;

namespace MonoLoss.Models;

/// <summary>
/// The linear assignment problem: every row gets a column of its own so that the sum of the costs is least. The method is that of Jonker
/// and Volgenant (Computing 38, 1987): augmenting row reduction, then a shortest augmenting path for each row that is left. Costs are
/// integers, and so are the dual prices: nothing is rounded. O(n³) time in the worst case, and O(n) memory beside the costs.
/// </summary>
/// <remarks>
/// Prices start at 0 and only fall, and only those of columns that have a row. A column without one keeps price 0, which makes the result
/// optimal where there are more columns than rows, too. The original's column reduction, which breaks this, is left out.
/// </remarks>
public sealed class Assignment
{
    // Row reduction may go on for very many steps where rows compete for columns of nearly the same cost. Paths do not.
    private const int ReductionsPerRow = 8;

    // Farther than any column: of columns whose distance is final, and the price that keeps an update from bringing them closer.
    private const long Far = long.MaxValue / 4;

    private readonly int[][] _costs;
    private readonly CancellationToken _stop;
    private readonly int[] _columnOf;
    private readonly int[] _rowOf;
    private readonly long[] _prices;
    private readonly long[] _distances;
    private readonly long[] _openPrices;
    private readonly int[] _previous;

    private Assignment(int[][] costs, int columns, CancellationToken stop)
    {
        (_costs, _stop) = (costs, stop);
        _columnOf = new int[costs.Length];
        _rowOf = new int[columns];
        _prices = new long[columns];
        _distances = new long[columns];
        _openPrices = new long[columns];
        _previous = new int[columns];
        Array.Fill(_columnOf, -1);
        Array.Fill(_rowOf, -1);
    }

    /// <summary>Finds an optimal assignment; always the same one for the same costs.</summary>
    /// <param name="costs">The cost of each column, for every row; at least as many columns as rows.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <returns>The column of every row.</returns>
    /// <exception cref="ArgumentException">The rows have different lengths, or there are more of them than columns.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static int[] Solve(int[][] costs, CancellationToken stop = default)
    {
        var columns = costs.Length > 0 ? costs[0].Length : 0;
        if (costs.Length > columns || Array.Exists(costs, row => row.Length != columns))
        {
            throw new ArgumentException($"{costs.Length} rows need as many columns or more, and the same number each", nameof(costs));
        }

        var assignment = new Assignment(costs, columns, stop);
        foreach (var row in assignment.ReduceRows())
        {
            assignment.Augment(row);
        }

        return assignment._columnOf;
    }

    /// <summary>
    /// Gives rows the column that is cheapest at its price, and lowers the price until the second cheapest is as good. The row that had the
    /// column looks for another.
    /// </summary>
    /// <returns>The rows without a column.</returns>
    private List<int> ReduceRows()
    {
        var waiting = new Queue<int>(Enumerable.Range(0, _costs.Length));
        var left = (long)ReductionsPerRow * _costs.Length;
        while (left > 0 && waiting.TryDequeue(out var row))
        {
            while (row >= 0)
            {
                _stop.ThrowIfCancellationRequested();
                left--;
                var (displaced, retry) = TakeCheapest(row);
                if (displaced >= 0 && (!retry || left <= 0))
                {
                    waiting.Enqueue(displaced);
                    break;
                }

                row = displaced;
            }
        }

        return [.. waiting];
    }

    /// <summary>Gives a row its cheapest column.</summary>
    /// <returns>The row that had it, or −1, and whether that row should look for another at once: the price has fallen.</returns>
    private (int Displaced, bool Retry) TakeCheapest(int row)
    {
        var reduced = _distances.AsSpan();
        reduced.Fill(Far);
        var least = Relax(_costs[row], _prices, 0, row);
        var column = reduced.IndexOf(least);
        reduced[column] = Far;
        var second = Minimum(reduced);
        if (least < second && second < Far)
        {
            _prices[column] -= second - least;
        }
        else if (least == second && _rowOf[column] >= 0)
        {
            column = reduced.IndexOf(second);
        }

        var displaced = _rowOf[column];
        (_rowOf[column], _columnOf[row]) = (row, column);
        if (displaced >= 0)
        {
            _columnOf[displaced] = -1;
        }

        return (displaced, least < second);
    }

    /// <summary>
    /// Finds the shortest path from a row without a column to a column without a row, and shifts the assignments along it.
    /// </summary>
    private void Augment(int start)
    {
        var final = new List<(int Column, long Distance)>();
        _distances.AsSpan().Fill(Far);
        _prices.CopyTo(_openPrices, 0);
        var nearest = Relax(_costs[start], _openPrices, 0, start);
        var column = Nearest(nearest);
        while (_rowOf[column] >= 0)
        {
            _stop.ThrowIfCancellationRequested();
            final.Add((column, nearest));
            (_distances[column], _openPrices[column]) = (Far, -2 * Far);
            var row = _rowOf[column];
            nearest = Relax(_costs[row], _openPrices, _costs[row][column] - _prices[column] - nearest, row);
            column = Nearest(nearest);
        }

        foreach (var (reached, distance) in final)
        {
            _prices[reached] += distance - nearest;
        }

        for (var row = -1; row != start;)
        {
            row = _previous[column];
            _rowOf[column] = row;
            (_columnOf[row], column) = (column, _columnOf[row]);
        }
    }

    /// <summary>The first column at a distance; one without a row if there is any.</summary>
    private int Nearest(long distance)
    {
        var first = _distances.AsSpan().IndexOf(distance);
        for (var column = first; ;)
        {
            if (_rowOf[column] < 0)
            {
                return column;
            }

            var next = _distances.AsSpan(column + 1).IndexOf(distance);
            if (next < 0)
            {
                return first;
            }

            column += next + 1;
        }
    }

    /// <summary>Shortens the distances of columns by way of a row: to cost − price − offset where that is less.</summary>
    /// <returns>The least distance of all columns.</returns>
    private long Relax(ReadOnlySpan<int> costs, ReadOnlySpan<long> prices, long offset, int row)
    {
        Span<long> distances = _distances;
        Span<int> previous = _previous;
        var (half, step) = (Vector<long>.Count, Vector<int>.Count);
        var (least, rows) = (new Vector<long>(long.MaxValue), new Vector<int>(row));
        var offsets = new Vector<long>(offset);
        var j = 0;
        for (; j <= costs.Length - step; j += step)
        {
            Vector.Widen(new Vector<int>(costs[j..]), out var low, out var high);
            var (nearLow, nearHigh) = (new Vector<long>(distances[j..]), new Vector<long>(distances[(j + half)..]));
            low -= new Vector<long>(prices[j..]) + offsets;
            high -= new Vector<long>(prices[(j + half)..]) + offsets;
            var closer = Vector.Narrow(Vector.LessThan(low, nearLow), Vector.LessThan(high, nearHigh));
            (nearLow, nearHigh) = (Vector.Min(low, nearLow), Vector.Min(high, nearHigh));
            nearLow.CopyTo(distances[j..]);
            nearHigh.CopyTo(distances[(j + half)..]);
            Vector.ConditionalSelect(closer, rows, new Vector<int>(previous[j..])).CopyTo(previous[j..]);
            least = Vector.Min(least, Vector.Min(nearLow, nearHigh));
        }

        var result = long.MaxValue;
        for (var lane = 0; lane < half; lane++)
        {
            result = Math.Min(result, least[lane]);
        }

        for (; j < costs.Length; j++)
        {
            var distance = costs[j] - prices[j] - offset;
            if (distance < distances[j])
            {
                (distances[j], previous[j]) = (distance, row);
            }

            result = Math.Min(result, distances[j]);
        }

        return result;
    }

    private static long Minimum(ReadOnlySpan<long> values)
    {
        var least = new Vector<long>(long.MaxValue);
        var j = 0;
        for (; j <= values.Length - Vector<long>.Count; j += Vector<long>.Count)
        {
            least = Vector.Min(least, new Vector<long>(values[j..]));
        }

        var result = long.MaxValue;
        for (var lane = 0; lane < Vector<long>.Count; lane++)
        {
            result = Math.Min(result, least[lane]);
        }

        foreach (var value in values[j..])
        {
            result = Math.Min(result, value);
        }

        return result;
    }
}
