using System.Text.Json;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>
/// Reads <c>preprocessor_config.json</c> of Hugging Face's image processors: those of CLIP, SigLIP, ViT (Swin), DeiT, BEiT, Bit (DINOv2)
/// and ConvNeXt (ResNet), and others whose file says in full what they do.
/// </summary>
/// <remarks>Defaults of keys that a file lacks are those of the processors' classes.</remarks>
public static class PreprocessorConfig
{
    /// <summary>The name of the file.</summary>
    public const string FileName = "preprocessor_config.json";

    // ConvNeXt's processor crops only below this size.
    private const string ConvNextName = "ConvNext";
    private const int StretchedFrom = 384;
    private const double UsualCropShare = 224.0 / 256;
    private const int MaxSize = 8192;

    private static readonly Kind Unknown = new(string.Empty, Filter: null, Crops: null, SingleIsShortest: null);

    // The names of the classes start with these, and end with FeatureExtractor, ImageProcessor or ImageProcessorFast.
    private static readonly Kind[] Kinds =
    [
        new("CLIP", Resampling.Bicubic, Crops: true, SingleIsShortest: true),
        new("Bit", Resampling.Bicubic, Crops: true, SingleIsShortest: true),
        new("DeiT", Resampling.Bicubic, Crops: true, SingleIsShortest: false),
        new("Beit", Resampling.Bicubic, Crops: true, SingleIsShortest: false),
        new("Siglip", Resampling.Bicubic, Crops: false, SingleIsShortest: false),
        new("ViT", Resampling.Bilinear, Crops: false, SingleIsShortest: false),
        new(ConvNextName, Resampling.Bicubic, Crops: true, SingleIsShortest: true),
    ];

    // Processors that do something else with the same keys, and keys of what no other does.
    private static readonly string[] Unsupported =
        ["Levit", "Perceiver", "EfficientNet", "PoolFormer", "MobileViT", "MobileNetV", "DPT", "TimmWrapper"];

