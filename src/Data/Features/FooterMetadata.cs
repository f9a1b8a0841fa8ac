using System.Text.Json;

namespace MonoLoss.Data;

/// <summary>What pandas and Hugging Face's datasets keep in the footer of a Parquet file, as JSON. What is damaged says nothing.</summary>
internal static class FooterMetadata
{
    private const string UnnamedIndex = "__index_level_";

    /// <summary>The columns that are an index of pandas.</summary>
    /// <param name="metadata">The texts in the footer.</param>
    public static IndexNames IndexColumns(IReadOnlyDictionary<string, string> metadata)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        if (Find(metadata, "pandas", ["index_columns"]) is { ValueKind: JsonValueKind.Array } columns)
        {
            // An index that is a range has no column; it is described by an object.
            names.UnionWith(columns.EnumerateArray().Where(column => column.ValueKind == JsonValueKind.String)
                .Select(column => column.GetString()!));
        }

        return new IndexNames(names);
    }

    /// <summary>The names of the classes of a column of labels, by number.</summary>
    /// <param name="metadata">The texts in the footer.</param>
    /// <param name="column">The column, whose rows are labels or lists of them.</param>
    /// <returns>Null if there are none.</returns>
    public static IReadOnlyList<string>? ClassNames(IReadOnlyDictionary<string, string> metadata, string column)
    {
        var feature = Find(metadata, "huggingface", ["info", "features", column]);
        while (feature is { ValueKind: JsonValueKind.Object } list && list.TryGetProperty("feature", out var element))
        {
            feature = element;
        }

        if (feature is { ValueKind: JsonValueKind.Array } only && only.GetArrayLength() == 1)
        {
            feature = only[0];
        }

        return feature is { ValueKind: JsonValueKind.Object } label && label.TryGetProperty("names", out var names)
            && names.ValueKind == JsonValueKind.Array && names.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String)
            ? [.. names.EnumerateArray().Select(name => name.GetString()!)]
            : null;
    }

    private static JsonElement? Find(IReadOnlyDictionary<string, string> metadata, string key, string[] path)
    {
        if (!metadata.TryGetValue(key, out var text))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(text);
            var element = document.RootElement;
            foreach (var name in path)
            {
                if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
                {
                    return null;
                }
            }

            return element.Clone();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The columns of an index: those that are named, and those that pandas names where there is no name.</summary>
    internal sealed class IndexNames(IReadOnlySet<string> names)
    {
        public bool Contains(string column) =>
            names.Contains(column) || column.StartsWith(UnnamedIndex, StringComparison.Ordinal);
    }
}
