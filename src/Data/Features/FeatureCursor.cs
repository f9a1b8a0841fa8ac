using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Reads rows of features from a row group: one column of lists, or one column per dimension.</summary>
internal sealed class FeatureCursor : IDisposable
{
    private const int BlockRows = 256;
    private const int MinReadAhead = 1 << 12;

    private readonly FloatColumn[] _columns;
    private readonly int _dimension;
    private readonly float[] _block;

    /// <summary>Prepares to read.</summary>
    /// <param name="columns">One column of lists, or one column per dimension.</param>
    /// <param name="dimension">Floats per row.</param>
    public FeatureCursor(IReadOnlyList<ParquetColumn> columns, int dimension)
    {
        _dimension = dimension;
        // Many columns read less at a time, so that together they take no more memory than one.
        var readAhead = Math.Max(MinReadAhead, PageReader.DefaultReadAhead / columns.Count);
        _columns = [.. columns.Select(column => new FloatColumn(column, column.IsFlat ? 1 : dimension, readAhead))];
        _block = columns[0].IsFlat ? new float[BlockRows] : [];
    }

    /// <summary>Starts a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="firstRow">The number of its first row within the file, for messages.</param>
    /// <exception cref="DataException">A column cannot be read.</exception>
    public void Open(ParquetFile file, int rowGroup, long firstRow)
    {
        foreach (var column in _columns)
        {
            column.Open(file, rowGroup, firstRow);
        }
    }

    /// <summary>Reads the next rows.</summary>
    /// <param name="rows">Receives rows × dimension floats.</param>
    /// <exception cref="DataException">The data are damaged, null, or lists of another length.</exception>
    public void Read(Span<float> rows)
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

    /// <summary>Frees the buffers.</summary>
    public void Dispose()
    {
        foreach (var column in _columns)
        {
            column.Dispose();
        }
    }
}
