using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Vision;

/// <summary>The column of a Parquet file that names its images: integers or text.</summary>
internal static class ImageIds
{
    /// <summary>Finds the column.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Its name; null if there is none.</returns>
    public static string? Find(ParquetFile file) => RowIds.Names
        .Select(name => file.Columns.FirstOrDefault(column => column.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
        .FirstOrDefault(column => column is { IsFlat: true } && (column.IsInteger || column.IsString))?.Name;

    /// <summary>Reads the ids of a row group as a column to be written.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="name">The column.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <returns>One id per row: integers, or texts.</returns>
    /// <exception cref="DataException">The file has no such column, or it cannot be read.</exception>
    public static (long?[]? Integers, string?[]? Texts) Read(ParquetFile file, string name, int rowGroup)
    {
        var column = file.FindColumn(name) ?? throw new DataException($"{file.Path}: no column '{name}', which other files have");
        if (column.IsInteger)
        {
            var integers = new List<long?>();
            FlatColumn.ReadIntegers(file, column, rowGroup, (value, isNull) => integers.Add(isNull ? null : value));
            return ([.. integers], null);
        }

        var texts = new List<string?>();
        FlatColumn.ReadTexts(file, column, rowGroup, (value, isNull) => texts.Add(isNull ? null : value));
        return (null, [.. texts]);
    }
}
