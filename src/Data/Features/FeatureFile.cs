namespace MonoLoss.Data;

/// <summary>A file of a set, and what the names of its folders say about all of its rows.</summary>
/// <param name="Path">The file; of some formats a folder.</param>
/// <param name="Kind">Its format.</param>
/// <param name="LabelsPath">The file beside it that has the labels of its rows: labels-003.npy of features-003.npy; null for none.</param>
internal sealed record FeatureFile(string Path, SourceKind Kind, string? LabelsPath = null)
{
    /// <summary>The name under which labels in a file beside are found.</summary>
    public const string LabelsName = "labels";

    private const string NullValue = "__HIVE_DEFAULT_PARTITION__";

    /// <summary>The names of values that are not in the file itself.</summary>
    public IEnumerable<string> ValueNames => [.. FolderValues().Select(value => value.Name), .. LabelsPath is null ? []
        : new[] { LabelsName }];

    /// <summary>A file whose format its name or its first bytes tell.</summary>
    public static FeatureFile Of(string path) => new(path, SourceKinds.OfFile(path));

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