    private static readonly string[] UnsupportedKeys =
        ["rescale_offset", "do_pad", "size_divisor", "keep_aspect_ratio", "do_thumbnail", "do_split_image"];

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">It cannot be read, or asks for something that is not supported.</exception>
    public static Preprocessor Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path));
            return Read(new Keys(path, document.RootElement));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    private static Preprocessor Read(Keys keys)
    {
        var type = keys.Text("image_processor_type") ?? keys.Text("feature_extractor_type") ?? string.Empty;
        if (type.StartsWith("Siglip2", StringComparison.Ordinal) || keys.Has("max_num_patches"))
        {
            throw keys.Failure("max_num_patches", "images of varying size (NaFlex) are not supported; export a model of fixed resolution");
        }

        if (Unsupported.FirstOrDefault(name => type.StartsWith(name, StringComparison.Ordinal)) is not null)
        {
            throw keys.Failure("image_processor_type", $"{type} is not supported");
        }

        if (Array.Find(UnsupportedKeys, keys.IsSet) is { } unsupported)
        {
            throw keys.Failure(unsupported, "not supported");
        }

        var kind = Array.Find(Kinds, kind => kind.Has(type)) ?? Unknown;
        var scale = keys.Flag("do_rescale", true) ? keys.Number("rescale_factor", 1.0 / 255) : 1;
        var normalize = keys.Flag("do_normalize", true);
        var geometry = kind.Name == ConvNextName || (kind == Unknown && keys.Has("crop_pct")) ? ConvNext(keys) : Usual(keys, kind);
        return geometry with
        {
            Scale = scale,
            ReversesChannels = keys.Flag("do_flip_channel_order", false),
            Filter = geometry.Resizes ? keys.Filter("resample", kind.Filter) : geometry.Filter,
            Mean = normalize ? keys.Channels("image_mean") : [0, 0, 0],
            Deviation = normalize ? keys.Channels("image_std") : [1, 1, 1],
        };
    }

    private static Preprocessor Usual(Keys keys, Kind kind)
    {
        // Processors without a crop take no notice of its keys.
        var crops = kind.Crops != false && keys.Flag("do_center_crop", kind.Crops ?? keys.Has("crop_size"));
        var resizes = keys.Flag("do_resize", true);
        var size = resizes ? keys.Size("size") : new ImageSize(null, null, null);
        if (size.Single is not null && crops && kind.SingleIsShortest is null)
        {
            throw keys.Failure("size", "found a number, which is the shortest edge or both edges, depending on the processor; write which");
        }

        var shortest = size.ShortestEdge ?? (kind.SingleIsShortest == true ? size.Single : null);
        var stretch = size.Single is { } side ? (side, side) : size.Exact;
        if (!crops && shortest is not null)
        {
            throw keys.Failure("size", "a shortest edge without a crop gives images of varying size, which are not supported");
        }

        var crop = crops ? keys.Size("crop_size") : new ImageSize(null, stretch, null);
        var input = crop.Single is { } length ? (length, length) : crop.Exact
            ?? throw keys.Failure(crops ? "crop_size" : "size", "expected a number, or height and width");
        return Create(input) with { Resizes = resizes, ShortestEdge = shortest, Stretch = shortest is null ? stretch : null };
    }

    private static Preprocessor ConvNext(Keys keys)
    {
        var size = keys.Size("size");
        var edge = size.Single ?? size.ShortestEdge ?? throw keys.Failure("size", "expected a number or a shortest edge");
        var share = keys.Number("crop_pct", UsualCropShare);
        if (!keys.Flag("do_resize", true))
        {
            throw keys.Failure("do_resize", "without it images are of varying size, which is not supported");
        }

        return Create((edge, edge)) with
        {
            ShortestEdge = edge >= StretchedFrom ? null
                : share is > 0 and <= 1 ? (int)(edge / share)
                : throw keys.Failure("crop_pct", "expected a number above 0 and up to 1"),
        };
    }

    private static Preprocessor Create((int Width, int Height) input) => new()
    {
        Name = FileName, Width = input.Width, Height = input.Height, Mean = [], Deviation = [],
    };

    /// <summary>What a class of processors does where its file does not say.</summary>
    /// <param name="Name">How the names of the classes start.</param>
    /// <param name="Filter">The filter; null if the file must say.</param>
    /// <param name="Crops">Whether it crops unless the file says otherwise; null if it does so where there is a size to crop to.</param>
    /// <param name="SingleIsShortest">Whether a size of one number is the shortest edge, or both edges; null if that is not known.</param>
    private sealed record Kind(string Name, Resampling? Filter, bool? Crops, bool? SingleIsShortest)
    {
        public bool Has(string type) => type.StartsWith(Name, StringComparison.Ordinal)
            && (type.AsSpan(Name.Length).StartsWith("ImageProcessor") || type.AsSpan(Name.Length).StartsWith("FeatureExtractor"));
    }

    private readonly record struct ImageSize(int? Single, (int Width, int Height)? Exact, int? ShortestEdge);

    /// <summary>The values of a file, checked.</summary>
    private sealed class Keys
    {
        private readonly string _path;
        private readonly JsonElement _root;

        public Keys(string path, JsonElement root)
        {
            (_path, _root) = (path, root);
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new DataException($"{path}: found a {root.ValueKind}, expected an object");
            }
        }

        public DataException Failure(string key, string message) => new($"{_path}: {key}: {message}");

        public bool Has(string key) => Find(key) is not null;

        public string? Text(string key) => Find(key) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

        public bool Flag(string key, bool usual) => Find(key) is not { } value ? usual
            : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw Failure(key, $"found {value}, expected true or false");

        /// <summary>Whether a key is there and is neither false nor 0 nor null.</summary>
        public bool IsSet(string key) => Find(key) is { } value && value.ValueKind != JsonValueKind.False
            && !(value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0);

        public double Number(string key, double usual) => Find(key) is not { } value ? usual
            : value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble()) ? value.GetDouble()
            : throw Failure(key, $"found {value}, expected a number");

        public Resampling Filter(string key, Resampling? usual) => Find(key) is not { } value
            ? usual ?? throw Failure(key, "there is no such key, and image_processor_type does not tell")
            : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && Enum.IsDefined((Resampling)number)
                ? (Resampling)number
                : throw Failure(key, $"found {value}, expected 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (Hamming)");

        public float[] Channels(string key)
        {
            if (Find(key) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 3
                && list.EnumerateArray().All(value => value.ValueKind == JsonValueKind.Number))
            {
                float[] values = [.. list.EnumerateArray().Select(value => value.GetSingle())];
                if (values.All(float.IsFinite) && (key != "image_std" || !values.Contains(0)))
                {
                    return values;
                }
            }

            throw Failure(key, "expected three numbers");
        }

        public ImageSize Size(string key)
        {
            if (Find(key) is not { } value)
            {
                throw Failure(key, "there is no such key");
            }

            if (value.ValueKind == JsonValueKind.Object)
            {
                if (value.TryGetProperty("shortest_edge", out var shortest) && !value.TryGetProperty("longest_edge", out _))
                {
                    return new ImageSize(null, null, Length(key, shortest));
                }

                if (value.TryGetProperty("height", out var height) && value.TryGetProperty("width", out var width))
                {
                    return new ImageSize(null, (Length(key, width), Length(key, height)), null);
                }

                throw Failure(key, $"found {value}, expected shortest_edge, or height and width");
            }

            return new ImageSize(Length(key, value), null, null);
        }

        private int Length(string key, JsonElement value) =>
            value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var length) && length is > 0 and <= MaxSize
                ? length
                : throw Failure(key, $"found {value}, expected a number of pixels from 1 to {MaxSize}");

        private JsonElement? Find(string key) =>
            _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
