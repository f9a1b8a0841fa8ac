using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using SkiaSharp;
using CompressionMethod = Parquet.CompressionMethod;

namespace MonoLoss.Cli;

/// <summary>
/// Draws samples as small pictures from which their concepts can be read: the family is the background, the thing the sign in the middle,
/// and the strongest attributes are badges in the corners. An attribute has one badge and one corner, whatever else a sample shows.
/// </summary>
/// <remarks>An instance draws one picture at a time.</remarks>
internal sealed class ConceptPictures : IDisposable
{
    /// <summary>Width and height of a picture.</summary>
    public const int Size = 72;

    private const int MostBadges = 3;
    private const int Glyphs = SyntheticConcepts.Attributes / Corners;
    private const int Corners = 4;
    // Higher levels of deflate take longer and save a tenth.
    private const int PackingLevel = 4;

    private const float BadgeRadius = 9.2f;
    private const float BadgeInset = 11;
    private const float GlyphScale = 1.08f;

    // The sign fills most of the picture; a sample that shows little of its thing has a smaller one.
    private const float SmallestSign = 34;
    private const float LargestSign = 45;

    private static readonly SKColor PaperColor = new(0xff, 0xfd, 0xf7);

    // Background, the tone of its pattern, middle and ink. Backgrounds are light enough for ink and dark enough for paper.
    private static readonly (SKColor Back, SKColor Pattern, SKColor Middle, SKColor Ink)[] Palette =
    [
        (new(0xf0, 0xc8, 0x7a), new(0xe3, 0xb3, 0x59), new(0xb3, 0x6a, 0x1f), new(0x57, 0x2f, 0x0a)),
        (new(0x9f, 0xc9, 0xee), new(0x87, 0xb8, 0xe4), new(0x2f, 0x7a, 0xb9), new(0x0d, 0x35, 0x63)),
        (new(0xf5, 0xae, 0xa6), new(0xec, 0x97, 0x8e), new(0xcd, 0x4b, 0x45), new(0x6d, 0x12, 0x1d)),
        (new(0xc9, 0xb8, 0xe8), new(0xb7, 0xa2, 0xdd), new(0x80, 0x5c, 0xbf), new(0x37, 0x1c, 0x62)),
        (new(0xae, 0xd9, 0x96), new(0x97, 0xca, 0x7d), new(0x4c, 0x92, 0x3a), new(0x15, 0x45, 0x20)),
        (new(0xc3, 0xcb, 0xd1), new(0xb0, 0xb9, 0xc1), new(0x53, 0x66, 0x78), new(0x1f, 0x29, 0x33)),
    ];

    private static readonly SKColor[] BadgeColors =
        [new(0x00, 0x6d, 0x77), new(0xb0, 0x1e, 0x68), new(0x24, 0x24, 0x24), new(0x3d, 0x3d, 0xb8)];

    // In a square of −5 … 5.
    private static readonly string[] GlyphPaths =
    [
        "M-4.2 0 a4.2 4.2 0 1 1 8.4 0 a4.2 4.2 0 1 1 -8.4 0 Z",
        "M-3.8 -3.8 H3.8 V3.8 H-3.8 Z",
        "M0 -5 L4.8 3.6 H-4.8 Z",
        "M-1.6 -5 H1.6 V-1.6 H5 V1.6 H1.6 V5 H-1.6 V1.6 H-5 V-1.6 H-1.6 Z",
        "M0 -5.2 L1.5 -1.7 L5.2 -1.5 L2.3 0.9 L3.3 4.6 L0 2.5 L-3.3 4.6 L-2.3 0.9 L-5.2 -1.5 L-1.5 -1.7 Z",
        "M0 4.8 Q-5.4 1 -4.9 -2 Q-4 -5.2 0 -2.6 Q4 -5.2 4.9 -2 Q5.4 1 0 4.8 Z",
        "M-5 -4 H5 V-1.2 H-5 Z M-5 1.2 H5 V4 H-5 Z",
        "M1.5 -5 A5 5 0 1 0 1.5 5 A6.2 6.2 0 0 1 1.5 -5 Z",
        "M-5 0 L0 -5 L5 0 H2 V5 H-2 V0 Z",
        "M-5 -5 L0 -1.8 L5 -5 L1.8 0 L5 5 L0 1.8 L-5 5 L-1.8 0 Z",
    ];

    private readonly SKSurface _surface = SKSurface.Create(new SKImageInfo(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque));
    private readonly (SKPath Path, SignPart Part)[][] _signs =
        [.. SyntheticConcepts.Labels.Select(thing => Sign.Of(thing).Select(part => (Parse(part.Path), part)).ToArray())];

    private readonly SKPath[] _patterns = [.. Enumerable.Range(0, Palette.Length).Select(family => Parse(Pattern(family)))];
    private readonly SKPath[] _glyphs = Array.ConvertAll(GlyphPaths, Parse);
    private readonly SKPaint _paint = new() { IsAntialias = true, StrokeCap = SKStrokeCap.Round, StrokeJoin = SKStrokeJoin.Round };

    /// <inheritdoc/>
    public void Dispose()
    {
        _paint.Dispose();
        _surface.Dispose();
        foreach (var path in _glyphs.Concat(_patterns).Concat(_signs.SelectMany(sign => sign.Select(part => part.Path))))
        {
            path.Dispose();
        }
    }

