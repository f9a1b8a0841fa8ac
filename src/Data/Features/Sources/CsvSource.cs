using System.Text.RegularExpressions;
using MonoLoss.Data.Parquet;
using nietras.SeparatedValues;

namespace MonoLoss.Data;

/// <summary>Text with one row a line and one column per dimension.</summary>
internal sealed partial class CsvSource : FeatureSource
{
    private readonly CsvFile _csv;
    private readonly int[] _columns;
    private readonly HashSet<string> _features;
    private (string Name, LoadedValues Values)? _last;

    private CsvSource(FeatureFile place, CsvFile csv, IReadOnlyList<string> columns)
        : base(place)
    {
        (_csv, FeatureNames, _features) = (csv, columns, columns.ToHashSet(StringComparer.Ordinal));
        _columns = [.. columns.Select(name => csv.IndexOf(name))];
        RowGroups = csv.Blocks;
    }

    /// <inheritdoc/>
    public override int Dimension => _columns.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash => _csv.Hash;

    /// <inheritdoc/>
    public override string Name => FeatureNames[0];

    /// <inheritdoc/>
    public override IReadOnlyList<string> FeatureNames { get; }

    /// <inheritdoc/>
    public override string TypeText => "numbers";

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames => _csv.Columns.Where(name => name.Length > 0 && !_features.Contains(name));

    /// <inheritdoc/>
    public override string Contents => Describe(_csv);

    /// <summary>Opens a file.</summary>
    /// <param name="place">The file.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="options">Which columns.</param>
    /// <param name="leftOut">Receives the columns that a pattern left out for their names.</param>
    /// <returns>Null if it has no rows.</returns>
    /// <exception cref="DataException">It is damaged, or its columns of features cannot be told.</exception>
    public static CsvSource? Open(FeatureFile place, FileBytes bytes, FeatureSetOptions options, ICollection<string> leftOut)
    {
        var csv = CsvFile.Open(bytes);
        if (csv.Blocks.Count == 0)
        {
            return null;
        }

        if (csv.FirstValues.Count != csv.Columns.Count)
        {
            throw new DataException($"{csv.Path}: row 0: found {csv.FirstValues.Count} values, expected {csv.Columns.Count} as in the "
                + "header");
        }

        return new CsvSource(place, csv, Find(csv, options, leftOut));
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name)
    {
        var column = name.Length == 0 || _features.Contains(name) ? -1 : _csv.IndexOf(name);
        if (column < 0)
        {
            return null;
        }

        if (_last?.Name != name)
        {
            _last = (name, LoadedValues.Of(_csv.ReadTexts(column)));
        }

        return _last.Value.Values.For(this);
    }

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    private static string Describe(CsvFile csv) =>
        string.Join(", ", csv.Columns.Take(20).Select(name => name.Length == 0 ? "(without a name)" : name))
        + (csv.Columns.Count > 20 ? $" and {csv.Columns.Count - 20} more" : string.Empty);

    private static IReadOnlyList<string> Find(CsvFile csv, FeatureSetOptions options, ICollection<string> leftOut)
    {
        bool IsLabel(string name) => name == options.LabelColumn || LabelColumns.IsUsualName(name);
        string? Other(string name)
        {
            var value = csv.FirstValues[csv.IndexOf(name)];
            return value.StartsWith('[') ? "a list in a cell" : null;
        }

        if (options.FeaturesColumn is { } pattern && csv.HasHeader)
        {
            if (!ColumnPattern.IsPattern(pattern))
            {
                throw csv.Columns.Contains(pattern)
                    ? new DataException($"{csv.Path}: column '{pattern}' holds {Other(pattern) ?? "one value a row"}, expected a pattern "
                    + "such as 'f*' for one column per dimension; write lists as Parquet")
                    : new DataException($"{csv.Path}: no column '{pattern}'; the columns are: {Describe(csv)}");
            }

            var table = new ColumnTable(
                csv.Path, csv.Columns, name => csv.IndexOf(name) >= 0 ? name : null, Other, IsIndex, () => Describe(csv));
            var selected = ColumnPattern.Select(table, pattern, IsLabel, leftOut);
            return selected.Count > 0
                ? selected
                : throw new DataException($"{csv.Path}: no column of numbers matches '{pattern}'; the columns are: {Describe(csv)}");
        }

        if (csv.Columns.FirstOrDefault(name => Other(name) is not null) is { } list)
        {
            throw new DataException($"{csv.Path}: column '{list}' has a list in a cell; write one column per value, or Parquet "
                + "(pandas: to_parquet)");
        }

        return csv.HasHeader ? Guess(csv, IsLabel) : [.. csv.Columns.Where(name => name != options.LabelColumn)];
    }

