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
        var names = sources.SelectMany(source => source.ValueNames.Concat(source.File.ValueNames)).Where(IsUsualName).Distinct().ToList();
        return UsualNames.SelectMany(usual => names.Where(name => name.Equals(usual, StringComparison.OrdinalIgnoreCase)))
            .Concat(sources[0].OtherLabelNames);
    }

    /// <summary>What the labels of all files are.</summary>
    /// <param name="sources">The files.</param>
    /// <param name="labels">Where the labels are.</param>
    /// <returns>Their kind, and whether a row has a list of them.</returns>
    /// <exception cref="UnusableLabelsException">A file has no such column, one holds something else, or they differ.</exception>
    public static (LabelKind Kind, bool AreLists) Check(IReadOnlyList<FeatureSource> sources, LabelSource labels)
    {
        var folders = LabelKind.Number;
        (LabelKind Kind, bool AreLists, string Text)? first = null;
        var firstFolder = default(FeatureSource);
        foreach (var source in sources)
        {
            using var column = labels.Find(source);
            if (column is null)
            {
                if (!source.File.TryGetFolderValue(labels.Name, out var text))
                {
                    throw new UnusableLabelsException(
                        $"{source.Path}: no label {source.Noun} '{labels.Name}'; the {source.Noun}s are: {source.Contents}");
                }

                // The names of folders have no types: they are numbers if all are.
                firstFolder ??= source;
                folders = text is null || IsWhole(text) ? folders : LabelKind.Text;
                continue;
            }

            first ??= (column.Kind, column.AreLists, $"{source.Path} {column.TypeText}");
            if (first.Value.Kind != column.Kind || first.Value.AreLists != column.AreLists)
            {
                throw Differ(source, column.TypeText, first.Value.Text);
            }
        }

        if (first is not { } columns)
        {
            return (folders, false);
        }

        return firstFolder is null || (columns.Kind == folders && !columns.AreLists)
            ? (columns.Kind, columns.AreLists)
            : throw Differ(firstFolder, "the names of folders", columns.Text);

        UnusableLabelsException Differ(FeatureSource source, string found, string expected) =>
            new($"{labels.Where(source)} holds {found}, in {expected}");
    }

    /// <summary>A column of 16 bytes that polars means as a 128-bit integer: it has no type of its own.</summary>
    public static bool IsInt128(ParquetFile file, ParquetColumn column) => column is
        {
            Type: global::Parquet.Meta.Type.FIXED_LEN_BYTE_ARRAY, TypeLength: Int128Bytes, Logical.Kind: LogicalKind.None
        }
        && ArrowSchema.OtherThanBytes(file.Metadata).Contains(column.Name);

    private static bool IsWhole(string text) =>
        Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
}
