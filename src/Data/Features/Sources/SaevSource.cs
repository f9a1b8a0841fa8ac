using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A folder of saev's shards: raw float32 of the shape images × layers × tokens × dimension, described by metadata.json. Rows are the
/// vectors of one layer: the [CLS] token or one patch of each image, the mean of its patches, or all its patches.
/// </summary>
internal sealed partial class SaevSource : FeatureSource
{
    private readonly Shards _shards;
    private readonly Choice _choice;

    private SaevSource(FeatureFile place, Shards shards, Choice choice, ulong hash)
        : base(place)
    {
        (_shards, _choice, Hash) = (shards, choice, hash);
        RowGroups = Blocks(shards.Images * choice.RowsPerImage, shards.Dimension);
    }

    /// <inheritdoc/>
    public override int Dimension => _shards.Dimension;

    /// <inheritdoc/>
    public override IReadOnlyList<long> RowGroups { get; }

    /// <inheritdoc/>
    public override ulong Hash { get; }

    /// <inheritdoc/>
    public override string Noun => "array";

    /// <inheritdoc/>
    public override string Name => _choice.Text;

    /// <inheritdoc/>
    public override string TypeText => "float32";

    /// <inheritdoc/>
    public override IEnumerable<string> ValueNames => [];

    /// <inheritdoc/>
    public override string Contents => _shards.Describe();

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Origin => _shards.Model is { } model
        ? new Dictionary<string, string>
        {
            [FeatureOrigin.Model] = model,
            [FeatureOrigin.Layer] = string.Create(CultureInfo.InvariantCulture, $"layer {_shards.Layers[_choice.Layer]}"),
            [FeatureOrigin.Token] = _choice.Text[(_choice.Text.IndexOf(',') + 1)..].TrimStart(),
        }
        : FeatureOrigin.None;

