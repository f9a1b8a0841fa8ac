namespace MonoLoss.Data;

/// <summary>Finds the column that names the rows of a set: ids or paths.</summary>
public static class RowIds
{
    /// <summary>What such a column is called in any case, best first; the same for features and for images.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "id", "ids", "image_id", "uid", "uuid", "key", "path", "paths", "image_path", "file", "file_name", "filename", "idx", "index",
        "name", "names",
    ];

    /// <summary>Finds the column that is called as ids or paths are, is not that of labels, and is in every file.</summary>
    /// <returns>Null if there is none.</returns>
    public static RowValues? Find(FeatureSet set) => Find(set, out _);

    /// <param name="set">The set.</param>
    /// <param name="problem">Why the column of ids that some files have is not used; null if there is no such column.</param>
    /// <inheritdoc cref="Find(FeatureSet)"/>
    public static RowValues? Find(FeatureSet set, out string? problem)
    {
        string? first = null;
        foreach (var name in set.ValueNamesLike(Names).Where(name => name != set.LabelColumn))
        {
            if (RowValues.Find(set, name, out problem) is { } found)
            {
                return found;
            }

            first ??= problem;
        }

        problem = first;
        return null;
    }
}
