using System.Collections.Concurrent;
using MonoLoss.Tests.Data;
using MonoLoss.Vision;
using SkiaSharp;

namespace MonoLoss.Tests.Vision;

/// <summary>Which image a row gets, and what its thumbnail looks like.</summary>
public sealed class ThumbnailTests : IDisposable
{
    private const int Images = 40;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rows_get_the_images_of_their_ids()
    {
        Draw();
        // In another order than the images, one of them twice, one that is not there and one without an id.
        int[] rows = [7, 3, 30, 3, 39, 0];
        var wanted = rows.Select((image, row) => new WantedImage(100 + row, Name(image)))
            .Append(new WantedImage(200, "absent.png")).Append(new WantedImage(201, null)).ToList();
        var (set, pictures) = Make(wanted, new ThumbnailOptions { Rows = 5 });
        Assert.Equal(rows.Select((_, row) => 100L + row), set.Index.Keys.Order());
        foreach (var (row, image) in rows.Index())
        {
            AssertShows(image, pictures[set.Index[100 + row]]);
        }

        Assert.Equal(set.Index[101], set.Index[103]);
        Assert.Equal(5, pictures.Count);
        Assert.Equal("2 of 8 rows have no image that can be shown", Assert.Single(set.Problems));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rows_without_the_ids_of_images_get_those_at_their_places(bool haveIds)
    {
        Draw();
        var wanted = new long[] { 39, 0, 12 }.Select(row => new WantedImage(row, haveIds ? $"number {row}" : null)).ToList();
        foreach (var count in new long?[] { Images, null })
        {
            var (set, pictures) = Make(wanted, new ThumbnailOptions { Rows = count });
            Assert.All(wanted, image => AssertShows((int)image.Row, pictures[set.Index[image.Row]]));
            Assert.Empty(set.Problems);
        }

        Throws.Line(() => Make(wanted, new ThumbnailOptions { Rows = 41 }), "images is 40,", "rows 41");
        Throws.Line(() => Make(wanted, new ThumbnailOptions { NeedsIds = true }), "id");
    }

    [Fact]
    public void Damaged_images_are_named_and_left_out()
    {
        Draw();
        File.WriteAllText(_folder[Name(5)], "<svg/>");
        var (set, pictures) = Make([new(0, Name(5)), new(1, Name(6))], new ThumbnailOptions());
        Assert.Equal([1L], set.Index.Keys);
        AssertShows(6, pictures[set.Index[1]]);
        Assert.Contains(Name(5), set.Problems[0], StringComparison.Ordinal);
        Assert.Contains("1 of 2 rows", set.Problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Other_failures_and_cancellation_end_the_work()
    {
        Draw();
        var sources = ImageSources.Open([_folder.Path], null, null);
        WantedImage[] wanted = [new(0, Name(0)), new(1, Name(1))];
        var full = Assert.Throws<IOException>(() => ThumbnailSet.Make(
            sources, wanted, new ThumbnailOptions(), (_, _) => throw new IOException("disk full"), TestContext.Current.CancellationToken));
        Assert.Equal("disk full", full.Message);
        Assert.ThrowsAny<OperationCanceledException>(() => ThumbnailSet.Make(
            sources, wanted, new ThumbnailOptions(), (_, _) => { }, new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData(300, 200, 128, 85)]
    [InlineData(20, 1000, 3, 128)]
    [InlineData(1, 1000, 1, 128)]
    [InlineData(100, 90, 100, 90)]
    public void The_longest_side_is_limited(int width, int height, int expectedWidth, int expectedHeight)
    {
        var webp = Thumbnail.Encode(new PixelImage(width, height, new byte[width * height * PixelImage.Channels]), 128);
        Assert.Equal("WEBP"u8, webp.AsSpan(8, 4));
        using var bitmap = SKBitmap.Decode(webp);
        Assert.Equal((expectedWidth, expectedHeight), (bitmap.Width, bitmap.Height));
        Assert.Equal(SKAlphaType.Opaque, bitmap.AlphaType);
    }

    [Fact]
    public void A_description_gives_the_same_crop()
    {
        var image = VisionFixtures.Decode("wide.png");
        List<Preprocessor> all =
        [
            .. Presets.Names.Select(name => Presets.Find(name)!),
            Presets.Find("clip")! with { Stretch = (97, 61), ShortestEdge = null, Filter = Resampling.Box },
            Presets.Find("clip")! with { Resizes = false },
        ];
        foreach (var expected in all)
        {
            var read = Preprocessor.FromDescription(expected.Description);
            Assert.Equal(expected.Fit(image).Pixels, read!.Fit(image).Pixels);
        }

        Assert.All(
            ["", "clip", "clip: resize 0x0 bicubic, crop 0x0", "x: resize 99999999999x2 box, crop 99999999999x2"],
            text => Assert.Null(Preprocessor.FromDescription(text)));
    }

    private static string Name(int image) => $"{image:00}.png";

    private static SKColor Color(int image) => new((byte)(image * 6), (byte)(255 - (image * 6)), 90);

    private static void AssertShows(int image, byte[] webp)
    {
        using var bitmap = SKBitmap.Decode(webp);
        var color = bitmap.GetPixel(10, 10);
        Assert.Equal(image, Enumerable.Range(0, Images).MinBy(other => Math.Abs(Color(other).Red - color.Red)
            + Math.Abs(Color(other).Green - color.Green)));
    }

    private void Draw()
    {
        for (var image = 0; image < Images; image++)
        {
            using var bitmap = new SKBitmap(20, 20, SKColorType.Rgba8888, SKAlphaType.Opaque);
            bitmap.Erase(Color(image));
            using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
            File.WriteAllBytes(_folder[Name(image)], data.ToArray());
        }
    }

    private (ThumbnailSet Set, IReadOnlyDictionary<int, byte[]> Pictures) Make(
        IEnumerable<WantedImage> wanted, ThumbnailOptions options)
    {
        var pictures = new ConcurrentDictionary<int, byte[]>();
        var set = ThumbnailSet.Make(
            ImageSources.Open([_folder.Path], null, null), wanted, options, (number, webp) => Assert.True(pictures.TryAdd(number, webp)),
            TestContext.Current.CancellationToken);
        return (set, pictures);
    }
}
