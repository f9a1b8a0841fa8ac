using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Reads the columns of a set that say what its rows are, in order: an id or path, and the label.</summary>
public sealed class RowColumns : IDisposable
{
    private static readonly string[] IdNames =
        ["id", "ids", "idx", "uid", "uuid", "key", "path", "paths", "image_path", "file", "file_name", "filename", "name", "names"];

    private readonly FeatureSet _set;
    private readonly string _labelColumn;
    private readonly IdReader? _ids;
    private readonly LabelBatch _labels = new();
    private long _row;

    /// <summary>Starts at the first row.</summary>
    /// <param name="set">The set.</param>
    /// <param name="labelColumn">The name to give the column of labels; null for the one that the set has.</param>
    public RowColumns(FeatureSet set, string? labelColumn = null)
    {
        _set = set;
        _labelColumn = labelColumn ?? set.LabelColumn ?? "label";
        _ids = IdNames
            .Where(name => name != set.LabelColumn)
            .Select(name => IdReader.Find(set, name))
            .FirstOrDefault(found => found is not null);
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
            columns.Add(_ids.Read(count));
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

    /// <summary>Reads the ids or paths of all rows in order.</summary>
    private sealed class IdReader : IDisposable
    {
        private readonly FeatureSet _set;
        private readonly string _name;
        private readonly bool _isText;
        private readonly Queue<string?> _texts = [];
        private readonly Queue<long?> _numbers = [];
        private FeatureSource? _source;
        private ValueColumn? _column;
        private int _next;

        private IdReader(FeatureSet set, string name, bool isText) => (_set, _name, _isText) = (set, name, isText);

        /// <summary>Opens a column that every file has, with one number or text a row.</summary>
        /// <returns>Null if there is none.</returns>
        public static IdReader? Find(FeatureSet set, string name)
        {
            LabelKind? kind = null;
            foreach (var source in set.Sources)
            {
                try
                {
                    using var column = source.FindValues(name);
                    if (column is not { AreLists: false } || column.Kind == LabelKind.Boolean || (kind ?? column.Kind) != column.Kind)
                    {
                        return null;
                    }

                    kind = column.Kind;
                }
                catch (UnusableLabelsException)
                {
                    return null;
                }
            }

            return new IdReader(set, name, kind == LabelKind.Text);
        }

        public ParquetData Read(int count)
        {
            while (_texts.Count + _numbers.Count < count)
            {
                ReadGroup(_next++);
            }

            return _isText
                ? ParquetData.Create(_name, Take(_texts, count), nullable: true)
                : ParquetData.Create(_name, Take(_numbers, count));
        }

        public void Dispose() => _column?.Dispose();

        private static T[] Take<T>(Queue<T> queue, int count)
        {
            var taken = new T[count];
            for (var i = 0; i < count; i++)
            {
                taken[i] = queue.Dequeue();
            }

            return taken;
        }

        private void ReadGroup(int group)
        {
            if (!ReferenceEquals(_source, _set.Source(group)))
            {
                _column?.Dispose();
                _source = _set.Source(group);
                _column = _source.FindValues(_name);
            }

            var index = _set.RowGroups[group].Index;
            if (_isText)
            {
                _column!.Read(index, (string text, bool isNull, bool _) => _texts.Enqueue(isNull ? null : text));
            }
            else
            {
                // What is no whole number of 64 bits is no id.
                _column!.Read(index, (Int128 number, bool isNull, bool _) => _numbers.Enqueue(
                    isNull || number < long.MinValue || number > long.MaxValue ? null : (long)number));
            }
        }
    }
}
