using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// Reads one column of floats, page by page and in order, straight to where they are wanted. A column of lists must have the same
/// number of floats in every row, so that the levels are only checked, never kept.
/// </summary>
internal sealed class FloatCursor(ParquetColumn column, int width)
{
    private readonly PageReader _pages = new();
    private readonly ValueDecoder<float> _decoder = Decoders.Create<float>(column);
    private float[] _buffer = [];
    private ParquetFile? _file;
    private int _rowGroup;
    private long _firstRow;
    private long _seen;
    private int _at;
    private int _left;
    private bool _buffered;

    /// <summary>Starts a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="firstRow">Its first row's number in the file, for messages.</param>
    public void Open(ParquetFile file, int rowGroup, long firstRow)
    {
        _file = file;
        _rowGroup = rowGroup;
        _firstRow = firstRow;
        _seen = 0;
        _at = _left = 0;
        Guard(() => file.OpenPages(_pages, column, rowGroup));
    }

    /// <summary>Reads the next values.</summary>
    /// <exception cref="DataException">They are damaged, null, or lists of another length.</exception>
    public void Read(Span<float> target)
    {
        try
        {
            while (!target.IsEmpty)
            {
                if (_left == 0 && !NextPage())
                {
                    throw new CorruptException($"the values of {_seen / width} rows where more were expected");
                }

                var count = Math.Min(_left, target.Length);
                Take(target[..count]);
                target = target[count..];
            }
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw _file!.Failure(column, _rowGroup, exception);
        }
    }

    /// <summary>Reads the row group to its end for the sake of the checks alone.</summary>
    /// <exception cref="DataException">As for <see cref="Read"/>, or the last list is too short.</exception>
    public void CheckAll()
    {
        Guard(() =>
        {
            while (NextPage())
            {
            }
        });
        if (_seen % width != 0)
        {
            throw Ragged(_seen / width, $"{_seen % width}");
        }
    }

    /// <summary>The number of floats in the first row of a list column.</summary>
    /// <exception cref="DataException">It is null, empty or cannot be read.</exception>
    public static int FirstLength(ParquetFile file, ParquetColumn column, int rowGroup)
    {
        var cursor = new FloatCursor(column, int.MaxValue);
        cursor.Open(file, rowGroup, 0);
        long length = 0;
        cursor.Guard(() =>
        {
            var found = false;
            while (!found && cursor._pages.Next(cursor._decoder))
            {
                var rest = cursor._pages.Repetition;
                if (rest.IsEmpty)
                {
                    continue;
                }

                if (length == 0)
                {
                    cursor.CheckStart(rest);
                    var definition = cursor._pages.Definition[0];
                    if (definition < column.RepeatedDefinition)
                    {
                        throw cursor.Null(0, definition);
                    }

                    length = 1;
                    rest = rest[1..];
                }

                var next = rest.IndexOf((byte)0);
                found = next >= 0;
                length += found ? next : rest.Length;
            }
        });
        return length is > 0 and <= int.MaxValue
            ? (int)length
            : throw file.Failure(column, rowGroup, new CorruptException("the first row cannot be read"));
    }

    private void Take(Span<float> target)
    {
        var whole = _at == 0 && target.Length == _left;
        if (!_buffered && !whole && (_pages.Encoding != PageEncoding.Plain || _decoder.PlainSize == 0))
        {
            if (_buffer.Length < _left)
            {
                _buffer = GC.AllocateUninitializedArray<float>(_left);
            }

            _decoder.Decode(_pages.Encoding, _pages.Values, _buffer.AsSpan(0, _left));
            _buffered = true;
        }

        if (_buffered)
        {
            _buffer.AsSpan(_at, target.Length).CopyTo(target);
        }
        else
        {
            var values = whole ? _pages.Values : _pages.Values[(_at * _decoder.PlainSize)..];
            _decoder.Decode(_pages.Encoding, values, target);
        }

        _at += target.Length;
        _left -= target.Length;
    }

    private bool NextPage()
    {
        if (!_pages.Next(_decoder))
        {
            return false;
        }

        CheckLevels();
        _at = 0;
        _left = _pages.Count;
        _seen += _left;
        _buffered = false;
        return true;
    }

    private void CheckLevels()
    {
        var definition = _pages.Definition;
        var missing = definition.IndexOfAnyExcept((byte)column.MaxDefinition);
        if (!column.IsList)
        {
            if (missing >= 0)
            {
                throw Null(_seen + missing, definition[missing]);
            }

            return;
        }

        var repetition = _pages.Repetition;
        if (_seen == 0)
        {
            CheckStart(repetition);
        }

        var odd = FirstOdd(repetition);
        if (missing >= 0 && (odd < 0 || missing < odd))
        {
            throw Null(_seen + missing, definition[missing]);
        }

        if (odd >= 0)
        {
            var inRow = (_seen + odd) % width;
            var row = (_seen + odd) / width;
            if (inRow != 0)
            {
                throw Ragged(row, $"{inRow}");
            }

            var more = repetition[odd..].IndexOf((byte)0);
            throw Ragged(row - 1, more >= 0 ? $"{width + more}" : $"at least {(long)width + repetition.Length - odd}");
        }
    }

    // The first level that is not what lists of `width` values have: 0 at the start of each, 1 otherwise.
    private int FirstOdd(ReadOnlySpan<byte> repetition)
    {
        var at = 0;
        var inRow = (int)(_seen % width);
        while (at < repetition.Length)
        {
            if (inRow == 0)
            {
                if (repetition[at] != 0)
                {
                    return at;
                }

                at++;
                inRow = 1 % width;
                if (inRow == 0)
                {
                    continue;
                }
            }

            var rest = repetition.Slice(at, Math.Min(width - inRow, repetition.Length - at));
            var start = rest.IndexOf((byte)0);
            if (start >= 0)
            {
                return at + start;
            }

            at += rest.Length;
            inRow = 0;
        }

        return -1;
    }

    private void CheckStart(ReadOnlySpan<byte> repetition)
    {
        if (repetition is [not 0, ..])
        {
            throw new CorruptException("the first row does not start a list");
        }
    }

    private DataException Null(long value, byte definition)
    {
        var what = !column.IsList || definition < column.RepeatedDefinition - 1 ? "it is null"
            : definition == column.RepeatedDefinition - 1 ? "its list is empty"
            : $"element {value % width} of its list is null";
        return new DataException($"{_file!.Path}: column '{column.Name}', row {_firstRow + (value / width)}: {what}, expected "
            + (column.IsList ? "floats" : "a float"));
    }

    private DataException Ragged(long row, string found) => new(
        $"{_file!.Path}: column '{column.Name}', row {_firstRow + row}: found {found} floats, expected {width}");

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw _file!.Failure(column, _rowGroup, exception);
        }
    }
}

/// <summary>Reads rows of features from a row group: one column of lists, or a column for each dimension.</summary>
internal sealed class FeatureCursor
{
    private const int BlockRows = 256;

    private readonly FloatCursor[] _columns;
    private readonly int _dimension;
    private readonly float[] _block;

    public FeatureCursor(IReadOnlyList<ParquetColumn> columns, int dimension)
    {
        _dimension = dimension;
        _columns = [.. columns.Select(column => new FloatCursor(column, column.IsList ? dimension : 1))];
        _block = columns[0].IsList ? [] : new float[BlockRows];
    }

    public void Open(ParquetFile file, int rowGroup, long firstRow)
    {
        foreach (var column in _columns)
        {
            column.Open(file, rowGroup, firstRow);
        }
    }

    /// <summary>Reads the next rows.</summary>
    /// <param name="rows">Rows × dimension.</param>
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
}