    /// <summary>
    /// Writes the pictures of samples to a Parquet file: id and label (text), image (the bytes of a PNG file).
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="samples">The samples.</param>
    /// <param name="metadata">Texts to keep beside the data.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<ConceptSample> samples, IReadOnlyDictionary<string, string> metadata)
    {
        var files = new byte[samples.Count][];

        // A missing native library shows here, where no other exception hides it.
        using (var first = new ConceptPictures())
        {
            files[0] = first.Draw(samples[0]);
        }

        Parallel.For(1, files.Length, () => new ConceptPictures(), Draw, pictures => pictures.Dispose());
        ParquetWriter.Write(
            path,
            [
                ParquetData.Create("id", [.. samples.Select(sample => sample.Id)]),
                ParquetData.Create("image", files),
                ParquetData.Create("label", [.. samples.Select(sample => sample.Label)]),
            ],
            new ParquetWriterOptions { Metadata = metadata, Compression = CompressionMethod.None });

        ConceptPictures Draw(int sample, ParallelLoopState loop, ConceptPictures pictures)
        {
            files[sample] = pictures.Draw(samples[sample]);
            return pictures;
        }
    }

    /// <summary>Draws a sample.</summary>
    /// <returns>A PNG file.</returns>
    public byte[] Draw(ConceptSample sample)
    {
        var canvas = _surface.Canvas;
        canvas.Clear(Palette[sample.Family].Back);
        Fill(_patterns[sample.Family], Palette[sample.Family].Pattern);

        var size = SmallestSign + ((LargestSign - SmallestSign) * (float)(sample.ThingStrength - 0.5));
        canvas.Save();
        canvas.Translate((Size - size) / 2, (Size - size) / 2);
        canvas.Scale(size / Sign.Box);
        foreach (var (path, part) in _signs[sample.Thing])
        {
            Fill(path, Color(part.Tone, sample.Family), part.Line);
        }

        canvas.Restore();
        foreach (var attribute in Shown(sample))
        {
            DrawBadge(attribute);
        }

        using var pixels = _surface.PeekPixels();
        using var file = pixels.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.Sub, PackingLevel))
            ?? throw new InvalidOperationException("SkiaSharp wrote no PNG");
        return file.ToArray();
    }

    /// <summary>The attributes of a sample that have a badge: the strongest of each corner, at most three.</summary>
    internal static IReadOnlyList<int> Shown(ConceptSample sample) =>
    [
        .. sample.Attributes.GroupBy(attribute => attribute.Attribute)
            .Select(same => (Attribute: same.Key, Strength: same.Sum(attribute => attribute.Strength)))
            .OrderByDescending(attribute => attribute.Strength).DistinctBy(attribute => attribute.Attribute / Glyphs)
            .Take(MostBadges).Select(attribute => attribute.Attribute),
    ];

    private static SKPath Parse(string path) => SKPath.ParseSvgPathData(path);

    private static SKColor Color(Tone tone, int family) => tone switch
    {
        Tone.Ink => Palette[family].Ink,
        Tone.Middle => Palette[family].Middle,
        _ => PaperColor,
    };

    // Families differ by their patterns too: dots, bars, diagonals, bricks …
    private static string Pattern(int family)
    {
        var steps = Enumerable.Range(0, Size / 8);
        return family switch
        {
            0 => string.Concat(steps.SelectMany(
                _ => steps, (y, x) => $"M{(8 * x) + (y % 2 * 4)} {(8 * y) + 4} a2 2 0 1 1 4 0 a2 2 0 1 1 -4 0 Z ")),
            1 => string.Concat(steps.Select(y => $"M0 {(8 * y) + 2} h{Size} v4 h-{Size} Z ")),
            2 => string.Concat(steps.SelectMany(_ => steps, (y, x) => (x + y) % 2 == 0 ? $"M{8 * x} {8 * y} h8 v8 h-8 Z " : string.Empty)),
            3 => string.Concat(steps.Select(y => $"M0 {8 * y} h{Size} v1.6 h-{Size} Z ")) + string.Concat(
                steps.SelectMany(_ => steps, (y, x) => $"M{(16 * x) + (y % 2 * 8)} {8 * y} h1.6 v8 h-1.6 Z ")),
            4 => string.Concat(Enumerable.Range(0, 2 * Size / 12).Select(
                i => $"M{(12 * i) - Size} {Size} l{Size} -{Size} h6 l-{Size} {Size} Z ")),
            _ => string.Concat(steps.Select(x => $"M{8 * x} 0 h2 v{Size} h-2 Z ")),
        };
    }

    private void DrawBadge(int attribute)
    {
        var (corner, glyph) = (attribute / Glyphs, attribute % Glyphs);
        var x = corner % 2 == 0 ? BadgeInset : Size - BadgeInset;
        var y = corner / 2 == 0 ? BadgeInset : Size - BadgeInset;
        var canvas = _surface.Canvas;
        _paint.Style = SKPaintStyle.Fill;
        _paint.Color = PaperColor;
        canvas.DrawCircle(x, y, BadgeRadius, _paint);
        canvas.Save();
        canvas.Translate(x, y);
        canvas.Scale(GlyphScale);
        Fill(_glyphs[glyph], BadgeColors[corner]);
        canvas.Restore();
    }

    private void Fill(SKPath path, SKColor color, float line = 0)
    {
        _paint.Style = line > 0 ? SKPaintStyle.Stroke : SKPaintStyle.Fill;
        _paint.StrokeWidth = line;
        _paint.Color = color;
        _surface.Canvas.DrawPath(path, _paint);
    }
}
