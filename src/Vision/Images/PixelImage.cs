using System.Runtime.InteropServices;

namespace MonoLoss.Vision;

/// <summary>An image of 8 bits per channel, row by row.</summary>
/// <param name="Width">Pixels per row.</param>
/// <param name="Height">Number of rows.</param>
/// <param name="Pixels">Height × width pixels of 4 bytes: red, green, blue, and one that is ignored.</param>
public sealed record PixelImage(int Width, int Height, byte[] Pixels)
{
    /// <summary>Bytes of a pixel.</summary>
    public const int Channels = 4;

    /// <summary>The image as a viewer shows it that obeys an EXIF orientation.</summary>
    /// <param name="orientation">1 (as it is) to 8, as EXIF defines them.</param>
    /// <returns>The image turned or mirrored; this one for 1.</returns>
    public PixelImage Oriented(int orientation)
    {
        if (orientation is <= 1 or > 8)
        {
            return this;
        }

        var turned = orientation >= 5;
        var (width, height) = turned ? (Height, Width) : (Width, Height);
        var target = new byte[Pixels.Length];
        var from = MemoryMarshal.Cast<byte, uint>(Pixels.AsSpan());
        var to = MemoryMarshal.Cast<byte, uint>(target.AsSpan());
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (column, row) = orientation switch
                {
                    2 => (Width - 1 - x, y),
                    3 => (Width - 1 - x, Height - 1 - y),
                    4 => (x, Height - 1 - y),
                    5 => (y, x),
                    6 => (y, Height - 1 - x),
                    7 => (Width - 1 - y, Height - 1 - x),
                    _ => (Width - 1 - y, x),
                };
                to[(y * width) + x] = from[(row * Width) + column];
            }
        }

        return new PixelImage(width, height, target);
    }
}
