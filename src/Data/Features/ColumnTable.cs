namespace MonoLoss.Data;

/// <summary>The columns of a file as a pattern selects them.</summary>
/// <param name="Path">The file.</param>
/// <param name="Names">The names of the columns.</param>
/// <param name="Find">The name of the column that a text names; null if there is none.</param>
/// <param name="Other">What a column holds instead of numbers; null if it holds numbers.</param>
/// <param name="IsIndex">Whether a column is an index of pandas.</param>
/// <param name="Describe">Lists the columns for a message.</param>
internal sealed record ColumnTable(
    string Path,
    IReadOnlyList<string> Names,
    Func<string, string?> Find,
    Func<string, string?> Other,
    Func<string, bool> IsIndex,
    Func<string> Describe);
