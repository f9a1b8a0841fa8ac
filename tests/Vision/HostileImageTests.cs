using System.Buffers.Binary;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Vision;

/// <summary>Kinds of images that are rare or made to do harm.</summary>
public sealed class HostileImageTests
{
    private const int Huge = 60_000;

    /// <summary>Small images of fixtures/kinds; JPEG decoders may differ by one.</summary>
    public static TheoryData<string> Kinds =>
        [.. Directory.GetFiles(VisionFixtures.PathOf("kinds")).Where(path => !path.EndsWith(".expected.png", StringComparison.Ordinal))
            .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    /// <summary>Images whose headers claim 60 000 × 60 000 pixels, or the most that their format can.</summary>
    public static TheoryData<string, byte[]> Giants => new()
    {
        { "png", VisionFixtures.PngHeader(Huge, Huge) },
        { "png 30000", VisionFixtures.PngHeader(30_000, 30_000) },
        { "jpg", Jpeg("rgb.jpg", 0xc0) },
        { "progressive jpg", Jpeg("progressive.jpg", 0xc2) },
        { "gif", Patched("animated.gif", 6, [.. Little16(Huge), .. Little16(Huge)]) },
        { "bmp", Patched("wide.bmp", 18, [.. Little32(Huge), .. Little32(Huge)]) },
        { "bmp from the top", Patched("wide.bmp", 18, [.. Little32(Huge), .. Little32(-Huge)]) },
        { "bmp of the largest numbers", Patched("wide.bmp", 18, [.. Little32(int.MaxValue), .. Little32(int.MaxValue)]) },
        { "webp", Patched("lossless.webp", 21, [0xff, 0xff, 0xff, 0x0f]) },
        { "webp of a large canvas", Canvas() },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rare_kinds_decode_as_by_Pillow(string name) => VisionFixtures.AssertNear(
        VisionFixtures.Decode($"kinds/{name}.expected.png"),
        VisionFixtures.Decode($"kinds/{name}"),
        name.EndsWith(".jpg", StringComparison.Ordinal) ? 1 : 0);

    [Theory]
    [MemberData(nameof(Giants))]
    public void An_image_that_claims_to_be_huge_is_refused_before_memory_is_taken(string name, byte[] bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var exception = Assert.Throws<DamagedImageException>(() => ImageDecoder.Decode(bytes));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20, name);
        Assert.Matches("too many|header", exception.Message);
    }

    private static byte[] Jpeg(string name, byte frame)
    {
        var at = VisionFixtures.Bytes(name).AsSpan().IndexOf((ReadOnlySpan<byte>)[0xff, frame]);
        return Patched(name, at + 5, [Huge >> 8, Huge & 255, Huge >> 8, Huge & 255]);
    }

    private static byte[] Canvas()
    {
        byte[] size = [(Huge - 1) & 255, (Huge - 1) >> 8, 0];
        var image = VisionFixtures.Bytes("lossless.webp").AsSpan(12);
        byte[] chunks = [.. "WEBPVP8X"u8, 10, 0, 0, 0, 0, 0, 0, 0, .. size, .. size, .. image];
        return [.. "RIFF"u8, .. Little32(chunks.Length), .. chunks];
    }

    private static byte[] Patched(string name, int at, byte[] patch)
    {
        var bytes = VisionFixtures.Bytes(name);
        patch.CopyTo(bytes, at);
        return bytes;
    }

    private static byte[] Little16(int value) => [(byte)value, (byte)(value >> 8)];

    private static byte[] Little32(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}