    // Numbered columns are features. Others beside them may be or not: the user has to say.
    private static IReadOnlyList<string> Guess(CsvFile csv, Func<string, bool> isLabel)
    {
        var numbers = csv.Columns.Where((name, i) => !IsIndex(name) && !isLabel(name) && !ColumnPattern.IsId(name)
            // A missing value is one of a number: it is refused with its row.
            && (csv.FirstValues[i].Length == 0 || csv.IsNumber(csv.FirstValues[i]))).ToList();
        var families = numbers.Where(name => char.IsAsciiDigit(name[^1])).GroupBy(name => TrailingNumber().Replace(name, "")).ToList();
        if (numbers.Count == 0)
        {
            throw new DataException($"{csv.Path}: no column of numbers; the columns are: {Describe(csv)}",
                property: nameof(FeatureSetOptions.FeaturesColumn));
        }

        return families.Count == 0 || (families.Count == 1 && families[0].Count() == numbers.Count)
            ? [.. numbers.Order(Comparer<string>.Create(NaturalOrder.Compare))]
            : throw new DataException($"{csv.Path}: the columns of features cannot be told from others: {Describe(csv)}; choose them with "
                + $"FeaturesColumn, such as '{families.MaxBy(family => family.Count())!.Key}*'",
                property: nameof(FeatureSetOptions.FeaturesColumn));
    }

    // What pandas writes for an index without a name, and what it reads that as.
    private static bool IsIndex(string name) => name.Length == 0 || name.StartsWith("Unnamed: ", StringComparison.Ordinal);

    [GeneratedRegex("[0-9]+$")]
    private static partial Regex TrailingNumber();

    private sealed class Cursor(CsvSource source) : FeatureCursor
    {
        private FileBytes? _file;
        private SepReader? _reader;
        private int _group;
        private long _row;

        public override void Open(int rowGroup)
        {
            _file ??= source._csv.Reopen();
            _reader?.Dispose();
            _reader = source._csv.Read(_file, rowGroup);
            (_group, _row) = (rowGroup, 0);
        }

        public override void Read(Span<float> rows)
        {
            try
            {
                while (!rows.IsEmpty)
                {
                    if (!_reader!.MoveNext())
                    {
                        throw new CorruptException($"it has {_row} rows, expected {source.RowGroups[_group]}: a line may end in a carriage "
                            + "return");
                    }

                    if (!CsvFile.IsBlank(_reader.Current))
                    {
                        Parse(_reader.Current, rows[..source.Dimension]);
                        rows = rows[source.Dimension..];
                        _row++;
                    }
                }
            }
            catch (Exception exception) when (exception is CorruptException or IOException or InvalidDataException
                or NotSupportedException or ArgumentException)
            {
                throw new DataException($"{source.Path}: cannot be read as CSV: {exception.Message}", exception);
            }
        }

        public override void Dispose()
        {
            _reader?.Dispose();
            _file?.Dispose();
        }

        private void Parse(SepReader.Row row, Span<float> values)
        {
            var number = source.FirstRow(_group) + _row;
            for (var i = 0; i < values.Length; i++)
            {
                var cell = source._csv.CellOf(row, source._columns[i], number);
                if (!CsvFile.TryParse(cell, out values[i]))
                {
                    throw Failure(cell.ToString(), i, number);
                }
            }
        }

        private DataException Failure(string cell, int column, long row)
        {
            var found = cell.Length == 0 ? "no value"
                : $"'{(cell.Length > 40 ? cell[..40] + "…" : cell)}'";
            var separator = source._csv.Separator;
            var why = separator == ';' && cell.Contains(',', StringComparison.Ordinal)
                ? "; it has semicolons between values and decimal commas: write decimal points, such as by pandas' to_csv(path, "
                + "index=False)"
                : cell.StartsWith('[') ? "; a list in a cell: write one column per value, or Parquet"
                : string.Empty;
            return new DataException($"{source.Path}: {source.Describe(column)}, row {row}: found {found}, expected a number{why}");
        }
    }
}
