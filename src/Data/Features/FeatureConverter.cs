using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Writes a set of features as one Parquet file.</summary>
public static class FeatureConverter
{
    /// <summary>The column of features.</summary>
    public const string FeaturesColumn = "features";

    /// <summary>The column of labels.</summary>
    public const string LabelColumn = "label";

    // The library that writes takes several times this while it does.
    private const int GroupBytes = 16 << 20;

    private static readonly string[] IdNames =
        ["id", "ids", "idx", "uid", "uuid", "key", "path", "paths", "image_path", "file", "file_name", "filename", "name", "names"];

    /// <summary>
    /// Writes features as lists of float32, labels if there are any, and the column of ids or paths of the set if it has one. Row groups
    /// have at most 16 MiB of features, and one at a time is in memory.
    /// </summary>
    /// <param name="set">The set, opened without <see cref="FeatureSetOptions.Normalize"/> for the values as they are.</param>
    /// <param name="path">The file; it appears when it is complete.</param>
    /// <param name="stop">Stops the conversion: nothing is left.</param>
    /// <returns>The columns that were written.</returns>
    /// <exception cref="DataException">The set cannot be read, the file cannot be written, or labels are lists of text.</exception>
    public static IReadOnlyList<string> Write(FeatureSet set, string path, CancellationToken stop = default)
    {
        var rows = (int)Math.Clamp(GroupBytes / (sizeof(float) * (long)set.Dimension), 1, set.Rows);
        using var writer = new ParquetRowWriter(path, new ParquetWriterOptions { RowGroupRows = rows });
        using var reader = set.OpenReader();
        using var ids = IdNames.Select(name => IdReader.Find(set, name)).FirstOrDefault(found => found is not null);
        var features = new float[checked(rows * set.Dimension)];
        IReadOnlyList<ParquetData> columns = [];
        var row = 0L;
        for (int count; (count = reader.Read(features)) > 0; row += count)
        {
            stop.ThrowIfCancellationRequested();
            columns =
            [
                .. ids is null ? [] : new[] { ids.Read(count) },
                ParquetData.FloatLists(FeaturesColumn, features.AsMemory(0, count * set.Dimension), set.Dimension),
                .. set.HasLabels ? [Labels(set, row, count)] : Array.Empty<ParquetData>(),
            ];
            writer.Write(columns);
        }

        writer.Commit();
        return [.. columns.Select(column => column.Name)];
    }

    private static ParquetData Labels(FeatureSet set, long firstRow, int count)
    {
        var labels = new LabelBatch();
        set.GetLabels(firstRow, count, labels);
        if (!set.HasSeveralLabels)
        {
            return set.LabelsAreIntegers
                ? ParquetData.Create(LabelColumn, Each(labels, label => label < 0 ? null : (long?)set.ClassNumbers![label]))
                : ParquetData.Create(LabelColumn, Each(labels, label => label < 0 ? null : set.Classes[label]), nullable: true);
        }

        if (!set.LabelsAreIntegers || set.ClassNumbers!.Any(number => number is < int.MinValue or > int.MaxValue))
        {
            throw new DataException($"{set.Files[0]}: label column '{set.LabelColumn}' has lists that are no 32-bit integers, which are "
                + "not written; convert without labels, or name another column");
        }

        var (values, offsets) = (new List<int>(), new int[count + 1]);
        for (var row = 0; row < count; row++)
        {
            foreach (var label in labels[row])
            {
                values.Add((int)set.ClassNumbers![label]);
            }

            offsets[row + 1] = values.Count;
        }

        return ParquetData.IntegerLists(LabelColumn, values.ToArray(), offsets);
    }

    private static T[] Each<T>(LabelBatch labels, Func<int, T> of)
    {
        var values = new T[labels.Rows];
        for (var row = 0; row < values.Length; row++)
        {
            values[row] = of(labels[row].IsEmpty ? RowLabels.None : labels[row][0]);
        }

        return values;
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
