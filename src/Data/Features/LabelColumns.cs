using System.Globalization;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>What the labels of a set are.</summary>
internal enum LabelKind
{
    /// <summary>Whole numbers, of whatever type.</summary>
    Number,

    /// <summary>False and true.</summary>
    Boolean,

    /// <summary>Text.</summary>
    Text,
}

/// <summary>Labels that cannot be used; the message is one line that names the column and says why.</summary>
internal sealed class UnusableLabelsException(string message) : Exception(message);

/// <summary>Finds columns of labels, and tells what they hold.</summary>
internal static class LabelColumns
{
    private const int Int128Bytes = 16;

    private static readonly string[] UsualNames = ["label", "labels", "class", "target", "y"];

    /// <summary>Whether a column is usually one of labels, by its name.</summary>
    public static bool IsUsualName(string name) => UsualNames.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The names of the columns that look like labels, best first.</summary>
    /// <param name="sources">The files.</param>
    public static IEnumerable<string> Guess(IReadOnlyList<FeatureSource> sources)
    {
        var first = sources[0];
        var features = first.Columns.Select(column => column.Name).ToHashSet(StringComparer.Ordinal);
        var names = sources.SelectMany(source => source.File.Columns.Where(column => column.IsTopLevel).Select(column => column.Name)
                .Concat(source.Place.FolderValues().Select(value => value.Name)))
            .Where(name => IsUsualName(name) && !features.Contains(name)).Distinct().ToList();
        return UsualNames.SelectMany(usual => names.Where(name => name.Equals(usual, StringComparison.OrdinalIgnoreCase)));
    }

    /// <summary>What the labels of all files are.</summary>
    /// <param name="sources">The files.</param>
    /// <param name="name">The column.</param>
    /// <returns>Their kind, and whether a row has a list of them.</returns>
    /// <exception cref="UnusableLabelsException">A file has no such column, one holds something else, or they differ.</exception>
    public static (LabelKind Kind, bool AreLists) Check(IReadOnlyList<FeatureSource> sources, string name)
    {
        var folders = FolderKind(sources, name);
        var first = KindOf(sources[0], name, folders);
        foreach (var source in sources.Skip(1))
        {
            if (KindOf(source, name, folders) != first)
            {
                throw new UnusableLabelsException($"{source.File.Path}: label column '{name}' holds {Describe(source, name)}, in "
                    + $"{sources[0].File.Path} {Describe(sources[0], name)}");
            }
        }

        return first;
    }

    /// <summary>A column of 16 bytes that polars means as a 128-bit integer: it has no type of its own.</summary>
    public static bool IsInt128(ParquetFile file, ParquetColumn column) => column is
        {
            Type: global::Parquet.Meta.Type.FIXED_LEN_BYTE_ARRAY, TypeLength: Int128Bytes, Logical.Kind: LogicalKind.None
        }
        && ArrowSchema.OtherThanBytes(file.Metadata).Contains(column.Name);

    private static (LabelKind Kind, bool AreLists) KindOf(FeatureSource source, string name, LabelKind folders)
    {
        if (source.File.FindColumn(name) is not { } column)
        {
            return source.Place.TryGetFolderValue(name, out _)
                ? (folders, false)
                : throw new UnusableLabelsException(
                    $"{source.File.Path}: no label column '{name}'; the columns are: {FeatureColumns.Describe(source.File)}");
        }

        if (source.File.Problem(column) is { } problem)
        {
            throw new UnusableLabelsException($"{source.File.Path}: label column '{name}': {problem}");
        }

        if (column.IsFlat || column.IsList)
        {
            if (column.IsString)
            {
                return (LabelKind.Text, column.IsList);
            }

            if (column.IsNumber || IsInt128(source.File, column))
            {
                return (column.IsBoolean ? LabelKind.Boolean : LabelKind.Number, column.IsList);
            }
        }

        throw new UnusableLabelsException(
            $"{source.File.Path}: label column '{name}' holds {column}, expected whole numbers, text or lists of them");
    }

    // The names of folders have no types: they are numbers if all are.
    private static LabelKind FolderKind(IReadOnlyList<FeatureSource> sources, string name)
    {
        foreach (var source in sources)
        {
            if (source.File.FindColumn(name) is null && source.Place.TryGetFolderValue(name, out var text) && text is not null
                && !Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _))
            {
                return LabelKind.Text;
            }
        }

        return LabelKind.Number;
    }

    private static string Describe(FeatureSource source, string name) =>
        source.File.FindColumn(name)?.ToString() ?? "the names of folders";
}
