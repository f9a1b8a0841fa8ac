using System.Globalization;
using System.Text;
using MonoLoss.Data.Parquet;
using nietras.SeparatedValues;

namespace MonoLoss.Data;

/// <summary>Text with one row a line: its separator, its header if it has one, and where blocks of rows begin.</summary>
internal sealed class CsvFile
{
    private const int BlockBytes = 64 << 20;
    private const int LongestLine = 16 << 20;

    private readonly FileBytes _bytes;
    private readonly List<(long Start, long Rows)> _blocks = [];
    private readonly Dictionary<string, int> _indexes = new(StringComparer.Ordinal);

    private CsvFile(FileBytes bytes)
    {
        _bytes = bytes;
        var (start, first, second) = ReadStart();
        Separator = FindSeparator(first);
        var (names, values) = (Split(first), second is null ? null : Split(second));
        HasHeader = IsHeader(names, values);
        Columns = HasHeader ? names : [.. names.Select((_, i) => i.ToString(CultureInfo.InvariantCulture))];
        for (var i = Columns.Count - 1; i >= 0; i--)
        {
            _indexes[Columns[i]] = i;
        }

        FirstValues = HasHeader ? values ?? [] : names;
        Scan(start);
        Hash = FileFingerprint.HashOf(bytes);
    }

    /// <summary>The file's path.</summary>
    public string Path => _bytes.Path;

    /// <summary>The character between values.</summary>
    public char Separator { get; }

    /// <summary>Whether the first line has the names of columns.</summary>
    public bool HasHeader { get; }

    /// <summary>The names of the columns; their numbers from 0 if the file has no header.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>The values of the first row; none if there is none.</summary>
    public IReadOnlyList<string> FirstValues { get; }

    /// <summary>The number of rows of each block.</summary>
    public IReadOnlyList<long> Blocks => _blocks.ConvertAll(block => block.Rows);

    /// <summary>What the file is known by.</summary>
    public ulong Hash { get; }

    /// <summary>Finds the header and counts the rows.</summary>
    /// <param name="bytes">The file, closed when this returns.</param>
    /// <exception cref="DataException">It is not UTF-8 text, or a line is too long.</exception>
    public static CsvFile Open(FileBytes bytes)
    {
        using (bytes)
        {
            return Guard(bytes.Path, () => new CsvFile(bytes));
        }
    }

    /// <summary>Whether a text is a number in the notation of programs: a point for the fraction, no separators between digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out float value) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    /// <summary>Whether a text is meant as a number: with a decimal comma it is, too, though it is not read as one.</summary>
    public bool IsNumber(string text) =>
        TryParse(text, out _) || (Separator != ',' && TryParse(text.Replace(',', '.'), out _));

    /// <summary>The index of the first column with a name; −1 if there is none.</summary>
    public int IndexOf(string name) => _indexes.GetValueOrDefault(name, -1);

    /// <summary>Opens the file to read the rows of a block.</summary>
    public FileBytes Reopen() => _bytes.Reopen();

    /// <summary>Reads the rows of a block.</summary>
    /// <param name="file">The file, open.</param>
    /// <param name="block">Index of the block.</param>
    public SepReader Read(FileBytes file, int block)
    {
        var start = _blocks[block].Start;
        var end = block + 1 < _blocks.Count ? _blocks[block + 1].Start : file.Length;
        var text = new StreamReader(new ByteSourceStream(new FileRange(file, start, end - start)), Encoding.UTF8, false, 1 << 16);
        return new Sep(Separator).Reader(options => options with
        {
            HasHeader = false,
            DisableColCountCheck = true,
            Unescape = true,
            CultureInfo = CultureInfo.InvariantCulture,
        }).From(text);
    }

    /// <summary>Reads a whole column.</summary>
    /// <param name="path">The file for messages.</param>
    /// <param name="name">The column; null for the only one, or one that is called as labels are.</param>
    /// <exception cref="DataException">There is no such column, or the file is damaged.</exception>
    public LoadedValues ReadValues(string path, string? name)
    {
        var column = name is not null ? IndexOf(name)
            : Columns.Count == 1 ? 0
            : Columns.ToList().FindIndex(LabelColumns.IsUsualName);
        if (column < 0)
        {
            throw new DataException(
                $"{path}: no column '{name ?? "label"}'; the columns are: {string.Join(", ", Columns.Take(20))}; name one with LabelColumn",
                property: nameof(FeatureSetOptions.LabelColumn));
        }

        return LoadedValues.Of(ReadTexts(column));
    }

    /// <summary>Reads the texts of a column. Equal texts are kept once.</summary>
    public List<string> ReadTexts(int column)
    {
        var texts = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        var lookup = known.GetAlternateLookup<ReadOnlySpan<char>>();
        using var file = Reopen();
        Guard(Path, () =>
        {
            for (var block = 0; block < _blocks.Count; block++)
            {
                using var rows = Read(file, block);
                foreach (var row in rows)
                {
                    if (IsBlank(row))
                    {
                        continue;
                    }

                    var cell = CellOf(row, column, texts.Count);
                    if (!lookup.TryGetValue(cell, out var text))
                    {
                        known.Add(text = cell.ToString());
                    }

                    texts.Add(text);
                }
            }

            return true;
        });
        return texts;
    }

    /// <summary>Whether a line has nothing in it: it is not a row.</summary>
    public static bool IsBlank(SepReader.Row row) => row.Span.IsEmpty;

