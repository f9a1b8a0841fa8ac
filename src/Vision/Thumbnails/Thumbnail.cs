using System.Runtime.InteropServices;
using SkiaSharp;

namespace MonoLoss.Vision;

/// <summary>Small WebP files of images.</summary>
public static class Thumbnail
{
    private const int Quality = 85;

    /// <summary>Makes a thumbnail. An image that is small enough keeps its size.</summary>
    /// <param name="image">The image.</param>
    /// <param name="size">The longest side of the thumbnail.</param>
    /// <returns>A WebP file.</returns>
    public static byte[] Encode(PixelImage image, int size)
    {
        var longest = Math.Max(image.Width, image.Height);
        if (longest > size)
        {
            int Scaled(int side) => Math.Max(1, (int)Math.Round((double)side * size / longest));
            var (width, height) = (Scaled(image.Width), Scaled(image.Height));
            image = PillowResize.Resize(image, (width, height), new PixelRectangle(0, 0, width, height), Resampling.Bicubic);
        }

        var pixels = GCHandle.Alloc(image.Pixels, GCHandleType.Pinned);
        try
        {
            var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgb888x, SKAlphaType.Opaque);
            using var pixmap = new SKPixmap(info, pixels.AddrOfPinnedObject(), info.RowBytes);
            using var data = pixmap.Encode(SKEncodedImageFormat.Webp, Quality)
                ?? throw new InvalidOperationException($"{image.Width} × {image.Height} pixels cannot be encoded");
            return data.ToArray();
        }
        finally
        {
            pixels.Free();
        }
    }
}
