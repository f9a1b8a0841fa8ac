using Apache.Arrow;
using Apache.Arrow.Types;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>An Arrow IPC file or stream, Feather of version 2, or a file of save_to_disk. Row groups are record batches, each read at once.</summary>
internal sealed class ArrowSource : FeatureSource
{
    private readonly ArrowFile _file;
    private readonly int[] _columns;
    private readonly IReadOnlyDictionary<string, string> _metadata;

    private ArrowSource(FeatureFile place, ArrowFile file, int[] columns)
        : base(place)
    {
        (_file, _columns, RowGroups) = (file, columns, file.Batches);
        _metadata = file.Schema.Metadata ?? new Dictionary<string, string>();
        FeatureNames = ArrowColumns.IsNumber(TypeOf(columns[0])) ? [.. columns.Select(NameOf)] : [];
        Dimension = IsWide ? columns.Length : FindDimension();
    }

    /// <inheritdoc/>
    public override int Dimension { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash => _file.Hash;

    /// <inheritdoc/>
    public override string Name => NameOf(_columns[0]);

    /// <inheritdoc/>
    public override IReadOnlyList<string> FeatureNames { get; }

    /// <inheritdoc/>
    public override string TypeText => ArrowColumns.Describe(TypeOf(_columns[0]));

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames =>
        _file.Schema.FieldsList.Where((_, i) => !_columns.Contains(i)).Select(column => column.Name);

    /// <inheritdoc/>
    public override string Contents => Describe(_file.Schema);

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
        var column = IndexOf(_file.Schema, name);
        if (column < 0)
        {
            return null;
        }

        var type = ArrowColumns.StorageOf(TypeOf(column));
        var element = ArrowColumns.ElementOf(type) ?? type;
        var value = ArrowColumns.StorageOf(element) is DictionaryType dictionary ? dictionary.ValueType : element;
        LabelKind? kind = ArrowColumns.IsText(value) ? LabelKind.Text
            : ArrowColumns.StorageOf(value) is BooleanType ? LabelKind.Boolean
            : ArrowColumns.IsNumber(value) ? LabelKind.Number
            : null;
        return kind is not null
            ? new Values(this, column, kind.Value, element != type)
            : throw new UnusableLabelsException($"{Path}: label column '{name}' holds {ArrowColumns.Describe(type)}, expected whole numbers, text "
                + "or lists of them");
    }

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    private static int IndexOf(Schema schema, string name)
    {
        for (var i = 0; i < schema.FieldsList.Count; i++)
        {
            if (schema.FieldsList[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }

    private static string Describe(Schema schema)
    {
        const int Most = 20;
        var all = string.Join(
            ", ", schema.FieldsList.Take(Most).Select(field => $"{field.Name} ({ArrowColumns.Describe(field.DataType)})"));
        return schema.FieldsList.Count > Most ? $"{all} and {schema.FieldsList.Count - Most} more" : all;
    }

    private static int[] Find(ArrowFile file, FeatureSetOptions options, ICollection<string> leftOut)
    {
        var schema = file.Schema;
        bool IsLabel(string name) => name == options.LabelColumn || LabelColumns.IsUsualName(name);
        if (options.FeaturesColumn is not { } pattern)
        {
            return [FindOnlyList(file, IsLabel)];
        }

        if (IndexOf(schema, pattern) is var index and >= 0)
        {
            return IsListOfNumbers(schema.FieldsList[index].DataType)
                ? [index]
                : throw new DataException($"{file.Path}: column '{pattern}' holds {ArrowColumns.Describe(schema.FieldsList[index].DataType)}, expected "
                    + "lists of numbers");
        }

        if (!ColumnPattern.IsPattern(pattern))
        {
            throw new DataException($"{file.Path}: no column '{pattern}'; the columns are: {Describe(schema)}");
        }

        var table = new ColumnTable(
            file.Path,
            [.. schema.FieldsList.Select(field => field.Name)],
            name => IndexOf(schema, name) >= 0 ? name : null,
            name => schema.FieldsList[IndexOf(schema, name)].DataType is var type && ArrowColumns.IsNumber(type)
                ? null
                : ArrowColumns.Describe(type),
            FooterMetadata.IndexColumns(schema.Metadata ?? new Dictionary<string, string>()).Contains,
            () => Describe(schema));
        var selected = ColumnPattern.Select(table, pattern, IsLabel, leftOut);
        return selected.Count > 0
            ? [.. selected.Select(name => IndexOf(schema, name))]
            : throw new DataException($"{file.Path}: no column of numbers matches '{pattern}'; the columns are: {Describe(schema)}");
    }

    private static int FindOnlyList(ArrowFile file, Func<string, bool> isLabel)
    {
        var lists = file.Schema.FieldsList.Where(field => IsListOfNumbers(field.DataType)).ToList();
        var candidates = lists.Where(field => ArrowColumns.IsFloat(Innermost(field.DataType))).ToList();
        candidates = candidates.Count > 0 ? candidates : [.. lists.Where(field => !isLabel(field.Name))];
        return candidates.Count switch
        {
            1 => IndexOf(file.Schema, candidates[0].Name),
            0 => throw new DataException(
                $"{file.Path}: no column holds lists of numbers; the columns are: {Describe(file.Schema)}; "
                    + "set FeaturesColumn to a pattern such as 'f*' if there is one column per dimension",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
            _ => throw new DataException(
                $"{file.Path}: {candidates.Count} columns hold lists of numbers: "
                    + $"{string.Join(", ", candidates.Take(20).Select(field => field.Name))}; choose one with FeaturesColumn",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
        };
    }

    private static IArrowType Innermost(IArrowType type)
    {
        while (ArrowColumns.ElementOf(type) is { } element)
        {
            type = element;
        }

        return type;
    }

    private static bool IsListOfNumbers(IArrowType type) =>
        ArrowColumns.ElementOf(type) is not null && ArrowColumns.IsNumber(Innermost(type));

    private string NameOf(int column) => _file.Schema.FieldsList[column].Name;

    private IArrowType TypeOf(int column) => _file.Schema.FieldsList[column].DataType;

    private int FindDimension()
    {
        var first = 0;
        while (RowGroups[first] == 0)
        {
            first++;
        }

        using var file = _file.Reopen();
        using var batch = _file.ReadBatch(file, first);
        return ArrowFile.Guard(Path, () => RowOf(batch.Column(_columns[0]), 0, FirstRow(first)).Count) is var count and > 0
            ? count
            : throw new DataException($"{Path}: column '{Name}', row {FirstRow(first)}: the list is empty");
    }

    // A list that holds one list is that one.
    private (IArrowArray Values, int Start, int Count) RowOf(IArrowArray lists, int index, long row)
    {
        if (lists.IsNull(index))
        {
            throw new DataException($"{Path}: column '{Name}', row {row}: it is null, expected a list of numbers");
        }

        var found = ArrowColumns.ElementsOf(lists, index);
        if (ArrowColumns.ElementOf(found.Values.Data.DataType) is null)
        {
            return found;
        }

        return found.Count == 1
            ? RowOf(found.Values, found.Start, row)
            : throw new DataException($"{Path}: column '{Name}', row {row}: found {found.Count} lists, expected one list of values; "
                + "flatten them before writing, each to a row or all to one");
    }

    private sealed class Cursor(ArrowSource source) : FeatureCursor
    {
        private FileBytes? _file;
        private RecordBatch? _batch;
        private IArrowArray[] _arrays = [];
        private long _firstRow;
        private int _next;

        public override void Open(int rowGroup)
        {
            _file ??= source._file.Reopen();
            _batch?.Dispose();
            _batch = null;
            _batch = source._file.ReadBatch(_file, rowGroup);
            _arrays = ArrowFile.Guard(source.Path, () => System.Array.ConvertAll(source._columns, _batch.Column));
            (_firstRow, _next) = (source.FirstRow(rowGroup), 0);
        }

        public override void Read(Span<float> rows)
        {
            try
            {
                var count = rows.Length / source.Dimension;
                if (source.IsWide)
                {
                    ReadColumns(rows, count);
                }
                else
                {
                    for (var i = 0; i < count; i++)
                    {
                        ReadList(_next + i, rows.Slice(i * source.Dimension, source.Dimension));
                    }
                }

                _next += count;
            }
            catch (Exception exception) when (exception is not DataException)
            {
                throw new DataException($"{source.Path}: column '{source.Name}' cannot be read: {exception.Message}", exception);
            }
        }

        public override void Dispose()
        {
            _batch?.Dispose();
            _file?.Dispose();
        }

        private void ReadList(int index, Span<float> row)
        {
            var (values, start, count) = source.RowOf(_arrays[0], index, _firstRow + index);
            if (count != row.Length)
            {
                throw new DataException($"{source.Path}: column '{source.Name}', row {_firstRow + index}: found {count} values, expected "
                    + $"{row.Length}");
            }

            CheckNulls(values, start, count, i => $"column '{source.Name}', row {_firstRow + index}: element {i} is null");
            ArrowColumns.Copy(values, start, row, 1, count);
        }

        private void ReadColumns(Span<float> rows, int count)
        {
            for (var d = 0; d < _arrays.Length; d++)
            {
                var dimension = d;
                CheckNulls(_arrays[d], _next, count, i => $"{source.Describe(dimension)}, row {_firstRow + _next + i}: found null");
                ArrowColumns.Copy(_arrays[d], _next, rows[d..], source.Dimension, count);
            }
        }

        private void CheckNulls(IArrowArray values, int start, int count, Func<int, string> where)
        {
            if (values.NullCount == 0)
            {
                return;
            }

            for (var i = 0; i < count; i++)
            {
                if (values.IsNull(start + i))
                {
                    throw new DataException($"{source.Path}: {where(i)}, expected a number");
                }
            }
        }
    }

    private sealed class Values(ArrowSource source, int column, LabelKind kind, bool areLists) : ValueColumn
    {
        private FileBytes? _file;

        public override LabelKind Kind => kind;

        public override bool AreLists => areLists;

        public override string TypeText => ArrowColumns.Describe(source.TypeOf(column));

        public override IReadOnlyList<string>? ClassNames => FooterMetadata.ClassNames(source._metadata, source.NameOf(column));

        public override void Read(int rowGroup, ElementReader<Int128> take) => Read(rowGroup, ArrowColumns.WholeNumberOf, take);

        public override void Read(int rowGroup, ElementReader<string> take) => Read(rowGroup, ArrowColumns.TextOf, take);

        public override void Dispose() => _file?.Dispose();

        private void Read<T>(int rowGroup, Func<IArrowArray, int, T> value, ElementReader<T> take)
        {
            _file ??= source._file.Reopen();
            using var batch = source._file.ReadBatch(_file, rowGroup);
            try
            {
                var rows = ArrowColumns.StorageOf(batch.Column(column));
                for (var row = 0; row < batch.Length; row++)
                {
                    if (!areLists)
                    {
                        Take(rows, row, true);
                        continue;
                    }

                    var (values, start, count) = rows.IsNull(row) ? (rows, 0, 0) : ArrowColumns.ElementsOf(rows, row);
                    for (var i = 0; i < count; i++)
                    {
                        Take(values, start + i, i == 0);
                    }

                    if (count == 0)
                    {
                        take(default!, true, true);
                    }
                }
            }
            catch (Exception exception) when (exception is not (DataException or UnusableLabelsException))
            {
                throw new DataException($"{source.Path}: column '{source.NameOf(column)}' cannot be read: {exception.Message}", exception);
            }

            void Take(IArrowArray array, int index, bool startsRow)
            {
                if (!array.IsNull(index) && array is DictionaryArray dictionary)
                {
                    (array, index) = (dictionary.Dictionary, IndexIn(dictionary, index));
                }

                var isNull = array.IsNull(index);
                take(isNull ? default! : value(ArrowColumns.StorageOf(array), index), isNull, startsRow);
            }
        }

        private static int IndexIn(DictionaryArray array, int index)
        {
            var place = ArrowColumns.WholeNumberOf(array.Indices, index);
            return place >= 0 && place < array.Dictionary.Length
                ? (int)place
                : throw new CorruptException($"an index {place} lies outside of a dictionary of {array.Dictionary.Length} values");
        }
    }
}
