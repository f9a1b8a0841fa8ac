using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace MonoLoss.Vision;

/// <summary>
/// Decodes JPEG, PNG, GIF, WebP and BMP to 8 bits per channel as Pillow's <c>convert("RGB")</c> does: alpha is dropped, not blended; grey
/// becomes three equal channels; colour profiles are not applied; of an animation the first frame is taken. The EXIF orientation is
/// applied, as Hugging Face's <c>datasets</c> and <c>load_image</c> do before the processor sees an image. Of 16 bits the upper 8 are kept.
/// </summary>
public static class ImageDecoder
{
    /// <summary>The most pixels of an image: the number at which Pillow refuses one as a decompression bomb.</summary>
    public const int MaxPixels = 178_956_970;

    private const int LargePixels = 1 << 24;

    // Several threads decode; images that take up to hundreds of megabytes each take turns.
    private static readonly SemaphoreSlim Large = new(1);

    /// <summary>Decodes an image.</summary>
    /// <param name="bytes">The file.</param>
    /// <exception cref="DamagedImageException">The bytes are not an image, are damaged or cut off, or the image is too large.</exception>
    public static PixelImage Decode(ReadOnlyMemory<byte> bytes) => Decode(bytes, image => image);

    /// <summary>Decodes an image and makes something smaller of it. Large images take turns with both.</summary>
    /// <typeparam name="T">What is made of it.</typeparam>
    /// <param name="bytes">The file.</param>
    /// <param name="use">Makes it; the image should not be kept.</param>
    /// <exception cref="DamagedImageException">
    /// The bytes are not an image, are damaged or cut off, or the image is too large; or <paramref name="use"/> throws it.
    /// </exception>
    public static T Decode<T>(ReadOnlyMemory<byte> bytes, Func<PixelImage, T> use)
    {
        ImageSignature.Check(bytes.Span);
        (bytes, var outside) = GifFrame.Opaque(bytes);
        using var pin = bytes.Pin();
        using var codec = Open(pin, bytes.Length);
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        if (width <= 0 || height <= 0)
        {
            throw new DamagedImageException(Size(width, height) + " is not a possible size of an image");
        }

        if ((long)width * height > MaxPixels)
        {
            throw new DamagedImageException(string.Create(
                CultureInfo.InvariantCulture, $"{Size(width, height)} pixels are too many: at most {MaxPixels:N0} are decoded"));
        }

        if (width * height <= LargePixels)
        {
            return use(Decode(codec, bytes.Span, outside));
        }

        Large.Wait();
        try
        {
            return UseLarge(codec, bytes.Span, outside, use);
        }
        finally
        {
            // The next one would otherwise be beside the last one, which the collector does not hurry with.
            GC.Collect();
            Large.Release();
        }
    }

    // On its own, so that nothing refers to the image when it returns.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T UseLarge<T>(
        SKCodec codec, ReadOnlySpan<byte> file, (byte Red, byte Green, byte Blue) outside, Func<PixelImage, T> use) =>
        use(Decode(codec, file, outside));

    private static PixelImage Decode(SKCodec codec, ReadOnlySpan<byte> file, (byte Red, byte Green, byte Blue) outside)
    {
        var image = DecodePixels(codec, file);
        if (codec.EncodedFormat == SKEncodedImageFormat.Gif)
        {
            Fill(image.Pixels, outside);
        }

        return image.Oriented(PngOrientation.Find(file) ?? (int)codec.EncodedOrigin);
    }

    private static void Fill(byte[] pixels, (byte Red, byte Green, byte Blue) color)
    {
        for (var i = 0; i < pixels.Length; i += PixelImage.Channels)
        {
            if (pixels[i + 3] == 0)
            {
                (pixels[i], pixels[i + 1], pixels[i + 2]) = color;
            }
        }
    }

    private static unsafe SKCodec Open(System.Buffers.MemoryHandle pin, int length)
    {
        using var data = SKData.Create((IntPtr)pin.Pointer, length);
        return SKCodec.Create(data) ?? throw new DamagedImageException("its header is damaged");
    }

    private static PixelImage DecodePixels(SKCodec codec, ReadOnlySpan<byte> file)
    {
        var (width, height) = (codec.Info.Width, codec.Info.Height);

        // Without a colour space of the target, the numbers in the file are kept.
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, colorspace: null);
        var pixels = new byte[(long)width * height * PixelImage.Channels];
        var handle = GCHandle.Alloc(pixels, GCHandleType.Pinned);
        try
        {
            var result = codec.GetPixels(info, handle.AddrOfPinnedObject());
            return result switch
            {
                SKCodecResult.Success when JpegScans.AreComplete(file) => new PixelImage(width, height, pixels),
                SKCodecResult.Success => throw new DamagedImageException("it is cut off"),
                SKCodecResult.IncompleteInput => throw new DamagedImageException("it is cut off"),
                _ => throw new DamagedImageException($"it cannot be decoded ({result})"),
            };
        }
        finally
        {
            handle.Free();
        }
    }

    private static string Size(int width, int height) => string.Create(CultureInfo.InvariantCulture, $"{width} × {height}");
}
