using System.Text.Json;
using System.Text.RegularExpressions;

namespace MonoLoss.Tests.Data;

/// <summary>A row of the table of feature files that other tools wrote (../shared/interop/features).</summary>
/// <param name="File">The file or folder, from the table's folder.</param>
/// <param name="Right">read, refuse, or "refuse or read".</param>
/// <param name="Values">Which values it has.</param>
/// <param name="Labels">Which labels it has.</param>
/// <param name="Options">Options of the command line.</param>
/// <param name="Note">What a refusal names.</param>
internal sealed record InteropFile(string File, string Right, string Values, string Labels, string Options, string Note)
{
    public string Path => SharedData.File("interop", "features", File.TrimEnd('/'));

    /// <summary>The column or pattern; a range where the table only speaks of one.</summary>
    public string? FeaturesColumn => Regex.Match(Options, "--features-column '?(?<name>[^']+)'?$") is { Success: true } match
        ? match.Groups["name"].Value
        : Note.Contains("named by a range", StringComparison.Ordinal) ? "0..23" : null;
}

/// <summary>The table, and the values that the files have.</summary>
internal static class InteropFiles
{
    public const int Rows = 200;
    public const int Dimension = 24;

    private static readonly string[] Names = ["cat", "dog", "Käfer", "tree frog", "猫"];

    private static readonly Lazy<(float[] Features, long[] Labels, float[] Halves, float[] Bytes)> Expected = new(ReadExpected);

    public static IReadOnlyList<InteropFile> Parquet { get; } = SharedData.Folder is null ? [] : ReadTable();

    public static float[] Values(InteropFile file)
    {
        var (features, labels, halves, bytes) = Expected.Value;
        return file.Values switch
        {
            "float32" or "float64" => features,
            "float16" => halves,
            "int8" => bytes,
            "uint8 (int8 + 127)" => Array.ConvertAll(bytes, value => value + 127),
            "float32, f3 rounded" => [.. features.Select((value, i) => // An integer has no negative zero.
                i % Dimension == 3 ? MathF.Round(value) + 0f : value)],
            "float32, by label" => [.. Enumerable.Range(0, Rows).OrderBy(row => labels[row])
                .SelectMany(row => features.Skip(row * Dimension).Take(Dimension))],
            "decimal(12, 4)" => [.. features.Select(value => float.Parse(
                ((decimal)Math.Round((double)value, 4)).ToString("0.0000", System.Globalization.CultureInfo.InvariantCulture),
                System.Globalization.CultureInfo.InvariantCulture))],
            _ => throw new ArgumentException(file.Values),
        };
    }

    /// <summary>The labels of each row as they are shown; null if the file has none.</summary>
    public static string[][]? Labels(InteropFile file)
    {
        var labels = Expected.Value.Labels;
        string[][] Each(Func<int, string[]> of) => [.. Enumerable.Range(0, Rows).Select(of)];
        return file.Labels switch
        {
            "none" or "none: not whole" => null,
            "label" => Each(row => [$"{labels[row]}"]),
            "label (text)" or "label (names in the metadata)" => Each(row => [Names[labels[row]]]),
            "label (+2^63)" => Each(row => [$"{(UInt128)labels[row] + (1ul << 63)}"]),
            "label > 2" => Each(row => [labels[row] > 2 ? "true" : "false"]),
            "label from the folder" => [.. labels.Order().Select(label => new[] { $"{label}" })],
            "two labels a row: label and label + 1 mod 5" => Each(row => [$"{labels[row]}", $"{(labels[row] + 1) % 5}"]),
            var text when text.StartsWith("label, each tenth", StringComparison.Ordinal) =>
                Each(row => row % 10 == 0 ? [] : [$"{labels[row]}"]),
            _ => throw new ArgumentException(file.Labels),
        };
    }

    private static List<InteropFile> ReadTable()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(SharedData.File("interop", "features", "manifest.json")));
        return [.. document.RootElement.GetProperty("files").EnumerateArray()
            .Select(row => new InteropFile(Text(row, "file"), Text(row, "right"), Text(row, "values"), Text(row, "labels"),
                Text(row, "options"), Text(row, "note")))
            .Where(row => row.File.StartsWith("parquet/", StringComparison.Ordinal))];

        static string Text(JsonElement row, string name) => row.GetProperty(name).GetString()!;
    }

    private static (float[] Features, long[] Labels, float[] Halves, float[] Bytes) ReadExpected()
    {
        var exact = SharedData.File("interop", "features", "expected.safetensors");
        var rounded = SharedData.File("interop", "features", "expected-rounded.safetensors");
        return (
            Read<float>(exact, "features"),
            Read<long>(exact, "labels"),
            Array.ConvertAll(Read<Half>(rounded, "features_float16"), value => (float)value),
            Array.ConvertAll(Read<sbyte>(rounded, "features_int8"), value => (float)value));
    }

    // Without the reader that is tested elsewhere, which has no 8-bit integers.
    private static T[] Read<T>(string path, string name)
        where T : unmanaged
    {
        var bytes = File.ReadAllBytes(path);
        var start = sizeof(long) + (int)BitConverter.ToInt64(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(sizeof(long)..start));
        var offsets = header.RootElement.GetProperty(name).GetProperty("data_offsets");
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(
            bytes.AsSpan((start + offsets[0].GetInt32())..(start + offsets[1].GetInt32()))).ToArray();
    }
}
