using System.Text.Json;
using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>A JSON object of another tool, with the messages that its reader needs.</summary>
internal sealed class JsonFile
{
    private readonly string _path;
    private readonly JsonObject _root;

    /// <summary>An object that was read already.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="root">The object.</param>
    public JsonFile(string path, JsonObject root) => (_path, _root) = (path, root);

    /// <summary>Reads a file.</summary>
    /// <exception cref="DataException">There is no such file, or it does not hold a JSON object.</exception>
    public static JsonFile Read(string path)
    {
        try
        {
            return Parse(path, File.ReadAllText(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException(
                exception is FileNotFoundException or DirectoryNotFoundException
                    ? $"{path}: no such file"
                    : $"{path}: cannot be read: {exception.Message.ReplaceLineEndings(" ")}",
                exception);
        }
    }

    /// <summary>Parses a text.</summary>
    /// <param name="path">Where it is from, for messages.</param>
    /// <param name="text">The text.</param>
    /// <exception cref="DataException">It is not a JSON object.</exception>
    public static JsonFile Parse(string path, string text)
    {
        try
        {
            return JsonNode.Parse(text) is JsonObject root
                ? new JsonFile(path, root)
                : throw new DataException($"{path}: is not a JSON object");
        }
        catch (JsonException exception)
        {
            throw new DataException($"{path}: is not valid JSON: {exception.Message.ReplaceLineEndings(" ")}", exception);
        }
    }

    /// <summary>Whether an entry is there and not null.</summary>
    public bool Has(string name) => _root[name] is not null;

    /// <summary>An entry that is an object; null if it is missing.</summary>
    public JsonFile? Object(string name) => _root[name] is JsonObject inner ? new JsonFile(_path, inner) : null;

    /// <summary>An entry, or null.</summary>
    public JsonNode? Node(string name) => _root[name];

    /// <summary>A text; null if the entry is missing or something else.</summary>
    public string? Text(string name) => _root[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>A whole number, which may be written as a float.</summary>
    /// <exception cref="DataException">The entry is missing or something else.</exception>
    public int Integer(string name) =>
        OptionalNumber(name) is { } number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue
            ? (int)number
            : throw new DataException($"{_path}: '{name}' is {_root[name]?.ToJsonString() ?? "missing"}, expected an integer");

    /// <summary>A number; null if the entry is missing.</summary>
    /// <exception cref="DataException">The entry is not a number.</exception>
    public double? OptionalNumber(string name) => _root[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out double number) => number,
        var other => throw new DataException($"{_path}: '{name}' is {other.ToJsonString()}, expected a number"),
    };

    /// <summary>A boolean.</summary>
    /// <param name="name">The entry.</param>
    /// <param name="missing">What a missing entry means.</param>
    /// <exception cref="DataException">The entry is not a boolean.</exception>
    public bool Flag(string name, bool missing) => _root[name] switch
    {
        null => missing,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        var other => throw new DataException($"{_path}: '{name}' is {other.ToJsonString()}, expected true or false"),
    };

    /// <summary>The message that the source cannot be had.</summary>
    /// <param name="what">What it is.</param>
    public DataException Unsupported(string what) => new($"{_path}: {what}, which is not supported");
}
