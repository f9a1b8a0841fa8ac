using System.Buffers.Binary;

namespace MonoLoss.Vision;

/// <summary>
/// Tells whether a progressive JPEG is whole. Its decoder is content with the scans that there are and shows a blurred image.
/// </summary>
internal static class JpegScans
{
    private const byte StartOfScan = 0xda;
    private const byte Progressive = 0xc2;

    /// <summary>Whether a file is not a progressive JPEG, or one with an end.</summary>
    public static bool AreComplete(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> end = [0xff, 0xd9];
        if (!file.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8]))
        {
            return true;
        }

        var progressive = false;
        var at = 2;
        while (at + 4 <= file.Length && file[at] == 0xff && file[at + 1] != StartOfScan)
        {
            progressive |= file[at + 1] == Progressive;
            // A marker may be preceded by any number of 0xff; otherwise the segment's length follows it.
            at += file[at + 1] == 0xff ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
        }

        // A thumbnail, which has an end of its own, is in a segment before the scans.
        return !progressive || file[Math.Min(at, file.Length)..].IndexOf(end) >= 0;
    }
}
