using System.Buffers.Binary;
using System.IO.Hashing;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Vision;

/// <summary>Images and what Pillow makes of them; made by fixtures/make_fixtures.py.</summary>
internal static class VisionFixtures
{
    /// <summary>A real network: input 1×3×224×224, output 1×512×1×1.</summary>
    public static string ResNet18 { get; } = Path.Combine(AppContext.BaseDirectory, "DnnImageModels", "ResNet18Onnx", "ResNet18.onnx");

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Vision", "fixtures", name);

    public static byte[] Bytes(string name) => File.ReadAllBytes(PathOf(name));

    public static PixelImage Decode(string name) => ImageDecoder.Decode(Bytes(name));

    /// <summary>Checks that images have the same size, and channels that differ by at most <paramref name="tolerance"/>.</summary>
    public static void AssertNear(PixelImage expected, PixelImage actual, int tolerance)
    {
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        var largest = 0;
        for (var i = 0; i < expected.Pixels.Length; i++)
        {
            // The fourth byte is not part of the image.
            largest = i % PixelImage.Channels == 3 ? largest : Math.Max(largest, Math.Abs(expected.Pixels[i] - actual.Pixels[i]));
        }

        Assert.True(largest <= tolerance, $"channels differ by up to {largest}, expected at most {tolerance}");
    }

    /// <summary>The header of a grey PNG of any size, with hardly any pixels.</summary>
    public static byte[] PngHeader(int width, int height)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        byte[] packed = [0x78, 0x9c, 3, 0, 0, 0, 0, 1];
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. Chunk("IHDR"u8, header), .. Chunk("IDAT"u8, packed)];
    }

    /// <summary>A part of a PNG file.</summary>
    public static byte[] Chunk(ReadOnlySpan<byte> name, byte[] data)
    {
        var chunk = new byte[12 + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        name.CopyTo(chunk.AsSpan(4));
        data.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + data.Length), Crc32.HashToUInt32(chunk.AsSpan(4, 4 + data.Length)));
        return chunk;
    }
}
