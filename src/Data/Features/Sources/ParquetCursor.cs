using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Reads rows of features from Parquet files: one column of lists, or one column per dimension.</summary>
internal sealed class ParquetCursor : FeatureCursor
{
    private const int BlockRows = 256;
    private const int MinReadAhead = 1 << 12;

    private readonly IReadOnlyList<ParquetColumn> _described;
    private readonly FloatColumn[] _columns;
    private readonly int _dimension;
    private readonly float[] _block;
    private ParquetSource _source;
    private ParquetFile? _file;

    /// <summary>Prepares to read.</summary>
    /// <param name="source">The file.</param>
    public ParquetCursor(ParquetSource source)
    {
        _source = source;
        _described = source.Columns;
        _dimension = source.Dimension;
        // Many columns read less at a time, so that together they take no more memory than one.
        var readAhead = Math.Max(MinReadAhead, PageReader.DefaultReadAhead / _described.Count);
        _columns = [.. _described.Select(column => new FloatColumn(column, column.IsFlat ? 1 : _dimension, readAhead))];
        _block = _described[0].IsFlat ? new float[BlockRows] : [];
    }

    /// <summary>Whether another file has the same columns.</summary>
    public bool CanRead(ParquetSource source) => source.Dimension == _dimension
        && (ReferenceEquals(_described, source.Columns) || _described.SequenceEqual(source.Columns));

    /// <summary>Goes on with another file.</summary>
    public void Start(ParquetSource source)
    {
        if (!ReferenceEquals(_source, source))
        {
            _file?.Dispose();
            (_file, _source) = (null, source);
        }
    }

    /// <inheritdoc/>
    public override void Open(int rowGroup)
    {
        _file ??= _source.Reopen();
        foreach (var column in _columns)
        {
            column.Open(_file, rowGroup, _source.FirstRow(rowGroup));
        }
    }

    /// <inheritdoc/>
    public override void Read(Span<float> rows)
    {
        if (_block.Length == 0)
        {
            _columns[0].Read(rows);
            return;
        }

        while (!rows.IsEmpty)
        {
            var count = Math.Min(BlockRows, rows.Length / _dimension);
            var block = _block.AsSpan(0, count);
            for (var d = 0; d < _dimension; d++)
            {
                _columns[d].Read(block);
                for (var i = 0; i < block.Length; i++)
                {
                    rows[(i * _dimension) + d] = block[i];
                }
            }

            rows = rows[(count * _dimension)..];
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _file?.Dispose();
        foreach (var column in _columns)
        {
            column.Dispose();
        }
    }
}
