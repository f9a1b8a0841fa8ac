namespace MonoLoss.Data;

/// <summary>Reads a column beside the features, one number or text per row, in the order of the set: ids, positions, texts.</summary>
public sealed class RowValues : IDisposable
{
    private readonly FeatureSet _set;
    private readonly Queue<string?> _texts = [];
    private readonly Queue<long?> _numbers = [];
    private FeatureSource? _source;
    private ValueColumn? _column;
    private int _next;

    private RowValues(FeatureSet set, string column, bool isText) => (_set, Column, IsText) = (set, column, isText);

    /// <summary>The column.</summary>
    public string Column { get; }

    /// <summary>Whether it holds texts; else numbers.</summary>
    public bool IsText { get; }

    /// <summary>Finds a column that every file has, with one number or text per row.</summary>
    /// <param name="set">The set.</param>
    /// <param name="name">The name of the column or array.</param>
    /// <param name="problem">Why the column that some files have is not used; null if there is no such column, or it is used.</param>
    /// <returns>Null if there is none.</returns>
    public static RowValues? Find(FeatureSet set, string name, out string? problem)
    {
        problem = null;
        LabelKind? kind = null;
        bool? isThere = null;
        foreach (var source in set.Sources)
        {
            try
            {
                using var column = source.FindValues(name);
                if ((isThere ??= column is not null) != column is not null)
                {
                    problem = $"{source.Path}: {(column is null ? "no" : "other files have no")} {source.Noun} '{name}'";
                    return null;
                }

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

        return new RowValues(set, name, kind == LabelKind.Text);
    }

    /// <summary>Reads the next rows.</summary>
    /// <param name="count">Rows to read.</param>
    /// <returns>Numbers or texts, whichever the column holds; the other is null.</returns>
    /// <exception cref="DataException">A file cannot be read.</exception>
    public (long?[]? Numbers, string?[]? Texts) Read(int count)
    {
        while (_texts.Count + _numbers.Count < count)
        {
            ReadGroup(_next++);
        }

        return IsText ? (null, Take(_texts, count)) : (Take(_numbers, count), null);
    }

    /// <summary>Closes the column.</summary>
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
            _column = _source.FindValues(Column);
        }

        var index = _set.RowGroups[group].Index;
        if (IsText)
        {
            _column!.Read(index, (string text, bool isNull, bool _) => _texts.Enqueue(isNull ? null : text));
        }
        else
        {
            // What is not a whole number of 64 bits names no row.
            _column!.Read(index, (Int128 number, bool isNull, bool _) => _numbers.Enqueue(
                isNull || number < long.MinValue || number > long.MaxValue ? null : (long)number));
        }
    }
}