    /// <summary>A value of a row.</summary>
    /// <exception cref="DataException">The row has another number of values than the first.</exception>
    public ReadOnlySpan<char> CellOf(SepReader.Row row, int column, long number) => row.ColCount == Columns.Count
        ? row[column].Span
        : throw new DataException($"{Path}: row {number}: found {row.ColCount} values, expected {Columns.Count}");

    /// <summary>Turns what can be wrong with the text into a line for the user.</summary>
    public static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is CorruptException or IOException or InvalidDataException or NotSupportedException
            or ArgumentException)
        {
            throw new DataException($"{path}: cannot be read as CSV: {exception.Message}", exception);
        }
    }

    private (long Start, string First, string? Second) ReadStart()
    {
        var start = new byte[(int)Math.Min(_bytes.Length, LongestLine)];
        _bytes.Read(start, 0);
        ReadOnlySpan<byte> text = start;
        if (text.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe]) || text.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff])
            || text.Contains((byte)0))
        {
            throw new CorruptException("it is not UTF-8 text, but UTF-16 or binary data");
        }

        var mark = text.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? 3 : 0;
        var lines = new List<string>();
        var at = mark;
        while (at < start.Length && lines.Count < 2)
        {
            var end = LineEnd(text[at..]);
            if (end < 0)
            {
                end = start.Length == _bytes.Length ? start.Length - at
                    : throw new CorruptException($"a line has more than {LongestLine} bytes, or quotes do not end");
            }

            var line = Encoding.UTF8.GetString(text.Slice(at, end)).TrimEnd('\r');
            if (line.Length > 0)
            {
                lines.Add(line);
            }

            at += end + 1;
        }

        return lines.Count > 0 ? (mark, lines[0], lines.ElementAtOrDefault(1)) : throw new CorruptException("it has no rows");
    }

    // The end of a line; a line break between quotes does not end it.
    private static int LineEnd(ReadOnlySpan<byte> text)
    {
        var quoted = false;
        for (var at = 0; at < text.Length; at++)
        {
            var next = text[at..].IndexOfAny((byte)'\n', (byte)'"');
            if (next < 0)
            {
                break;
            }

            at += next;
            if (text[at] == '"')
            {
                quoted = !quoted;
            }
            else if (!quoted)
            {
                return at;
            }
        }

        return -1;
    }

    private static char FindSeparator(string line)
    {
        var quoted = false;
        var found = ',';
        foreach (var character in line)
        {
            quoted ^= character == '"';
            if (!quoted && character is '\t' or ';')
            {
                // Where there are tabs or semicolons, commas are in texts or decimal.
                found = found == '\t' ? found : character;
            }
        }

        return found;
    }

    private string[] Split(string line)
    {
        using var reader = new Sep(Separator).Reader(options => options with
        {
            HasHeader = false, DisableColCountCheck = true, Unescape = true,
        }).FromText(line);
        foreach (var row in reader)
        {
            var cells = new string[row.ColCount];
            for (var i = 0; i < cells.Length; i++)
            {
                cells[i] = row[i].Span.ToString();
            }

            return cells;
        }

        return [];
    }

    // A header has text above numbers; or numbers that count the columns, as pandas names them, after the nameless index.
    private bool IsHeader(string[] first, string[]? second)
    {
        var counted = first.Length > 0 && first[0].Length == 0 ? first[1..] : first;
        if (counted.Length >= 2 && counted.Select((text, i) => text == i.ToString(CultureInfo.InvariantCulture)).All(equal => equal))
        {
            return true;
        }

        if (second is null || second.Length != first.Length)
        {
            return !first.Any(IsNumber);
        }

        return first.Zip(second).Any(pair => pair.First.Length > 0 && !IsNumber(pair.First)
            && (IsNumber(pair.Second) || pair.Second.StartsWith('[')));
    }

    // Finds lines without parsing them: rows are counted, and blocks of them start at known bytes.
    private void Scan(long mark)
    {
        var buffer = new byte[1 << 20];
        var (at, lineStart, quoted, isContent) = (mark, mark, false, false);
        var skip = HasHeader;
        while (at < _bytes.Length)
        {
            var block = buffer.AsSpan(0, (int)Math.Min(buffer.Length, _bytes.Length - at));
            _bytes.Read(block, at);
            for (var i = 0; i < block.Length;)
            {
                var next = block[i..].IndexOfAny((byte)'\n', (byte)'"');
                var end = next < 0 ? block.Length : i + next;
                isContent = isContent || block[i..end].ContainsAnyExcept((byte)'\r');
                i = end + 1;
                if (next < 0)
                {
                    continue;
                }

                if (block[end] == '"')
                {
                    (quoted, isContent) = (!quoted, true);
                }
                else if (!quoted)
                {
                    EndLine(at + end + 1);
                }
            }

            at += block.Length;
        }

        if (quoted)
        {
            throw new CorruptException("quotes do not end");
        }

        EndLine(_bytes.Length);

        void EndLine(long next)
        {
            if (isContent && skip)
            {
                skip = false;
            }
            else if (isContent)
            {
                if (_blocks.Count == 0 || lineStart - _blocks[^1].Start >= BlockBytes)
                {
                    _blocks.Add((lineStart, 0));
                }

                _blocks[^1] = _blocks[^1] with { Rows = _blocks[^1].Rows + 1 };
            }

            (lineStart, isContent) = (next, false);
        }
    }
}
