using System.Text.Json;

namespace MonoLoss.Data;

/// <summary>
/// The files of the splits of a dataset, as listed in a JSON file:
/// <c>{"train_path": …, "val_path": …, "test_path": …}</c>, each a path or a list of paths (files, folders or patterns).
/// </summary>
/// <param name="Train">Paths of the training split; empty if there is none.</param>
/// <param name="Validation">Paths of the validation split.</param>
/// <param name="Test">Paths of the test split.</param>
public sealed record DatasetConfig(IReadOnlyList<string> Train, IReadOnlyList<string> Validation, IReadOnlyList<string> Test)
{
    /// <summary>
    /// Reads the JSON file. A relative path that does not exist in the working directory is resolved from the file's folder.
    /// </summary>
    /// <exception cref="DataException">There is no such file, or it has other content.</exception>
    public static DatasetConfig Load(string path)
    {
        try
        {
            // As text, so that a byte order mark is read as one.
            using var document = JsonDocument.Parse(File.ReadAllText(path), new JsonDocumentOptions
            {
                AllowTrailingCommas = true,
                CommentHandling = JsonCommentHandling.Skip,
            });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new DataException($"{path}: found {Name(root)}, expected an object with train_path, val_path or test_path");
            }

            var config = new DatasetConfig(Paths(path, root, "train_path"), Paths(path, root, "val_path"), Paths(path, root, "test_path"));
            return config.Train.Count + config.Validation.Count + config.Test.Count > 0
                ? config
                : throw new DataException($"{path}: found none of train_path, val_path and test_path");
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataException($"{path}: no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }
        catch (JsonException exception)
        {
            throw new DataException(
                $"{path}: it is not JSON: line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}", exception);
        }
    }

    private static IReadOnlyList<string> Paths(string file, JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => Resolve(file, key, item))]
            : [Resolve(file, key, value)];
    }

    private static string Resolve(string file, string key, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String || value.GetString() is not { Length: > 0 } path)
        {
            throw new DataException($"{file}: {key}: found {Name(value)}, expected a path or a list of paths");
        }

        var beside = Path.Combine(Path.GetDirectoryName(file) ?? "", path);
        return !Path.IsPathRooted(path) && !FilePatterns.Exists(path) && FilePatterns.Exists(beside) ? beside : path;
    }

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => "an empty string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        _ => "null",
    };
}
