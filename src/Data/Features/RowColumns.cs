using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Reads the columns of a set that say what its rows are, in order: an id or path, and the label.</summary>
public sealed class RowColumns : IDisposable
{
    private readonly FeatureSet _set;
    private readonly string _labelColumn;
    private readonly RowValues? _ids;
    private readonly LabelBatch _labels = new();
    private long _row;

    /// <summary>Starts at the first row.</summary>
    /// <param name="set">The set.</param>
    /// <param name="labelColumn">The name to give the column of labels; null for the one that the set has.</param>
    public RowColumns(FeatureSet set, string? labelColumn = null)
    {
        _set = set;
        _labelColumn = labelColumn ?? set.LabelColumn ?? "label";
        _ids = RowIds.Find(set);
        HasLabels = set.HasLabels && (!set.HasSeveralLabels
            || (set.LabelsAreIntegers && set.ClassNumbers!.All(number => number is >= int.MinValue and <= int.MaxValue)));
    }

    /// <summary>
    /// Whether labels are read. Not if the set has none, nor if a row may have several that are not 32-bit integers: lists of other types
    /// are not written.
    /// </summary>
    public bool HasLabels { get; }

    /// <summary>Reads the next rows.</summary>
    /// <param name="count">Rows to read.</param>
    /// <returns>The column of ids and the column of labels, each if there is one.</returns>
    /// <exception cref="DataException">A file cannot be read.</exception>
    public IReadOnlyList<ParquetData> Read(int count)
    {
        var columns = new List<ParquetData>();
        if (_ids is not null)
        {
            var (numbers, texts) = _ids.Read(count);
            columns.Add(numbers is not null
                ? ParquetData.Create(_ids.Column, numbers)
                : ParquetData.Create(_ids.Column, texts!, nullable: true));
        }

        if (HasLabels)
        {
            _set.GetLabels(_row, count, _labels);
            columns.Add(_set.HasSeveralLabels ? LabelLists(count) : Labels());
        }

        _row += count;
        return columns;
    }

    /// <summary>Closes the column of ids.</summary>
    public void Dispose() => _ids?.Dispose();

    private ParquetData Labels() => _set.LabelsAreIntegers
        ? ParquetData.Create(_labelColumn, Each(label => label < 0 ? null : (long?)_set.ClassNumbers![label]))
        : ParquetData.Create(_labelColumn, Each(label => label < 0 ? null : _set.Classes[label]), nullable: true);

    private T[] Each<T>(Func<int, T> of)
    {
        var values = new T[_labels.Rows];
        for (var row = 0; row < values.Length; row++)
        {
            values[row] = of(_labels[row].IsEmpty ? RowLabels.None : _labels[row][0]);
        }

        return values;
    }

    private ParquetData LabelLists(int count)
    {
        var (values, offsets) = (new List<int>(), new int[count + 1]);
        for (var row = 0; row < count; row++)
        {
            foreach (var label in _labels[row])
            {
                values.Add((int)_set.ClassNumbers![label]);
            }

            offsets[row + 1] = values.Count;
        }

        return ParquetData.IntegerLists(_labelColumn, values.ToArray(), offsets);
    }
}
