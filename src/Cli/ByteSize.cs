using System.Globalization;

namespace MonoLoss.Cli;

/// <summary>Sizes of memory as people write them: 512M, 8G.</summary>
internal static class ByteSize
{
    /// <summary>Parses a size such as 4096, 512M, 8G or 1.5GiB; units are powers of 1024.</summary>
    /// <param name="option">The option, for the message.</param>
    /// <param name="text">The text of its value.</param>
    /// <returns>The size in bytes.</returns>
    /// <exception cref="UsageException">The text is not a size of at least one byte.</exception>
    public static long Parse(string option, string text)
    {
        const string Units = "KMGT";
        var number = text.ToUpperInvariant();
        number = number.EndsWith("IB", StringComparison.Ordinal) ? number[..^2] : number.EndsWith('B') ? number[..^1] : number;
        var unit = number.Length > 0 ? Units.IndexOf(number[^1]) + 1 : 0;
        if (!double.TryParse(unit > 0 ? number[..^1] : number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            || !(value >= 1)
            || value * Math.Pow(1024, unit) is not (< long.MaxValue and var bytes))
        {
            throw new UsageException($"{option}: found '{text}', expected a size in bytes such as 512M or 8G");
        }

        return (long)bytes;
    }
}
