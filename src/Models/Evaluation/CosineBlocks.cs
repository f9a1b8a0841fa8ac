using System.Numerics;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// The cosines of all rows of one matrix, the queries, with rows that come in blocks. A device forms them in float32 or TF32, a block at a
/// time; where that leaves open which is larger, <see cref="Exact"/> says it in float64. Results that are found so are the same on every
/// device.
/// </summary>
internal sealed class CosineBlocks : IDisposable
{
    // Rows and queries of a block, and the most floats in either.
    private const int RowsAtOnce = 2048;
    private const int QueriesAtOnce = 1024;
    private const int FloatsAtOnce = 1 << 24;

    private readonly Device _device;
    private readonly ReadOnlyMemory<float> _queries;
    private readonly int _dimension;
    private readonly double[] _queryNorms;
    private readonly List<Tensor> _unitQueries = [];
    private readonly Tensor _unitRows;
    private readonly Tensor _product;
    private readonly float[] _rows;
    private readonly float[] _unit;
    private readonly double[] _norms;
    private readonly int _blockQueries;
    private float[] _cosines = [];

    /// <summary>Brings the queries to the device.</summary>
    /// <param name="device">Forms the products, in float32 or TF32.</param>
    /// <param name="queries">Q×D, finite; kept.</param>
    /// <param name="dimension">D.</param>
    /// <exception cref="ArgumentException">The length is not a multiple of D.</exception>
    public CosineBlocks(Device device, ReadOnlyMemory<float> queries, int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimension);
        if (queries.Length % dimension != 0)
        {
            throw new ArgumentException($"{queries.Length} values are not rows of {dimension}", nameof(queries));
        }

        (_device, _queries, _dimension) = (device, queries, dimension);
        Queries = queries.Length / dimension;

        // An inner product of D terms of unit rows is off by less than D roundings of 1, and each of the rows by two. TF32 rounds them
        // again.
        var rounding = device.GemmInputRounding;
        Margin = ((dimension + 8.0) / (1 << 24)) + (2 * rounding) + (rounding * rounding);
        _queryNorms = new double[Queries];
        BlockRows = Math.Clamp(FloatsAtOnce / dimension, 1, RowsAtOnce);
        _blockQueries = Math.Min(BlockRows, QueriesAtOnce);
        _norms = new double[BlockRows];
        _rows = new float[BlockRows * dimension];
        _unit = new float[BlockRows * dimension];
        _unitRows = device.Tensor(0, dimension);
        _product = device.Tensor(0, 0);
        for (var first = 0; first < Queries; first += _blockQueries)
        {
            var count = Math.Min(_blockQueries, Queries - first);
            var unit = new float[count * dimension];
            Directions.UnitRows(
                queries.Span.Slice(first * dimension, unit.Length), dimension, unit, _queryNorms.AsSpan(first, count));
            _unitQueries.Add(device.Tensor(count, dimension).Set(unit));
        }
    }

    /// <summary>Number of queries.</summary>
    public int Queries { get; }

    /// <summary>The largest number of rows in a block.</summary>
    public int BlockRows { get; }

    /// <summary>How far a float32 cosine may be off, at most.</summary>
    public double Margin { get; }

    /// <summary>Whether a query is a row of zeros, whose cosine with every row is 0.</summary>
    public bool IsZero(int query) => _queryNorms[query] == 0;

    /// <summary>Forms the cosines of queries with a block of rows.</summary>
    /// <param name="rows">At most <see cref="BlockRows"/>×D, finite.</param>
    /// <param name="queries">How many of the queries, from the first.</param>
    /// <param name="take">
    /// Called for every query, in parallel: its index, and its float32 cosine with each row. <see cref="Exact"/> is then about these rows.
    /// </param>
    /// <param name="blockDone">Called after each block of queries; may be null.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public void ForEach(
        ReadOnlySpan<float> rows, int queries, Action<int, ArraySegment<float>> take, Action? blockDone, CancellationToken stop)
    {
        var count = rows.Length / _dimension;
        rows.CopyTo(_rows);
        Directions.UnitRows(rows, _dimension, _unit.AsSpan(0, rows.Length), _norms.AsSpan(0, count));
        _unitRows.Resize(count, _dimension);
        _unitRows.Set(_unit.AsSpan(0, rows.Length));
        for (var first = 0; first < queries; first += _blockQueries)
        {
            stop.ThrowIfCancellationRequested();
            var block = _unitQueries[first / _blockQueries];
            _product.Resize(block.Rows, count);
            _device.Gemm(transposeA: false, transposeB: true, 1, block, _unitRows, 0, _product);
            if (_cosines.Length < _product.Count)
            {
                _cosines = new float[_product.Count];
            }

            _product.Data.CopyTo(_cosines.AsSpan(0, (int)_product.Count));
            var offset = first;
            Parallel.For(
                0,
                Math.Min(block.Rows, queries - first),
                i => take(offset + i, new ArraySegment<float>(_cosines, i * count, count)));
            blockDone?.Invoke();
        }
    }

    /// <summary>The cosine of a query with a row of the present block, in float64; 0 if one of them is a row of zeros.</summary>
    public double Exact(int query, int row) => _queryNorms[query] == 0 || _norms[row] == 0
        ? 0
        : Directions.Dot(Directions.Row(_queries.Span, query, _dimension), Directions.Row(_rows, row, _dimension))
            / (_queryNorms[query] * _norms[row]);

    /// <summary>The first value above a limit.</summary>
    /// <returns>Its index, or the length if there is none.</returns>
    public static int IndexAbove(ReadOnlySpan<float> values, int start, float limit)
    {
        var limits = new Vector<float>(limit);
        while (start + Vector<float>.Count <= values.Length && !Vector.GreaterThanAny(new Vector<float>(values[start..]), limits))
        {
            start += Vector<float>.Count;
        }

        while (start < values.Length && !(values[start] > limit))
        {
            start++;
        }

        return start;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _unitQueries.ForEach(block => block.Dispose());
        _unitRows.Dispose();
        _product.Dispose();
    }
}
