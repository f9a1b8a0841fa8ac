namespace MonoLoss.Vision;

/// <summary>A rectangle of pixels.</summary>
/// <param name="X">Its left column.</param>
/// <param name="Y">Its upper row.</param>
/// <param name="Width">Pixels per row.</param>
/// <param name="Height">Number of rows.</param>
public readonly record struct PixelRectangle(int X, int Y, int Width, int Height)
{
    /// <summary>The rectangle in the centre of an image, where Hugging Face's <c>center_crop</c> has it.</summary>
    public static PixelRectangle Centered((int Width, int Height) image, int width, int height) =>
        new((int)Math.Floor((image.Width - width) / 2.0), (int)Math.Floor((image.Height - height) / 2.0), width, height);

    /// <summary>The part that lies within an image; of no size if none does.</summary>
    public PixelRectangle Within(int width, int height)
    {
        var (left, top) = (Math.Max(0, X), Math.Max(0, Y));
        return new(left, top, Math.Max(0, Math.Min(width, X + Width) - left), Math.Max(0, Math.Min(height, Y + Height) - top));
    }
}
