namespace MonoLoss.Data;

/// <summary>Reads the ids or paths of all rows of a set in order.</summary>
public sealed class RowIds : IDisposable
{
    private static readonly string[] Names =
    [
        "id", "ids", "image_id", "idx", "uid", "uuid", "key", "path", "paths", "image_path", "file", "file_name", "filename", "name",
        "names",
    ];

    private readonly FeatureSet _set;
    private readonly bool _isText;
    private readonly Queue<string?> _texts = [];
    private readonly Queue<long?> _numbers = [];
    private FeatureSource? _source;
    private ValueColumn? _column;
    private int _next;

    private RowIds(FeatureSet set, string column, bool isText) => (_set, Column, _isText) = (set, column, isText);

    /// <summary>The column.</summary>
    public string Column { get; }

    /// <summary>Finds the column that is called as ids or paths are, is not that of labels, and is in every file.</summary>
    /// <returns>Null if there is none.</returns>
    public static RowIds? Find(FeatureSet set) => Find(set, out _);

    /// <param name="set">The set.</param>
    /// <param name="problem">Why the column of ids that some files have is not used; null if there is no such column.</param>
    /// <inheritdoc cref="Find(FeatureSet)"/>
    public static RowIds? Find(FeatureSet set, out string? problem)
    {
        problem = null;
        foreach (var name in Names.Where(name => name != set.LabelColumn))
        {
            if (Find(set, name, ref problem) is { } found)
            {
                problem = null;
                return found;
            }
        }

        return null;
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

        return _isText ? (null, Take(_texts, count)) : (Take(_numbers, count), null);
    }

    /// <summary>Closes the column.</summary>
    public void Dispose() => _column?.Dispose();

    /// <summary>Opens a column that every file has, with one number or text per row.</summary>
    private static RowIds? Find(FeatureSet set, string name, ref string? problem)
    {
        LabelKind? kind = null;
        bool? isThere = null;
        foreach (var source in set.Sources)
        {
            try
            {
                using var column = source.FindValues(name);
                if ((isThere ??= column is not null) != column is not null)
                {
                    problem ??= $"{source.Path}: {(column is null ? "no" : "other files have no")} {source.Noun} '{name}'";
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

        return new RowIds(set, name, kind == LabelKind.Text);
    }

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
        if (_isText)
        {
            _column!.Read(index, (string text, bool isNull, bool _) => _texts.Enqueue(isNull ? null : text));
        }
        else
        {
            // What is not a whole number of 64 bits is not an id.
            _column!.Read(index, (Int128 number, bool isNull, bool _) => _numbers.Enqueue(
                isNull || number < long.MinValue || number > long.MaxValue ? null : (long)number));
        }
    }
}
