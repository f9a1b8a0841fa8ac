using System.Globalization;
using System.Text.RegularExpressions;

namespace MonoLoss.Cli;

/// <summary>
/// Numbers in arguments, in the one form in which .NET's invariant culture writes them: digits, a minus, a decimal point, an exponent. What
/// else <see cref="double.Parse(string)"/> takes would train with another number than the one meant: 0,001 is 1 to it.
/// </summary>
internal static partial class NumberText
{
    /// <summary>Whether values of a type are numbers.</summary>
    public static bool IsNumber(Type type) => type == typeof(int) || type == typeof(long) || type == typeof(double);

    /// <summary>What a text should have been to be a number of a type.</summary>
    /// <param name="type">int, long or double.</param>
    /// <param name="text">The text.</param>
    /// <returns>What is expected; null if the text is such a number.</returns>
    public static string? Expected(Type type, string text)
    {
        if (type == typeof(double))
        {
            return !Decimal().IsMatch(text) ? "a number such as 0.001 or 1e-3" : !Fits(text) ? "a number that a float64 can hold" : null;
        }

        var (low, high) = type == typeof(int) ? ((long)int.MinValue, (long)int.MaxValue) : (long.MinValue, long.MaxValue);
        return !Integer().IsMatch(text) ? "an integer in plain digits"
            : !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                || value < low || value > high
                ? $"an integer from {low} to {high}"
                : null;
    }

    /// <summary>The numbers of a text, separated by commas.</summary>
    /// <param name="flag">The option, for messages.</param>
    /// <param name="text">The text.</param>
    /// <exception cref="UsageException">A part of it is not a number.</exception>
    public static double[] ParseList(string flag, string text) => Array.ConvertAll(text.Split(','), part =>
        Expected(typeof(double), part) is { } expected
            ? throw new UsageException($"{flag}: found '{part}' in '{text}', expected {expected}")
            : double.Parse(part, NumberStyles.Float, CultureInfo.InvariantCulture));

    /// <summary>Whether a number neither overflows to infinity nor, without being 0, underflows to 0.</summary>
    private static bool Fits(string text)
    {
        var value = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        return double.IsFinite(value) && (value != 0 || !NonzeroMantissa().IsMatch(text));
    }

    [GeneratedRegex(@"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z")]
    private static partial Regex Decimal();

    [GeneratedRegex(@"^-?[0-9]+\z")]
    private static partial Regex Integer();

    [GeneratedRegex("^[^eE]*[1-9]")]
    private static partial Regex NonzeroMantissa();
}
