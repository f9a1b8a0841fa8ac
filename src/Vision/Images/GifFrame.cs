namespace MonoLoss.Vision;

/// <summary>
/// The transparent colour of a GIF file's first frame. Alpha is dropped, so a transparent pixel has the colour that the palette gives it,
/// as in Pillow; SkiaSharp makes it black.
/// </summary>
internal static class GifFrame
{
    private const int ScreenFlags = 10;
    private const int AfterScreen = 13;
    private const byte Extension = 0x21;
    private const byte GraphicControl = 0xf9;
    private const int ControlSize = 4;
    private const byte ImageDescriptor = 0x2c;
    private const int DescriptorSize = 10;
    private const int PaletteFlag = 0x80;

    /// <summary>A file whose first frame is opaque, and the colour of pixels that the frame does not cover.</summary>
    /// <param name="file">A file of any kind.</param>
    /// <returns>The file itself if it is not GIF or the frame is opaque; the colour's bytes are red, green, blue.</returns>
    public static (ReadOnlyMemory<byte> File, (byte Red, byte Green, byte Blue) Outside) Opaque(ReadOnlyMemory<byte> file)
    {
        var bytes = file.Span;
        if (!bytes.StartsWith("GIF8"u8) || bytes.Length < AfterScreen)
        {
            return (file, default);
        }

        var palette = Palette(bytes, AfterScreen, bytes[ScreenFlags]);
        var at = AfterScreen + palette.Length;
        var control = -1;
        while (at + DescriptorSize <= bytes.Length && bytes[at] == Extension)
        {
            control = bytes[at + 1] == GraphicControl && bytes[at + 2] == ControlSize ? at + 3 : control;
            at = AfterBlocks(bytes, at + 2);
        }

        if (at + DescriptorSize > bytes.Length || bytes[at] != ImageDescriptor)
        {
            return (file, default);
        }

        if (Palette(bytes, at + DescriptorSize, bytes[at + DescriptorSize - 1]) is { Length: > 0 } own)
        {
            palette = own;
        }

        var transparent = control >= 0 && (bytes[control] & 1) != 0;
        var index = 3 * (transparent ? bytes[control + 3] : 0);
        var outside = index + 3 <= palette.Length ? (palette[index], palette[index + 1], palette[index + 2]) : default;
        if (!transparent)
        {
            return (file, outside);
        }

        var opaque = bytes.ToArray();
        opaque[control] &= 0xfe;
        return (opaque, outside);
    }

    private static ReadOnlySpan<byte> Palette(ReadOnlySpan<byte> file, int at, byte flags)
    {
        var length = (flags & PaletteFlag) != 0 ? 3 << ((flags & 7) + 1) : 0;
        return at + length <= file.Length ? file.Slice(at, length) : default;
    }

    private static int AfterBlocks(ReadOnlySpan<byte> file, int at)
    {
        while (at < file.Length && file[at] != 0)
        {
            at += file[at] + 1;
        }

        return at + 1;
    }
}
