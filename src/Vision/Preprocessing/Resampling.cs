namespace MonoLoss.Vision;

/// <summary>Filters of resizing, by the numbers that Pillow and <c>preprocessor_config.json</c> have for them.</summary>
public enum Resampling
{
    /// <summary>A windowed sinc of three lobes.</summary>
    Lanczos = 1,

    /// <summary>Linear interpolation.</summary>
    Bilinear = 2,

    /// <summary>Cubic convolution with a = −0.5.</summary>
    Bicubic = 3,

    /// <summary>The mean of the pixels that are covered.</summary>
    Box = 4,

    /// <summary>A triangle with a Hamming window.</summary>
    Hamming = 5,
}

/// <summary>The filters' functions.</summary>
internal static class Filters
{
    /// <summary>How far a filter reaches, in pixels of the smaller scale.</summary>
    public static double Support(this Resampling filter) => filter switch
    {
        Resampling.Lanczos => 3,
        Resampling.Bicubic => 2,
        Resampling.Box => 0.5,
        _ => 1,
    };

    /// <summary>A filter's weight at a distance.</summary>
    public static double Weight(this Resampling filter, double x) => filter switch
    {
        Resampling.Lanczos => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0,
        Resampling.Bicubic => Bicubic(Math.Abs(x)),
        Resampling.Box => x is > -0.5 and <= 0.5 ? 1 : 0,
        Resampling.Hamming => Hamming(Math.Abs(x)),
        _ => Math.Max(0, 1 - Math.Abs(x)),
    };

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(x * Math.PI) / (x * Math.PI);

    private static double Bicubic(double x)
    {
        const double A = -0.5;
        return x < 1 ? ((((A + 2) * x) - (A + 3)) * x * x) + 1
            : x < 2 ? ((((x - 5) * x) + 8) * x - 4) * A
            : 0;
    }

    private static double Hamming(double x) =>
        x == 0 ? 1 : x >= 1 ? 0 : Math.Sin(x * Math.PI) / (x * Math.PI) * (0.54 + (0.46 * Math.Cos(x * Math.PI)));
}
