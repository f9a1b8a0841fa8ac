using System.Text;

namespace MonoLoss.Vision;

/// <summary>Tells by its first bytes what a file is that is called an image; a name says nothing.</summary>
internal static class ImageSignature
{
    private const int Looked = 512;

    private static readonly (byte[] Start, string Kind)[] Others =
    [
        ("II*\0"u8.ToArray(), "TIFF"),
        ("MM\0*"u8.ToArray(), "TIFF"),
        ("8BPS"u8.ToArray(), "a Photoshop file"),
        ("%PDF"u8.ToArray(), "PDF"),
        ("PK\u0003\u0004"u8.ToArray(), "a zip archive"),
        ([0x1f, 0x8b], "a gzip file"),
        ([0xff, 0x0a], "JPEG XL"),
        ([0, 0, 0, 0x0c, (byte)'J', (byte)'X', (byte)'L'], "JPEG XL"),
        ([0, 0, 0, 0x0c, (byte)'j', (byte)'P'], "JPEG 2000"),
        ([0, 0, 1, 0], "an icon"),
        ("version https://git-lfs"u8.ToArray(), "a Git LFS pointer: fetch the file itself with git lfs pull"),
    ];

    /// <summary>Checks that bytes are an image in a format that is decoded: JPEG, PNG, GIF, WebP or BMP.</summary>
    /// <exception cref="DamagedImageException">They are something else.</exception>
    public static void Check(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            throw new DamagedImageException("it is empty");
        }

        if (!IsDecoded(bytes))
        {
            throw new DamagedImageException($"it is {Describe(bytes)}, expected JPEG, PNG, GIF, WebP or BMP");
        }
    }

    private static bool IsDecoded(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(Jpeg) || bytes.StartsWith(Png) || bytes.StartsWith("GIF8"u8) || bytes.StartsWith("BM"u8)
            || (bytes.Length > 12 && bytes.StartsWith("RIFF"u8) && bytes[8..].StartsWith("WEBP"u8));

    private static ReadOnlySpan<byte> Jpeg => [0xff, 0xd8, 0xff];

    private static ReadOnlySpan<byte> Png => [0x89, (byte)'P', (byte)'N', (byte)'G'];

    private static string Describe(ReadOnlySpan<byte> bytes)
    {
        foreach (var (start, kind) in Others)
        {
            if (bytes.StartsWith(start))
            {
                return kind;
            }
        }

        if (bytes.Length > 12 && bytes[4..].StartsWith("ftyp"u8))
        {
            return bytes[8..].StartsWith("avi"u8) ? "AVIF" : bytes[8..].StartsWith("hei"u8) ? "HEIC" : "a video or HEIF file";
        }

        var text = Encoding.UTF8.GetString(bytes[..Math.Min(Looked, bytes.Length)]).TrimStart('\ufeff', ' ', '\r', '\n', '\t');
        bool Has(string tag) => text.Contains(tag, StringComparison.OrdinalIgnoreCase);
        return !text.StartsWith('<') ? "no image" : Has("<svg") ? "SVG" : Has("<!doctype html") || Has("<html") ? "HTML" : "XML";
    }
}
