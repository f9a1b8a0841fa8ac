using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Finds the columns of features of a file: one that holds lists, or one per dimension.</summary>
internal static class FeatureColumns
{
    /// <summary>Finds them.</summary>
    /// <param name="file">The file.</param>
    /// <param name="options">Which to take.</param>
    /// <param name="leftOut">Receives the columns that a pattern left out for their names.</param>
    /// <returns>One column of lists, or one column per dimension, in the order of the numbers in their names.</returns>
    /// <exception cref="DataException">None fits, or several do.</exception>
    public static IReadOnlyList<ParquetColumn> Find(ParquetFile file, FeatureSetOptions options, ICollection<string> leftOut)
    {
        if (options.FeaturesColumn is not { } name)
        {
            return [FindOnlyList(file, options)];
        }

        if ((file.FindColumn(name) ?? file.FindColumn($"{name}.values")) is { } found)
        {
            return (found.IsList || found.IsListOfLists) && found.IsNumber
                ? [Checked(file, found)]
                : throw new DataException($"{file.Path}: column '{name}' holds {found}, expected lists of numbers"
                    + (found is { IsFlat: true, IsNumber: true }
                        ? ", or a pattern such as 'f*' for one column per dimension"
                        : string.Empty));
        }

        if (!ColumnPattern.IsPattern(name))
        {
            throw new DataException($"{file.Path}: no column '{name}'; the columns are: {Describe(file)}");
        }

        var columns = ColumnPattern.Select(TableOf(file), name, column => IsLabel(column, options), leftOut)
            .Select(column => file.FindColumn(column)!).ToList();
        columns.ForEach(column => CheckOnlyOne(file, column));
        return columns.Count > 0
            ? columns
            : throw new DataException($"{file.Path}: no column of numbers matches '{name}'; the columns are: {Describe(file)}");
    }

    /// <summary>Lists the columns of a file, for a message.</summary>
    public static string Describe(ParquetFile file)
    {
        const int Most = 20;
        var all = string.Join(", ", file.Columns.Take(Most).Select(column => $"{column.Name} ({column})"));
        return file.Columns.Count > Most ? $"{all} and {file.Columns.Count - Most} more" : all;
    }

    /// <summary>Checks that a name is that of one column: a file may have several.</summary>
    /// <exception cref="DataException">There are several.</exception>
    public static void CheckOnlyOne(ParquetFile file, ParquetColumn column)
    {
        if (file.Columns.Any(other => other.Index != column.Index && other.Name == column.Name && other.Shape == ColumnShape.Plain))
        {
            throw new DataException($"{file.Path}: several columns are named '{column.Name}'");
        }
    }

    private static ColumnTable TableOf(ParquetFile file) => new(
        file.Path,
        [.. file.Columns.Select(column => column.Name)],
        name => file.FindColumn(name)?.Name,
        name => file.FindColumn(name) is { IsFlat: true, IsNumber: true } ? null : file.FindColumn(name)!.ToString(),
        FooterMetadata.IndexColumns(file.Metadata).Contains,
        () => Describe(file));

    private static bool IsLabel(string column, FeatureSetOptions options) =>
        column == options.LabelColumn || LabelColumns.IsUsualName(column);

    // The more a column looks like features, the sooner it is taken: floats before integers, and before fields of structs.
    private static ParquetColumn FindOnlyList(ParquetFile file, FeatureSetOptions options)
    {
        var lists = file.Columns.Where(column => column.IsNumber && (column.IsList || column.IsListOfLists)).ToList();
        var candidates = lists.Where(column => column.IsFloat).ToList();
        if (candidates.Count == 0)
        {
            candidates = lists.Where(column => !IsLabel(column.Name, options)).ToList();
        }

        var top = candidates.Where(column => column.IsTopLevel).ToList();
        candidates = top.Count == 1 ? top : candidates;
        return candidates.Count switch
        {
            1 => Checked(file, candidates[0]),
            0 => throw new DataException(
                $"{file.Path}: no column holds lists of numbers; the columns are: {Describe(file)}; "
                    + "set FeaturesColumn to a pattern such as 'f*' if there is one column per dimension",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
            _ => throw new DataException(
                $"{file.Path}: {candidates.Count} columns hold lists of numbers: "
                    + $"{string.Join(", ", candidates.Take(20).Select(column => column.Name))}; choose one with FeaturesColumn",
                property: nameof(FeatureSetOptions.FeaturesColumn)),
        };
    }

    // A tensor is stored flat: only Arrow's schema tells that its rows have more than one dimension.
    private static ParquetColumn Checked(ParquetFile file, ParquetColumn column)
    {
        CheckOnlyOne(file, column);
        if (column.IsList && ArrowSchema.TensorShapes(file.Metadata).TryGetValue(column.Name, out var shape)
            && shape.Count(size => size != 1) > 1)
        {
            throw new DataException($"{file.Path}: column '{column.Name}' holds tensors of {string.Join('×', shape)} values, expected one "
                + "list of values per row; to take each as one row, write its storage, such as by array.storage (pyarrow)");
        }

        SparkVectors.Check(file, column);
        return column;
    }
}
