using System.Buffers.Binary;

namespace MonoLoss.Vision;

/// <summary>The EXIF orientation in a PNG file, which SkiaSharp does not look for there.</summary>
internal static class PngOrientation
{
    private const int AfterSignature = 8;
    private const int ChunkFrame = 12;
    private const int EntrySize = 12;
    private const ushort OrientationTag = 0x0112;

    /// <summary>Finds it.</summary>
    /// <param name="file">A file of any kind.</param>
    /// <returns>1 to 8; null if the file is not PNG or does not say.</returns>
    public static int? Find(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']))
        {
            return null;
        }

        for (long at = AfterSignature; at + ChunkFrame <= file.Length;)
        {
            var chunk = file[(int)at..];
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            if (length > chunk.Length - ChunkFrame)
            {
                return null;
            }

            if (chunk[4..8].SequenceEqual("eXIf"u8))
            {
                return Read(chunk.Slice(8, (int)length));
            }

            at += ChunkFrame + length;
        }

        return null;
    }

    private static int? Read(ReadOnlySpan<byte> exif)
    {
        var prefix = "Exif\0\0"u8;
        var tiff = exif.StartsWith(prefix) ? exif[prefix.Length..] : exif;
        var little = tiff.StartsWith("II"u8);
        if (tiff.Length < 8 || (!little && !tiff.StartsWith("MM"u8)))
        {
            return null;
        }

        ushort Short(ReadOnlySpan<byte> at) =>
            little ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadUInt16BigEndian(at);
        var start = little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (start > tiff.Length - 2)
        {
            return null;
        }

        var entries = tiff[((int)start + 2)..];
        for (var left = Short(tiff[(int)start..]); left > 0 && entries.Length >= EntrySize; left--)
        {
            if (Short(entries) == OrientationTag)
            {
                return Short(entries[8..]) is >= 1 and <= 8 and var orientation ? orientation : null;
            }

            entries = entries[EntrySize..];
        }

        return null;
    }
}
