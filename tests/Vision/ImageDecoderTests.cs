using System.Text;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Vision;

/// <summary>Images of every kind decode to what Pillow gives; what is none is refused with its reason.</summary>
public sealed class ImageDecoderTests
{
    public static TheoryData<string, int> Kinds => new()
    {
        { "palette.png", 0 }, { "lossless.webp", 0 }, { "animated.gif", 0 }, { "wide.bmp", 0 }, { "alpha.png", 0 }, { "grey16.png", 0 },
        { "rgb.jpg", 1 }, { "progressive.jpg", 1 }, { "grey.jpg", 1 }, { "cmyk.jpg", 1 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Kinds_decode_as_by_Pillow(string name, int tolerance) =>
        VisionFixtures.AssertNear(VisionFixtures.Decode($"{name}.expected.png"), VisionFixtures.Decode(name), tolerance);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Exif_orientation_is_applied(int orientation) => VisionFixtures.AssertNear(
        VisionFixtures.Decode($"orientation{orientation}.jpg.expected.png"), VisionFixtures.Decode($"orientation{orientation}.jpg"), 1);

    [Theory]
    [InlineData("II*\0\b\0\0\0\u0001\0\u0012\u0001\u0003\0\u0001\0\0\0?\0\0\0")]
    [InlineData("MM\0*\0\0\0\b\0\u0001\u0001\u0012\0\u0003\0\0\0\u0001\0?\0\0")]
    public void Exif_orientation_of_a_PNG_file_is_applied(string exif)
    {
        var plain = VisionFixtures.Bytes("kinds/interlaced.png");
        for (var orientation = 0; orientation <= 9; orientation++)
        {
            var tiff = Encoding.Latin1.GetBytes(exif.Replace('?', (char)orientation));
            byte[] file = [.. plain[..33], .. VisionFixtures.Chunk("eXIf"u8, tiff), .. plain[33..]];
            VisionFixtures.AssertNear(ImageDecoder.Decode(plain).Oriented(orientation), ImageDecoder.Decode(file), 0);
            for (var length = 0; length < tiff.Length; length++)
            {
                file = [.. plain[..33], .. VisionFixtures.Chunk("eXIf"u8, tiff[..length]), .. plain[33..]];
                Assert.Equal(ImageDecoder.Decode(plain).Pixels.Length, ImageDecoder.Decode(file).Pixels.Length);
            }
        }
    }

    [Theory]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG")]
    [InlineData("<?xml version='1.0'?>\n<svg width='10'/>", "SVG")]
    [InlineData("\ufeff <!DOCTYPE HTML><title>404</title>", "HTML")]
    [InlineData("not an image at all", "no image")]
    [InlineData("", "empty")]
    [InlineData("%PDF-1.7", "PDF")]
    [InlineData("II*\0........", "TIFF")]
    [InlineData("GIF89a", "header")]
    [InlineData("BM", "header")]
    public void What_is_no_image_is_refused(string content, string reason) =>
        Refused(Encoding.UTF8.GetBytes(content), reason);

    [Theory]
    [InlineData("rgb.jpg")]
    [InlineData("progressive.jpg")]
    [InlineData("wide.png")]
    [InlineData("lossless.webp")]
    [InlineData("animated.gif")]
    [InlineData("wide.bmp")]
    [InlineData("cmyk.jpg")]
    [InlineData("alpha.png")]
    [InlineData("kinds/interlaced.png")]
    [InlineData("kinds/alpha.webp")]
    public void A_truncated_image_is_refused_wherever_it_ends(string name)
    {
        var bytes = VisionFixtures.Bytes(name);
        // The second frame of an animation may be missing.
        var end = name == "animated.gif" ? bytes.Length / 3 : bytes.Length * 9 / 10;
        for (var length = 1; length < end; length += 1 + (end / 50))
        {
            Assert.Throws<DamagedImageException>(() => ImageDecoder.Decode(bytes.AsMemory(0, length)));
        }
    }

    [Fact]
    public void Noise_in_an_image_never_does_more_than_damage_it()
    {
        var random = new Random(3);
        foreach (var name in new[] { "rgb.jpg", "wide.png", "lossless.webp", "animated.gif", "wide.bmp", "cmyk.jpg", "kinds/turned.png",
            "kinds/transparent-part.gif", "kinds/turned.webp", "kinds/animated.png", "kinds/palette4.png" })
        {
            for (var i = 0; i < 40; i++)
            {
                var bytes = VisionFixtures.Bytes(name);
                for (var j = 0; j < 5; j++)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }

                try
                {
                    ImageDecoder.Decode(bytes);
                }
                catch (DamagedImageException)
                {
                    // As it should be.
                }
            }
        }
    }

    [Fact]
    public void A_decompression_bomb_is_refused_before_memory_is_taken()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(VisionFixtures.PngHeader(60_000, 60_000), "60000 × 60000");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    private static void Refused(byte[] bytes, string reason) => Assert.Contains(
        reason, Assert.Throws<DamagedImageException>(() => ImageDecoder.Decode(bytes)).Message, StringComparison.Ordinal);
}
