using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MonoLoss.Bench;

/// <summary>A row of the table of feature files that other tools wrote.</summary>
/// <param name="File">The file or folder, from the table's folder.</param>
/// <param name="Right">read, refuse, or "refuse or read".</param>
/// <param name="Values">Which values it has.</param>
/// <param name="Labels">Which labels it has.</param>
/// <param name="Options">Options of the command line.</param>
/// <param name="Note">What a refusal names.</param>
internal sealed record InteropFile(string File, string Right, string Values, string Labels, string Options, string Note)
{
    /// <summary>The column or pattern; a range where the table only speaks of one.</summary>
    public string? FeaturesColumn => Regex.Match(Options, "--features-column '?(?<name>[^']+)'?$") is { Success: true } match
        ? match.Groups["name"].Value
        : Note.Contains("named by a range", StringComparison.Ordinal) ? "0..23" : null;
}

/// <summary>The table (manifest.json), and the values that the files have.</summary>
/// <param name="folder">The folder of the table.</param>
internal sealed class InteropTable(string folder)
{
    /// <summary>Rows of every file that has all.</summary>
    public const int Rows = 200;

    /// <summary>Values of every row.</summary>
    public const int Dimension = 24;

    private static readonly string[] Names = ["cat", "dog", "Käfer", "tree frog", "猫"];

    private readonly float[] _features = Read<float>(Path.Combine(folder, "expected.safetensors"), "features");
    private readonly long[] _labels = Read<long>(Path.Combine(folder, "expected.safetensors"), "labels");
    private readonly float[] _halves = Array.ConvertAll(
        Read<Half>(Path.Combine(folder, "expected-rounded.safetensors"), "features_float16"), value => (float)value);

    private readonly float[] _brains = Array.ConvertAll(
        Read<ushort>(Path.Combine(folder, "expected-rounded.safetensors"), "features_bfloat16"),
        value => BitConverter.Int32BitsToSingle(value << 16));

    private readonly float[] _bytes = Array.ConvertAll(
        Read<sbyte>(Path.Combine(folder, "expected-rounded.safetensors"), "features_int8"), value => (float)value);

    /// <summary>The class of each row.</summary>
    public IReadOnlyList<long> Classes => _labels;

    /// <summary>The rows of a table.</summary>
    public static IReadOnlyList<InteropFile> Read(string folder)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        return [.. document.RootElement.GetProperty("files").EnumerateArray()
            .Select(row => new InteropFile(Text(row, "file"), Text(row, "right"), Text(row, "values"), Text(row, "labels"),
                Text(row, "options"), Text(row, "note")))];

        static string Text(JsonElement row, string name) => row.GetProperty(name).GetString()!;
    }

    /// <summary>The path of a file.</summary>
    public string PathOf(InteropFile file) => Path.Combine(folder, file.File.TrimEnd('/'));

    /// <summary>The values of a file, as float32.</summary>
    public float[] Values(InteropFile file) => file.Values switch
    {
        "float32" or "float64" => _features,
        "rows 0-19" => _features[..(20 * Dimension)],
        "float16" => _halves,
        "bfloat16" => _brains,
        "int8" => _bytes,
        "uint8 (int8 + 127)" => Array.ConvertAll(_bytes, value => value + 127),
        "float32, f3 rounded" => [.. _features.Select((value, i) => i % Dimension == 3 ? WithoutSign(MathF.Round(value)) : value)],
        "float32, by label" => [.. Enumerable.Range(0, Rows).OrderBy(row => _labels[row])
            .SelectMany(row => _features.Skip(row * Dimension).Take(Dimension))],
        "decimal(12, 4)" => [.. _features.Select(value => WithoutSign(float.Parse(
            Math.Round((double)value, 4).ToString("F4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)))],
        _ => throw new ArgumentException(file.Values),
    };

    /// <summary>The labels of each row as they are shown; null if the file has none.</summary>
    public string[][]? Labels(InteropFile file)
    {
        var labels = _labels;
        var rows = file.Values == "rows 0-19" ? 20 : Rows;
        string[][] Each(Func<int, string[]> of) => [.. Enumerable.Range(0, rows).Select(of)];
        return file.Labels switch
        {
            "none" or "none: not whole" => null,
            var text when text.StartsWith("none (the folder", StringComparison.Ordinal) => Each(row => [$"n0144076{4 + labels[row]}"]),
            "label" or "labels" or "arr_1" or "second" or "labels-NNN.npy" => Each(row => [$"{labels[row]}"]),
            "label (text)" or "labels (text)" or "label (names in the metadata)" => Each(row => [Names[labels[row]]]),
            "label (+2^63)" => Each(row => [$"{(UInt128)labels[row] + (1ul << 63)}"]),
            "label > 2" => Each(row => [labels[row] > 2 ? "true" : "false"]),
            "label from the folder" => [.. labels.Order().Select(label => new[] { $"{label}" })],
            "two labels a row: label and label + 1 mod 5" => Each(row => [$"{labels[row]}", $"{(labels[row] + 1) % 5}"]),
            var text when text.StartsWith("label, each tenth", StringComparison.Ordinal) =>
                Each(row => row % 10 == 0 ? [] : [$"{labels[row]}"]),
            _ => throw new ArgumentException(file.Labels),
        };
    }

    // Integers and decimals have no negative zero.
    private static float WithoutSign(float value) => value == 0 ? 0 : value;

    // Not by the library's reader, which has no 8-bit integers.
    private static T[] Read<T>(string path, string name)
        where T : unmanaged
    {
        var bytes = File.ReadAllBytes(path);
        var start = sizeof(long) + (int)BitConverter.ToInt64(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(sizeof(long)..start));
        var offsets = header.RootElement.GetProperty(name).GetProperty("data_offsets");
        return MemoryMarshal.Cast<byte, T>(
            bytes.AsSpan((start + offsets[0].GetInt32())..(start + offsets[1].GetInt32()))).ToArray();
    }
}
