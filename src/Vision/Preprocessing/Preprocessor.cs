using System.Globalization;
using System.Text.RegularExpressions;

namespace MonoLoss.Vision;

/// <summary>
/// How an image becomes the input of a model: resize, crop, scale and normalize, in this order, as Hugging Face's processors do.
/// </summary>
public sealed partial record Preprocessor
{
    /// <summary>The mean and deviation of ImageNet's channels.</summary>
    public static readonly (float[] Mean, float[] Deviation) ImageNet = ([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]);

    /// <summary>CLIP's.</summary>
    public static readonly (float[] Mean, float[] Deviation) Clip =
        ([0.48145466f, 0.4578275f, 0.40821073f], [0.26862954f, 0.26130258f, 0.27577711f]);

    /// <summary>Those that map pixels to −1…1.</summary>
    public static readonly (float[] Mean, float[] Deviation) Half = ([0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f]);

    /// <summary>Where it comes from: a preset's name, or the name of the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>The width of the model's input.</summary>
    public required int Width { get; init; }

    /// <summary>The height of the model's input.</summary>
    public required int Height { get; init; }

    /// <summary>The length that the shorter side gets before the crop; null if an image is stretched to the size of the input.</summary>
    public int? ShortestEdge { get; init; }

    /// <summary>The size that an image is stretched to before the crop, if that is not the size of the input.</summary>
    public (int Width, int Height)? Stretch { get; init; }

    /// <summary>Whether an image is resized at all, or only cropped.</summary>
    public bool Resizes { get; init; } = true;

    /// <summary>The filter of resizing.</summary>
    public Resampling Filter { get; init; } = Resampling.Bicubic;

    /// <summary>What a pixel value of 0…255 is multiplied by.</summary>
    public double Scale { get; init; } = 1.0 / 255;

    /// <summary>Whether the input's channels are blue, green and red, to which mean and deviation then belong.</summary>
    public bool ReversesChannels { get; init; }

    /// <summary>What is subtracted from the scaled channels.</summary>
    public required IReadOnlyList<float> Mean { get; init; }

    /// <summary>What the difference is divided by.</summary>
    public required IReadOnlyList<float> Deviation { get; init; }

    /// <summary>All of it as one line, for metadata: equal lines mean equal inputs.</summary>
    public string Description
    {
        get
        {
            var filter = Filter.ToString().ToLowerInvariant();
            var (width, height) = Stretch ?? (Width, Height);
            var resize = !Resizes ? "no resize"
                : ShortestEdge is { } edge ? $"shortest edge {edge} {filter}"
                : $"resize {width}x{height} {filter}";
            var order = ReversesChannels ? ", channels BGR" : string.Empty;
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{Name}: {resize}, crop {Width}x{Height}, scale {Scale:R}{order}, mean {List(Mean)}, deviation {List(Deviation)}, "
                    + $"EXIF orientation");
        }
    }

    /// <summary>What a description says of size and crop, which is enough for <see cref="Fit"/>.</summary>
    /// <param name="description">A <see cref="Description"/>, of this version or another.</param>
    /// <returns>Null if it is not understood.</returns>
    public static Preprocessor? FromDescription(string description)
    {
        if (Geometry().Match(description) is not { Success: true } match)
        {
            return null;
        }

        int? Number(string group) =>
            int.TryParse(match.Groups[group].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                ? number
                : null;
        if (Number("cropWidth") is not { } width || Number("cropHeight") is not { } height)
        {
            return null;
        }

        return new Preprocessor
        {
            Name = description,
            Width = width,
            Height = height,
            ShortestEdge = Number("edge"),
            Stretch = Number("width") is { } stretchedWidth && Number("height") is { } stretchedHeight
                ? (stretchedWidth, stretchedHeight)
                : null,
            Resizes = !match.Groups["none"].Success,
            Filter = Enum.TryParse<Resampling>(match.Groups["filter"].ValueSpan, ignoreCase: true, out var filter)
                ? filter
                : Resampling.Bicubic,
            Mean = [],
            Deviation = [],
        };
    }

    [GeneratedRegex(
        "(?:(?<none>no resize)|shortest edge (?<edge>[0-9]+) (?<filter>[a-z]+)"
        + "|resize (?<width>[0-9]+)x(?<height>[0-9]+) (?<filter>[a-z]+)), "
        + "crop (?<cropWidth>[0-9]+)x(?<cropHeight>[0-9]+)")]
    private static partial Regex Geometry();

    /// <summary>The pixels that the model sees, before they are scaled.</summary>
    /// <param name="image">The image.</param>
    /// <returns>An image of <see cref="Width"/> × <see cref="Height"/>.</returns>
    /// <exception cref="DamagedImageException">The image is too long for its width, or the other way round.</exception>
    public PixelImage Fit(PixelImage image)
    {
        var size = ResizedSize(image);
        return PillowResize.Resize(image, size, PixelRectangle.Centered(size, Width, Height), Filter);
    }

    /// <summary>Writes the model's input.</summary>
    /// <param name="image">The image.</param>
    /// <param name="target">
    /// Receives 3 × height × width values: the channels red, green and blue one after another, or in the reverse order
    /// (<see cref="ReversesChannels"/>).
    /// </param>
    /// <exception cref="DamagedImageException">The image is too long for its width, or the other way round.</exception>
    public void Apply(PixelImage image, Span<float> target) => Normalize(Fit(image), target);

    /// <summary>Writes the model's input.</summary>
    /// <param name="fitted">What <see cref="Fit"/> made of an image.</param>
    /// <param name="target">As in <see cref="Apply"/>.</param>
    internal void Normalize(PixelImage fitted, Span<float> target)
    {
        var pixels = fitted.Pixels;
        var plane = Width * Height;
        Span<float> values = stackalloc float[256];
        for (var channel = 0; channel < Mean.Count; channel++)
        {
            for (var value = 0; value < values.Length; value++)
            {
                values[value] = ((float)(value * Scale) - Mean[channel]) / Deviation[channel];
            }

            var source = ReversesChannels ? Mean.Count - 1 - channel : channel;
            var part = target.Slice(channel * plane, plane);
            for (var i = 0; i < part.Length; i++)
            {
                part[i] = values[pixels[(i * PixelImage.Channels) + source]];
            }
        }
    }

    /// <summary>The same for a model whose input has another size; the shorter side keeps its proportion to the crop.</summary>
    public Preprocessor WithSize(int width, int height) => this with
    {
        Width = width,
        Height = height,
        ShortestEdge = ShortestEdge is { } edge ? (int)Math.Round((double)edge * Math.Min(width, height) / Math.Min(Width, Height)) : null,
        Stretch = null,
    };

    private (int Width, int Height) ResizedSize(PixelImage image)
    {
        if (!Resizes)
        {
            return (image.Width, image.Height);
        }

        if (ShortestEdge is not { } edge)
        {
            return Stretch ?? (Width, Height);
        }

        var (shorter, longer) = (Math.Min(image.Width, image.Height), Math.Max(image.Width, image.Height));
        var length = (long)edge * longer / shorter;
        if (length > int.MaxValue)
        {
            throw new DamagedImageException($"{image.Width} × {image.Height} pixels cannot be resized by the shorter side");
        }

        return image.Width <= image.Height ? (edge, (int)length) : ((int)length, edge);
    }

    private static string List(IReadOnlyList<float> values) =>
        string.Join("/", values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
}
