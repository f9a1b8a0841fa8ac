using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>A direction that is near another.</summary>
/// <param name="Row">Its row in the table.</param>
/// <param name="Cosine">The cosine of the two, −1 … 1.</param>
public readonly record struct NearDirection(int Row, float Cosine);

/// <summary>For each of many directions the nearest ones of a table, by cosine.</summary>
/// <param name="Nearest">For each query the nearest rows of the table, the largest cosine first; of equal ones the lower row.</param>
/// <param name="Above">For each query the number of rows of the table whose cosine is above the threshold.</param>
public sealed record NearestDirections(IReadOnlyList<IReadOnlyList<NearDirection>> Nearest, IReadOnlyList<int> Above)
{
    /// <summary>Two latents whose decoder directions have a larger cosine are near-duplicates.</summary>
    public const float DuplicateCosine = 0.9f;

    private const int QueriesAtOnce = 256;
    private const int RowsAtOnce = 8192;

    /// <summary>Finds them by products of blocks, so that memory does not depend on the number of pairs.</summary>
    /// <param name="device">Computes the cosines.</param>
    /// <param name="queries">Q×D, a direction per row; a row of zeros has cosine 0 with every other.</param>
    /// <param name="table">T×D.</param>
    /// <param name="dimension">D.</param>
    /// <param name="count">The most rows for each query.</param>
    /// <param name="isSame">Whether both are the same dictionary, so that no row is near itself.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">The lengths are not multiples of D.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static NearestDirections Find(
        Device device,
        ReadOnlySpan<float> queries,
        ReadOnlySpan<float> table,
        int dimension,
        int count,
        bool isSame = false,
        CancellationToken stop = default)
    {
        if (queries.Length % dimension != 0 || table.Length % dimension != 0)
        {
            throw new ArgumentException($"{queries.Length} and {table.Length} values are not rows of {dimension}", nameof(dimension));
        }

        float[] wanted = UnitDirections.Of(queries, dimension), rows = UnitDirections.Of(table, dimension);
        var (queryCount, rowCount) = (wanted.Length / dimension, rows.Length / dimension);
        var best = Enumerable.Range(0, queryCount).Select(_ => new Best(count)).ToArray();
        using var some = device.Tensor(0, 0);
        using var block = device.Tensor(0, 0);
        using var product = device.Tensor(0, 0);
        float[] cosines = [];
        for (var row = 0; row < rowCount; row += RowsAtOnce)
        {
            var width = Math.Min(RowsAtOnce, rowCount - row);
            block.Resize(width, dimension);
            block.Set(rows.AsSpan(row * dimension, width * dimension));
            for (var query = 0; query < queryCount; query += QueriesAtOnce)
            {
                stop.ThrowIfCancellationRequested();
                var height = Math.Min(QueriesAtOnce, queryCount - query);
                some.Resize(height, dimension);
                some.Set(wanted.AsSpan(query * dimension, height * dimension));
                product.Resize(height, width);
                device.Gemm(transposeA: false, transposeB: true, 1, some, block, 0, product);
                cosines = product.ToArray();
                var (values, firstQuery, firstRow) = (cosines, query, row);
                Parallel.For(0, height, i => best[firstQuery + i].Add(
                    values.AsSpan(i * width, width), firstRow, isSame ? firstQuery + i : -1));
            }
        }

        return new NearestDirections(Array.ConvertAll(best, one => one.Rows), Array.ConvertAll(best, one => one.Above));
    }

    /// <summary>The best rows for a query so far.</summary>
    private sealed class Best(int count)
    {
        private readonly List<NearDirection> _rows = [];

        public IReadOnlyList<NearDirection> Rows => _rows;

        public int Above { get; private set; }

        public void Add(ReadOnlySpan<float> cosines, int firstRow, int except)
        {
            for (var i = 0; i < cosines.Length; i++)
            {
                var (cosine, row) = (Math.Clamp(cosines[i], -1, 1), firstRow + i);
                if (row == except)
                {
                    continue;
                }

                Above += cosine > DuplicateCosine ? 1 : 0;
                // Rows come in order: one with an equal cosine is later.
                if (_rows.Count < count || (count > 0 && cosine > _rows[^1].Cosine))
                {
                    var at = _rows.Count;
                    while (at > 0 && _rows[at - 1].Cosine < cosine)
                    {
                        at--;
                    }

                    _rows.Insert(at, new NearDirection(row, cosine));
                    if (_rows.Count > count)
                    {
                        _rows.RemoveAt(count);
                    }
                }
            }
        }
    }
}
