using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>A row that is near to a direction.</summary>
/// <param name="Row">The row, by its number within the table.</param>
/// <param name="Cosine">Their cosine, formed in float64.</param>
public readonly record struct Neighbor(int Row, double Cosine);

/// <summary>
/// Finds for every row of one matrix, the queries, the n rows of another, the table, with the largest cosine. Ties go to the lower index.
/// The table comes in parts of any size and is not kept: memory is that of the queries, of their n neighbors and of one block. The result
/// is that of float64 cosines, whatever the device and the parts.
/// </summary>
/// <example><code>
/// using var nearest = new NearestDirections(device, decoder, dimension, count: 5);
/// nearest.Add(rows);
/// Neighbor[] neighbors = nearest.Of(latent);
/// </code></example>
public sealed class NearestDirections : IDisposable
{
    private readonly CosineBlocks _blocks;
    private readonly int _dimension;
    private readonly int _count;
    private readonly bool _leaveOutSelf;
    private readonly Neighbor[] _nearest;
    private readonly int[] _found;

    /// <summary>Begins with an empty table.</summary>
    /// <param name="device">Forms the products.</param>
    /// <param name="queries">Q×D, finite; kept. A row of zeros has cosine 0 with every other.</param>
    /// <param name="dimension">D.</param>
    /// <param name="count">n.</param>
    /// <param name="leaveOutSelf">
    /// Whether the row with a query's own index is none of its neighbors, for neighbors within one dictionary.
    /// </param>
    /// <exception cref="ArgumentException">The length is not a multiple of D.</exception>
    /// <exception cref="ArgumentOutOfRangeException">D or n is not positive.</exception>
    public NearestDirections(Device device, ReadOnlyMemory<float> queries, int dimension, int count, bool leaveOutSelf = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        _blocks = new CosineBlocks(device, queries, dimension);
        (_dimension, _count, _leaveOutSelf) = (dimension, count, leaveOutSelf);
        _nearest = new Neighbor[checked(_blocks.Queries * count)];
        _found = new int[_blocks.Queries];
    }

    /// <summary>Number of rows that the table has so far.</summary>
    public int Rows { get; private set; }

    /// <summary>Finds the neighbors within a table that is at hand.</summary>
    /// <param name="device">Forms the products.</param>
    /// <param name="queries">Q×D.</param>
    /// <param name="table">T×D.</param>
    /// <param name="dimension">D.</param>
    /// <param name="count">n.</param>
    /// <param name="leaveOutSelf">Whether the row with a query's own index is left out.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <returns>For each query its neighbors, nearest first: n, or as many as the table has.</returns>
    /// <exception cref="ArgumentException">A length is not a multiple of D.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static Neighbor[][] Find(
        Device device,
        ReadOnlyMemory<float> queries,
        ReadOnlySpan<float> table,
        int dimension,
        int count,
        bool leaveOutSelf = false,
        CancellationToken stop = default)
    {
        using var nearest = new NearestDirections(device, queries, dimension, count, leaveOutSelf);
        nearest.Add(table, stop);
        return [.. Enumerable.Range(0, nearest._found.Length).Select(nearest.Of)];
    }

    /// <summary>Adds rows to the table.</summary>
    /// <param name="rows">Any number of rows of D values, finite.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">The length is not a multiple of D.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public void Add(ReadOnlySpan<float> rows, CancellationToken stop = default)
    {
        if (rows.Length % _dimension != 0)
        {
            throw new ArgumentException($"{rows.Length} values are not rows of {_dimension}", nameof(rows));
        }

        for (var most = _blocks.BlockRows * _dimension; !rows.IsEmpty;)
        {
            var block = rows[..Math.Min(most, rows.Length)];
            _blocks.ForEach(block, _blocks.Queries, Select, blockDone: null, stop);
            Rows = checked(Rows + (block.Length / _dimension));
            rows = rows[block.Length..];
        }
    }

    /// <summary>The neighbors of a query among the rows so far, nearest first.</summary>
    /// <param name="query">Its index.</param>
    /// <returns>n, or as many as there are.</returns>
    public Neighbor[] Of(int query) => _nearest.AsSpan(query * _count, _found[query]).ToArray();

    /// <inheritdoc/>
    public void Dispose() => _blocks.Dispose();

    private void Select(int query, ArraySegment<float> cosines)
    {
        var nearest = _nearest.AsSpan(query * _count, _count);
        var found = _found[query];
        for (var i = 0; i < cosines.Count; i++)
        {
            if (found == _count)
            {
                // A row of zeros has all its neighbors: those of lower index.
                i = _blocks.IsZero(query)
                    ? cosines.Count
                    : CosineBlocks.IndexAbove(cosines, i, (float)(nearest[^1].Cosine - _blocks.Margin));
                if (i == cosines.Count)
                {
                    break;
                }
            }

            var row = Rows + i;
            if (_leaveOutSelf && row == query)
            {
                continue;
            }

            // Rows come in order: one that is as near as another is behind it.
            var cosine = _blocks.Exact(query, i);
            var place = found;
            while (place > 0 && cosine > nearest[place - 1].Cosine)
            {
                place--;
            }

            if (place < _count)
            {
                found = Math.Min(found + 1, _count);
                nearest[place..(found - 1)].CopyTo(nearest[(place + 1)..]);
                nearest[place] = new Neighbor(row, cosine);
            }
        }

        _found[query] = found;
    }
}