    /// <summary>Opens a folder.</summary>
    /// <param name="place">The folder.</param>
    /// <param name="options">Which layer and token.</param>
    /// <returns>Null if it has no images.</returns>
    /// <exception cref="DataException">It is damaged, or which vectors are rows is not chosen.</exception>
    public static SaevSource? Open(FeatureFile place, FeatureSetOptions options)
    {
        var shards = Shards.Read(place.Path);
        var choice = Choice.Of(shards, options.FeaturesColumn);
        if (shards.Images == 0)
        {
            return null;
        }

        try
        {
            using var first = FileBytes.Open(shards.PathOf(0));
            return new SaevSource(place, shards, choice, FileFingerprint.HashOf(first));
        }
        catch (Exception exception) when (exception is CorruptException or IOException)
        {
            throw new DataException($"{shards.PathOf(0)}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <inheritdoc/>
    public override ValueColumn? FindValues(string name) => null;

    /// <inheritdoc/>
    public override FeatureCursor OpenCursor(FeatureCursor? previous)
    {
        previous?.Dispose();
        return new Cursor(this);
    }

    [GeneratedRegex(@"^layer (?<layer>-?[0-9]+)\s*,\s*(?<token>cls|patches|mean|patch (?<patch>[0-9]+))$", RegexOptions.ExplicitCapture)]
    private static partial Regex ChoiceText();

    /// <summary>What metadata.json says.</summary>
    private sealed record Shards(
        string Folder, IReadOnlyList<int> Layers, int Patches, bool HasCls, int Dimension, long Images, long ImagesPerShard)
    {
        private const int MostLayers = 1 << 12;
        private const int LargestSize = 1 << 24;

        public int Tokens => Patches + (HasCls ? 1 : 0);

        /// <summary>The network; null if it has no name.</summary>
        public string? Model { get; init; }

        public static Shards Read(string folder)
        {
            var path = System.IO.Path.Combine(folder, FeatureFolder.SaevMetadata);
            try
            {
                using var document = JsonDocument.Parse(System.IO.File.ReadAllText(path));
                var root = document.RootElement;
                int Size(string name, int least) => root.GetProperty(name).TryGetInt32(out var size) && size >= least && size <= LargestSize
                    ? size
                    : throw new DataException($"{path}: {name} is {root.GetProperty(name)}, expected a number from {least} to "
                    + $"{LargestSize}");
                int[] layers = [.. root.GetProperty("layers").EnumerateArray().Take(MostLayers).Select(layer => layer.GetInt32())];
                var (patches, hasCls) = (Size("n_patches_per_img", 0), root.GetProperty("cls_token").GetBoolean());
                var images = root.GetProperty("n_imgs").GetInt64();
                var tokens = patches + (hasCls ? 1 : 0);
                var perShard = root.GetProperty("n_patches_per_shard").GetInt64() / Math.Max(1, layers.Length) / Math.Max(1, tokens);
                var model = root.TryGetProperty("model_ckpt", out var name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;
                return layers.Length > 0 && layers.Distinct().Count() == layers.Length && tokens > 0 && images >= 0 && perShard > 0
                    ? new Shards(folder, layers, patches, hasCls, Size("d_vit", 1), images, perShard) { Model = model }
                    : throw new DataException($"{path}: its sizes describe no shards");
            }
            catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException
                or FormatException or IOException or UnauthorizedAccessException)
            {
                throw new DataException($"{path}: saev's shards cannot be read by it: {exception.Message}", exception);
            }
        }

        public string PathOf(long shard) =>
            System.IO.Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"acts{shard:000000}.bin"));

        public string Describe()
        {
            string[] tokens = [.. HasCls ? new[] { "cls" } : [], .. Patches > 0 ? new[] { "mean", "patches", "patch 0" } : []];
            return $"layers {string.Join(", ", Layers)}; tokens "
                + $"{string.Join(", ", tokens)}{(Patches > 1 ? $" to patch {Patches - 1}" : string.Empty)}";
        }
    }

    /// <summary>Which vectors are rows.</summary>
    /// <param name="Text">How it is written.</param>
    /// <param name="Layer">Position of the layer.</param>
    /// <param name="FirstToken">The first token of an image.</param>
    /// <param name="Tokens">Number of tokens.</param>
    /// <param name="IsMean">Whether their mean is one row, not each a row.</param>
    private sealed record Choice(string Text, int Layer, int FirstToken, int Tokens, bool IsMean)
    {
        public int RowsPerImage => IsMean ? 1 : Tokens;

        public static Choice Of(Shards shards, string? text)
        {
            if (text is null && shards is { Layers.Count: 1, Tokens: 1 })
            {
                return new Choice($"layer {shards.Layers[0]}, {(shards.HasCls ? "cls" : "patches")}", 0, 0, 1, false);
            }

            if (text is null)
            {
                throw new DataException($"{shards.Folder}: saev's shards have {shards.Describe()}; choose a layer and a token with "
                    + $"FeaturesColumn, such as 'layer {shards.Layers[^1]}, {(shards.HasCls ? "cls" : "patches")}'",
                    property: nameof(FeatureSetOptions.FeaturesColumn));
            }

            var match = ChoiceText().Match(text.Trim());
            var layer = match.Success && int.TryParse(match.Groups["layer"].ValueSpan, CultureInfo.InvariantCulture, out var number)
                ? shards.Layers.ToList().IndexOf(number)
                : -1;
            var cls = shards.HasCls ? 1 : 0;
            Choice? choice = layer < 0 ? null : match.Groups["token"].Value switch
            {
                "cls" => shards.HasCls ? new Choice(text, layer, 0, 1, false) : null,
                "patches" => shards.Patches > 0 ? new Choice(text, layer, cls, shards.Patches, false) : null,
                "mean" => shards.Patches > 0 ? new Choice(text, layer, cls, shards.Patches, true) : null,
                _ => int.TryParse(match.Groups["patch"].ValueSpan, CultureInfo.InvariantCulture, out var patch) && patch < shards.Patches
                    ? new Choice(text, layer, cls + patch, 1, false)
                    : null,
            };
            return choice ?? throw new DataException($"{shards.Folder}: found '{text}', expected 'layer N, TOKEN' with "
                + $"{shards.Describe()}");
        }
    }

    private sealed class Cursor(SaevSource source) : FeatureCursor
    {
        private readonly float[] _patches = source._choice.IsMean ? new float[checked(source._choice.Tokens * source.Dimension)] : [];
        private FileBytes? _file;
        private long _shard = -1;
        private long _row;

        public override void Open(int rowGroup) => _row = source.FirstRow(rowGroup);

        public override void Read(Span<float> rows)
        {
            var dimension = source.Dimension;
            while (!rows.IsEmpty)
            {
                var (image, token) = Math.DivRem(_row, source._choice.RowsPerImage);
                if (source._choice.IsMean)
                {
                    ReadTokens(image, 0, _patches);
                    Average(rows[..dimension]);
                    _row++;
                    rows = rows[dimension..];
                }
                else
                {
                    // The tokens of an image lie beside each other.
                    var count = (int)Math.Min(source._choice.Tokens - token, rows.Length / dimension);
                    ReadTokens(image, (int)token, rows[..(count * dimension)]);
                    _row += count;
                    rows = rows[(count * dimension)..];
                }
            }
        }

        public override void Dispose() => _file?.Dispose();

        private void Average(Span<float> row)
        {
            for (var d = 0; d < row.Length; d++)
            {
                double sum = 0;
                for (var token = 0; token < source._choice.Tokens; token++)
                {
                    sum += _patches[(token * row.Length) + d];
                }

                row[d] = (float)(sum / source._choice.Tokens);
            }
        }

        private void ReadTokens(long image, int token, Span<float> values)
        {
            var shards = source._shards;
            var (shard, inShard) = Math.DivRem(image, shards.ImagesPerShard);
            if (shard != _shard)
            {
                _file?.Dispose();
                _file = null;
                _file = FileBytes.Open(shards.PathOf(shard));
                _shard = shard;
                var expected = (Int128)shards.ImagesPerShard * shards.Layers.Count * shards.Tokens * shards.Dimension * sizeof(float);
                if (_file.Length != expected)
                {
                    throw new DataException($"{_file.Path}: found {_file.Length} bytes, expected {expected} as metadata.json says");
                }
            }

            var vector = (((inShard * shards.Layers.Count) + source._choice.Layer) * shards.Tokens) + source._choice.FirstToken + token;
            try
            {
                _file!.Read(MemoryMarshal.AsBytes(values), vector * shards.Dimension * sizeof(float));
            }
            catch (Exception exception) when (exception is CorruptException or IOException)
            {
                throw new DataException($"{shards.PathOf(shard)}: cannot be read: {exception.Message}", exception);
            }
        }
    }
}
