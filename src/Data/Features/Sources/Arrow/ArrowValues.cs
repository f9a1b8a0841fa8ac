using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A column of an Arrow file that holds numbers, text, or lists of them.</summary>
/// <param name="source">The file as a part of a set.</param>
/// <param name="arrow">The file.</param>
/// <param name="column">The column.</param>
internal sealed class ArrowValues(FeatureSource source, ArrowFile arrow, ArrowField column) : ValueColumn
{
    private const int Block = 1 << 12;

    private readonly ArrowField _value = column.IsList ? column.Children[0] : column;
    private FileBytes? _file;

    /// <inheritdoc/>
    public override LabelKind Kind => _value.IsText ? LabelKind.Text : _value.Type == ArrowType.Bool ? LabelKind.Boolean : LabelKind.Number;

    /// <inheritdoc/>
    public override bool AreLists => column.IsList;

    /// <inheritdoc/>
    public override string TypeText => column.ToString();

    /// <inheritdoc/>
    public override IReadOnlyList<string>? ClassNames => FooterMetadata.ClassNames(arrow.Metadata, column.Name);

    /// <inheritdoc/>
    public override void Read(int rowGroup, ElementReader<Int128> take) =>
        Read(rowGroup, (batch, field, first, count) => ArrowNumbers.WholeNumbers(batch, field, field, first, count), take);

    /// <inheritdoc/>
    public override void Read(int rowGroup, ElementReader<string> take) =>
        Read(rowGroup, (batch, field, first, count) =>
        {
            var texts = new string?[count];
            batch.Texts(field, first, texts);
            return Array.ConvertAll(texts, text => text ?? string.Empty);
        }, take);

    /// <inheritdoc/>
    public override void Dispose() => _file?.Dispose();

    private void Read<T>(int rowGroup, Func<ArrowBatch, ArrowField, long, int, T[]> read, ElementReader<T> take)
        => ArrowFile.Guard(source.Path, () =>
    {
        _file ??= arrow.Reopen();
        using var batch = arrow.OpenBatch(_file, rowGroup);
        var dictionary = _value.Dictionary is null ? null : arrow.ReadDictionary(_file, _value, rowGroup, read);
        var rows = source.RowGroups[rowGroup];
        for (long first = 0; first < rows; first += Block)
        {
            var count = (int)Math.Min(Block, rows - first);
            if (column.IsList)
            {
                ReadLists(batch, first, count, read, dictionary, take);
            }
            else
            {
                Take(batch, first, count, read, dictionary, take, startsRows: true);
            }
        }

        return true;
    });

    private void ReadLists<T>(
        ArrowBatch batch,
        long first,
        int count,
        Func<ArrowBatch, ArrowField, long, int, T[]> read,
        List<T>? dictionary,
        ElementReader<T> take)
    {
        const int MostLabels = 1 << 16;
        var nulls = batch.Nulls(column, first, count);
        var (starts, lengths) = (new long[count], new long[count]);
        batch.Lists(column, first, starts, lengths);
        for (var i = 0; i < count; i++)
        {
            if (nulls[i] || lengths[i] == 0)
            {
                take(default!, true, true);
                continue;
            }

            if (lengths[i] > MostLabels)
            {
                throw new CorruptException($"column '{column.Name}', row {source.FirstRow(0) + first + i}: a list of {lengths[i]} labels");
            }

            Take(batch, starts[i], (int)lengths[i], read, dictionary, take, startsRows: false);
        }
    }

    private void Take<T>(
        ArrowBatch batch,
        long first,
        int count,
        Func<ArrowBatch, ArrowField, long, int, T[]> read,
        List<T>? dictionary,
        ElementReader<T> take,
        bool startsRows)
    {
        var nulls = batch.Nulls(_value, first, count);
        var values = dictionary is null ? read(batch, _value, first, count) : LookUp(batch, first, nulls, dictionary);
        for (var i = 0; i < count; i++)
        {
            take(nulls[i] ? default! : values[i], nulls[i], startsRows || i == 0);
        }
    }

    private T[] LookUp<T>(ArrowBatch batch, long first, bool[] nulls, List<T> dictionary)
    {
        var indices = ArrowNumbers.WholeNumbers(batch, _value.Indices!, _value, first, nulls.Length);
        var values = new T[indices.Length];
        for (var i = 0; i < values.Length; i++)
        {
            if (!nulls[i])
            {
                values[i] = indices[i] >= 0 && indices[i] < dictionary.Count
                    ? dictionary[(int)indices[i]]
                    : throw new CorruptException($"column '{column.Name}': place {indices[i]} in a dictionary of {dictionary.Count} "
                    + "values");
            }
        }

        return values;
    }
}
