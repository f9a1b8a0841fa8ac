namespace MonoLoss.Data;

/// <summary>A file of a set, and what the names of its folders say about all of its rows.</summary>
/// <param name="Path">The file.</param>
internal sealed record FeatureFile(string Path)
{
    private const string NullValue = "__HIVE_DEFAULT_PARTITION__";

    /// <summary>Finds the value of a column that is in the name of a folder: 3 for <c>label</c> in <c>label=3/part.parquet</c>.</summary>
    /// <param name="column">The column.</param>
    /// <param name="value">The value; null for a row without one.</param>
    /// <returns>Whether a folder names the column.</returns>
    public bool TryGetFolderValue(string column, out string? value)
    {
        foreach (var (name, text) in FolderValues())
        {
            if (name == column)
            {
                value = text;
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>The columns that folders name, with their values, from the outermost.</summary>
    public IEnumerable<(string Name, string? Value)> FolderValues()
    {
        var folders = System.IO.Path.GetDirectoryName(Path);
        foreach (var part in (folders ?? "").Split(System.IO.Path.DirectorySeparatorChar, System.IO.Path.AltDirectorySeparatorChar))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                var text = Uri.UnescapeDataString(part[(equals + 1)..]);
                yield return (Uri.UnescapeDataString(part[..equals]), text == NullValue ? null : text);
            }
        }
    }
}
