namespace MonoLoss.Data.Parquet;

/// <summary>
/// Reads one column of numbers as floats, a page at a time and in order, to where the caller wants them. A column of lists must have the
/// same number of values in every row, so that levels are only checked and never kept. A list that holds one list is as good as that list.
/// </summary>
internal sealed class FloatColumn : IDisposable
{
    private const int LevelBlock = 4096;
    private const int PeekReadAhead = 1 << 16;

    private readonly ParquetColumn _column;
    private readonly int _width;
    private readonly PageReader _pages;
    private readonly ValueReader<float> _values;
    private ParquetFile? _file;
    private int _rowGroup;
    private long _firstRow;
    private long _seen;
    private int _left;

    /// <summary>Prepares to read a column.</summary>
    /// <param name="column">A column of numbers, of lists of them, or of lists of one such list.</param>
    /// <param name="width">Floats per row.</param>
    /// <param name="readAhead">Bytes to read at a time where pages are smaller.</param>
    public FloatColumn(ParquetColumn column, int width, int readAhead = PageReader.DefaultReadAhead)
    {
        (_column, _width, _pages) = (column, width, new PageReader(readAhead));
        _values = Numbers.Floats(column);
    }

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
        _left = 0;
        _values.Reset();
        Guard(() => file.OpenPages(_pages, _column, rowGroup));
    }

    /// <summary>Reads the next values.</summary>
    /// <exception cref="DataException">They are damaged, null, or lists of another length.</exception>
    public void Read(Span<float> target)
    {
        try
        {
            while (!target.IsEmpty)
            {
                if (_left == 0 && !NextPage(valuesWanted: true))
                {
                    throw new CorruptException($"it holds the values of {_seen / _width} rows, expected more");
                }

                var count = Math.Min(_left, target.Length);
                _values.Read(_pages.Values, target[..count]);
                _left -= count;
                target = target[count..];
            }
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw _file!.Failure(_column, _rowGroup, exception);
        }
    }

    /// <summary>Reads the row group to its end only to check it.</summary>
    /// <exception cref="DataException">As for <see cref="Read"/>, or the last list is too short.</exception>
    public void CheckAll()
    {
        Guard(() =>
        {
            while (NextPage(valuesWanted: false))
            {
            }
        });
        if (_seen % _width != 0)
        {
            throw Ragged(_seen / _width, $"{_seen % _width}");
        }
    }

    /// <summary>The number of floats in the first row of a list column.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">The column.</param>
    /// <param name="rowGroup">Index of the first row group that has rows.</param>
    /// <exception cref="DataException">The row is null, empty or cannot be read.</exception>
    public static int FirstLength(ParquetFile file, ParquetColumn column, int rowGroup)
    {
        if (column.IsList && PeekFirstLength(file, column, rowGroup) is var peeked and > 0)
        {
            return peeked;
        }

        using var reader = new FloatColumn(column, int.MaxValue);
        reader.Open(file, rowGroup, 0);
        long length = 0;
        reader.Guard(() => length = reader.CountFirst());
        return length is > 0 and <= int.MaxValue
            ? (int)length
            : throw file.Failure(column, rowGroup, new CorruptException("the first row cannot be read"));
    }

    /// <summary>Frees the buffers.</summary>
    public void Dispose() => _pages.Dispose();

    // A page can be as large as a row group; decompressing all of it for the length of one row would take as long as reading the data.
    // So only its start is decoded, and trusted if it agrees with the footer's counts. Lists of one value need the definition levels, too:
    // such a list may also be empty or null.
    private static int PeekFirstLength(ParquetFile file, ParquetColumn column, int rowGroup)
    {
        using var pages = new PageReader(PeekReadAhead);
        try
        {
            file.OpenPages(pages, column, rowGroup);
            var length = pages.PeekFirstRow();
            return length > 1 && (Int128)file.RowGroups[rowGroup] * length == file.ValueCount(column, rowGroup) ? length : 0;
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            return 0;
        }
    }

    private long CountFirst()
    {
        long inner = 0;
        Span<byte> repetition = stackalloc byte[LevelBlock];
        Span<byte> definition = stackalloc byte[LevelBlock];
        long length = 0;
        while (_pages.Next(null))
        {
            for (int count; (count = _pages.NextLevels(repetition, definition)) > 0;)
            {
                if (length == 0)
                {
                    CheckStart(repetition[0]);
                    if (definition[0] < _column.RepeatedDefinition)
                    {
                        throw Null(0, definition[0]);
                    }
                }

                var next = repetition[..count].IndexOf((byte)0);
                next = length == 0 && next == 0 ? repetition[1..count].IndexOf((byte)0) + 1 : next;
                var ends = next > 0 || (next == 0 && length > 0);
                var part = ends ? next : count;
                inner += _column.IsListOfLists ? repetition[..part].Count((byte)1) : 0;
                length += part;
                if (ends)
                {
                    return OneList(length, inner + 1);
                }
            }
        }

        return OneList(length, inner + 1);
    }

    private long OneList(long length, long lists) => lists <= 1 ? length : throw Lists(0, $"{lists} lists of {length / lists} values");

    private DataException Lists(long row, string found) => new($"{_file!.Path}: column '{_column.Name}', row {_firstRow + row}: "
        + $"found {found}, expected one list of values; to flatten it, write one row per inner list, or one list per row, such as by "
        + "df.explode('x') or [np.ravel(v) for v in df['x']] (pandas), pc.list_flatten (pyarrow), flatten(x) (DuckDB)");

    private bool NextPage(bool valuesWanted)
    {
        if (!_pages.Next(valuesWanted ? _values : null))
        {
            return false;
        }

        CheckLevels();
        _left = _pages.Count;
        if (valuesWanted)
        {
            _values.Start(_pages.Encoding, _pages.Values, _left);
        }

        return true;
    }

    private void CheckLevels()
    {
        Span<byte> repetition = stackalloc byte[LevelBlock];
        Span<byte> definition = stackalloc byte[LevelBlock];
        for (int count; (count = _pages.NextLevels(repetition, definition)) > 0; _seen += count)
        {
            CheckLevels(repetition[..count], definition[..count]);
        }
    }

    private void CheckLevels(ReadOnlySpan<byte> repetition, ReadOnlySpan<byte> definition)
    {
        var missing = definition.IndexOfAnyExcept((byte)_column.MaxDefinition);
        if (_column.IsFlat)
        {
            if (missing >= 0)
            {
                throw Null(_seen + missing, definition[missing]);
            }

            return;
        }

        if (_seen == 0)
        {
            CheckStart(repetition[0]);
        }

        var odd = FirstOdd(repetition);
        if (odd >= 0 && _column.IsListOfLists && repetition[odd] == 1 && (missing < 0 || odd < missing))
        {
            throw Lists((_seen + odd) / _width, "several lists");
        }

        if (missing >= 0 && (odd < 0 || missing < odd))
        {
            throw Null(_seen + missing, definition[missing]);
        }

        if (odd >= 0)
        {
            var inRow = (_seen + odd) % _width;
            var row = (_seen + odd) / _width;
            throw inRow != 0 ? Ragged(row, $"{inRow}") : Ragged(row - 1, CountRest(repetition[odd..]));
        }
    }

    // The length of a row that is longer than it should be, as far as it is on this page.
    private string CountRest(ReadOnlySpan<byte> repetition)
    {
        Span<byte> levels = stackalloc byte[LevelBlock];
        Span<byte> definition = stackalloc byte[LevelBlock];
        long length = _width;
        scoped var rest = repetition;
        while (true)
        {
            var next = rest.IndexOf((byte)0);
            if (next >= 0)
            {
                return $"{length + next}";
            }

            length += rest.Length;
            var count = _pages.NextLevels(levels, definition);
            if (count == 0)
            {
                return $"at least {length}";
            }

            rest = levels[..count];
        }
    }

    // The first level that lists of _width values do not have: 0 at the start of each, the highest otherwise.
    private int FirstOdd(ReadOnlySpan<byte> repetition)
    {
        var at = 0;
        var inRow = (int)(_seen % _width);
        while (at < repetition.Length)
        {
            if (inRow == 0)
            {
                if (repetition[at] != 0)
                {
                    return at;
                }

                at++;
                inRow = 1 % _width;
                if (inRow == 0)
                {
                    continue;
                }
            }

            var rest = repetition.Slice(at, Math.Min(_width - inRow, repetition.Length - at));
            var start = rest.IndexOfAnyExcept((byte)_column.MaxRepetition);
            if (start >= 0)
            {
                return at + start;
            }

            at += rest.Length;
            inRow = 0;
        }

        return -1;
    }

    private static void CheckStart(byte repetition)
    {
        if (repetition != 0)
        {
            throw new CorruptException("the first row does not start a list");
        }
    }

    private DataException Null(long value, byte definition)
    {
        var what = _column.IsFlat || definition < _column.RepeatedDefinition - 1 ? "it is null"
            : definition == _column.RepeatedDefinition - 1 ? "its list is empty"
            : $"element {value % _width} of its list is null";
        return new DataException($"{_file!.Path}: column '{_column.Name}', row {_firstRow + (value / _width)}: {what}, expected "
            + (_column.IsFlat ? "a number" : "numbers"));
    }

    private DataException Ragged(long row, string found) => new(
        $"{_file!.Path}: column '{_column.Name}', row {_firstRow + row}: found {found} values, expected {_width}");

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw _file!.Failure(_column, _rowGroup, exception);
        }
    }
}
