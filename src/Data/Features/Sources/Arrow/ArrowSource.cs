using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>An Arrow IPC file or stream, Feather of version 2, or a file of save_to_disk. Row groups are record batches.</summary>
internal sealed class ArrowSource : FeatureSource
{
    private readonly ArrowFile _file;
    private readonly ArrowField[] _columns;

    private ArrowSource(FeatureFile place, ArrowFile file, ArrowField[] columns)
        : base(place)
    {
        (_file, _columns, RowGroups) = (file, columns, file.Batches);
        FeatureNames = columns[0].IsNumber ? [.. columns.Select(column => column.Name)] : [];
        Dimension = IsWide ? columns.Length : FindDimension();
    }

    /// <inheritdoc/>
    public override int Dimension { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash => _file.Hash;

    /// <inheritdoc/>
    public override string Name => _columns[0].Name;

    /// <inheritdoc/>
    public override IReadOnlyList<string> FeatureNames { get; }

    /// <inheritdoc/>
    public override string TypeText => _columns[0].ToString();

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames =>
        _file.Columns.Where(column => !_columns.Contains(column, ReferenceEqualityComparer.Instance)).Select(column => column.Name);

    /// <inheritdoc/>
    public override string Contents => Describe(_file);

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Origin => FeatureOrigin.FromMetadata(_file.Metadata);

    /// <summary>Opens a file.</summary>
    /// <param name="place">The file.</param>
    /// <param name="bytes">Its bytes, closed when this returns.</param>
    /// <param name="options">Which columns.</param>
    /// <param name="leftOut">Receives the columns that a pattern left out for their names.</param>
    /// <returns>Null if it has no rows.</returns>
    /// <exception cref="DataException">It is damaged, or has no column that fits or several.</exception>
    public static ArrowSource? Open(FeatureFile place, FileBytes bytes, FeatureSetOptions options, ICollection<string> leftOut)
    {
        var file = ArrowFile.Open(bytes);
        return file.Batches.Sum() == 0 ? null : new ArrowSource(place, file, Find(file, options, leftOut));
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name)
    {
        if (Find(_file, name) is not { } column)
        {
            return null;
        }

        var value = column.IsList ? column.Children[0] : column;
        var isReadable = value.IsText || value.IsNumberType;
        return isReadable && column.Type is not (ArrowType.ListView or ArrowType.LargeListView)
            ? new ArrowValues(this, _file, column)
            : throw new UnusableLabelsException($"{Path}: label column '{name}' holds {column}, expected whole numbers, text or lists of "
            + "them");
    }

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    private static ArrowField? Find(ArrowFile file, string name) => file.Columns.FirstOrDefault(column => column.Name == name);

    private static string Describe(ArrowFile file)
    {
        const int Most = 20;
        var all = string.Join(", ", file.Columns.Take(Most).Select(column => $"{column.Name} ({column})"));
        return file.Columns.Count > Most ? $"{all} and {file.Columns.Count - Most} more" : all;
    }

    private static ArrowField[] Find(ArrowFile file, FeatureSetOptions options, ICollection<string> leftOut)
    {
        bool IsLabel(string name) => name == options.LabelColumn || LabelColumns.IsUsualName(name);
        if (options.FeaturesColumn is not { } pattern)
        {
            return [FindOnlyList(file, IsLabel)];
        }

        if (Find(file, pattern) is { } found)
        {
            return found.IsListOfNumbers
                ? [found]
                : throw new DataException($"{file.Path}: column '{pattern}' holds {found}, expected lists of numbers");
        }

        if (!ColumnPattern.IsPattern(pattern))
        {
            throw new DataException($"{file.Path}: no column '{pattern}'; the columns are: {Describe(file)}");
        }

        var table = new ColumnTable(
            file.Path,
            [.. file.Columns.Select(column => column.Name)],
            name => Find(file, name)?.Name,
            name => Find(file, name) is { IsNumber: true } ? null : Find(file, name)!.ToString(),
            FooterMetadata.IndexColumns(file.Metadata).Contains,
            () => Describe(file));
        var selected = ColumnPattern.Select(table, pattern, IsLabel, leftOut);
        return selected.Count > 0
            ? [.. selected.Select(name => Find(file, name)!)]
            : throw new DataException($"{file.Path}: no column of numbers matches '{pattern}'; the columns are: {Describe(file)}");
    }

    private static ArrowField FindOnlyList(ArrowFile file, Func<string, bool> isLabel)
    {
        var lists = file.Columns.Where(field => field.IsListOfNumbers).ToList();
        var candidates = lists.Where(field => field.Innermost.Type == ArrowType.Float).ToList();
        candidates = candidates.Count > 0 ? candidates : [.. lists.Where(field => !isLabel(field.Name))];
        return candidates.Count switch
        {
            1 => candidates[0],
            0 => throw new DataException(
                $"{file.Path}: no column holds lists of numbers; the columns are: {Describe(file)}; "
                    + "set FeaturesColumn to a pattern such as 'f*' if there is one column per dimension",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
            _ => throw new DataException(
                $"{file.Path}: {candidates.Count} columns hold lists of numbers: "
                    + $"{string.Join(", ", candidates.Take(20).Select(field => field.Name))}; choose one with FeaturesColumn",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
        };
    }

    private int FindDimension()
    {
        var first = 0;
        while (RowGroups[first] == 0)
        {
            first++;
        }

        using var file = _file.Reopen();
        using var batch = _file.OpenBatch(file, first);
        return ArrowFile.Guard(Path, () =>
        {
            var (field, at) = (_columns[0], 0L);
            if (batch.Nulls(field, 0, 1)[0])
            {
                throw new DataException($"{Path}: column '{Name}', row {FirstRow(first)}: it is null, expected a list of numbers");
            }

            Span<long> start = stackalloc long[1];
            Span<long> length = stackalloc long[1];
            while (true)
            {
                batch.Lists(field, at, start, length);
                if (!field.Children[0].IsList)
                {
                    return length[0] is > 0 and <= int.MaxValue / sizeof(double) && length[0] <= batch.LengthOf(field.Children[0])
                        ? (int)length[0]
                        : throw new DataException($"{Path}: column '{Name}', row {FirstRow(first)}: found {length[0]} values, expected a "
                        + "list of some");
                }

                if (length[0] != 1)
                {
                    throw ManyLists(FirstRow(first), length[0]);
                }

                (field, at) = (field.Children[0], start[0]);
            }
        });
    }

    private DataException ManyLists(long row, long count) => new($"{Path}: column '{Name}', row {row}: found {count} lists, expected one "
        + "list of values; flatten them before writing, each to a row or all to one");

    private sealed class Cursor(ArrowSource source) : FeatureCursor
    {
        private const int BlockBytes = 1 << 18;

        private FileBytes? _file;
        private ArrowBatch? _batch;
        private byte[] _raw = [];
        private long _firstRow;
        private long _next;

        public override void Open(int rowGroup)
        {
            _file ??= source._file.Reopen();
            _batch?.Dispose();
            _batch = null;
            _batch = source._file.OpenBatch(_file, rowGroup);
            (_firstRow, _next) = (source.FirstRow(rowGroup), 0);
        }

        public override void Read(Span<float> rows)
        {
            var dimension = source.Dimension;
            var most = Math.Max(1, BlockBytes / sizeof(float) / dimension);
            while (!rows.IsEmpty)
            {
                var count = Math.Min(most, rows.Length / dimension);
                try
                {
                    if (source.IsWide)
                    {
                        ReadColumns(rows[..(count * dimension)], count);
                    }
                    else
                    {
                        ReadLists(source._columns[0], _next, rows[..(count * dimension)], count);
                    }
                }
                catch (NullValueException exception)
                {
                    throw new DataException($"{source.Path}: column '{source.Name}', row {_firstRow + exception.Index}: it is null, "
                        + "expected a list of numbers");
                }
                catch (Exception exception) when (exception is CorruptException or IOException or OverflowException)
                {
                    throw new DataException($"{source.Path}: column '{source.Name}' cannot be read: {exception.Message}", exception);
                }

                _next += count;
                rows = rows[(count * dimension)..];
            }
        }

        public override void Dispose()
        {
            _batch?.Dispose();
            _file?.Dispose();
        }

        private void ReadLists(ArrowField field, long first, Span<float> rows, int count)
        {
            _batch!.CheckNulls(field, first, count);
            var (starts, lengths) = (new long[count], new long[count]);
            _batch.Lists(field, first, starts, lengths);
            var (elements, dimension) = (field.Children[0], rows.Length / count);
            for (var i = 0; i < count; i++)
            {
                if (lengths[i] != (elements.IsList ? 1 : dimension))
                {
                    var row = _firstRow + _next + i;
                    throw elements.IsList ? source.ManyLists(row, lengths[i])
                        : new DataException($"{source.Path}: column '{source.Name}', row {row}: found {lengths[i]} values, expected "
                        + $"{dimension}");
                }
            }

            // Views may have lists in any order; others have one after another.
            var isView = field.Type is ArrowType.ListView or ArrowType.LargeListView;
            var together = isView ? 1 : count;
            for (var i = 0; i < count; i += together)
            {
                var target = rows.Slice(i * dimension, together * dimension);
                if (elements.IsList)
                {
                    ReadLists(elements, starts[i], target, together);
                }
                else
                {
                    ReadElements(elements, starts[i], target, dimension, i);
                }
            }
        }

        private void ReadElements(ArrowField elements, long start, Span<float> target, int dimension, int row)
        {
            try
            {
                _batch!.CheckNulls(elements, start, target.Length);
            }
            catch (NullValueException exception)
            {
                var (inRow, element) = Math.DivRem(exception.Index - start, dimension);
                throw new DataException($"{source.Path}: column '{source.Name}', row {_firstRow + _next + row + inRow}: element {element} "
                    + "is null, expected a number");
            }

            ArrowNumbers.Read(_batch, elements, start, target, 1, target.Length, ref _raw);
        }

        private void ReadColumns(Span<float> rows, int count)
        {
            for (var d = 0; d < source._columns.Length; d++)
            {
                try
                {
                    _batch!.CheckNulls(source._columns[d], _next, count);
                }
                catch (NullValueException exception)
                {
                    throw new DataException($"{source.Path}: {source.Describe(d)}, row {_firstRow + exception.Index}: found null, expected "
                        + "a number");
                }

                ArrowNumbers.Read(_batch, source._columns[d], _next, rows[d..], source.Dimension, count, ref _raw);
            }
        }
    }
}
