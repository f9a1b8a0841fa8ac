using System.Globalization;

namespace MonoLoss.Vision;

/// <summary>Labels that are integers.</summary>
internal static class LabelText
{
    /// <summary>Whether a label is an integer, written as integers are: 007 is a name.</summary>
    public static bool IsInteger(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
        && value.ToString(CultureInfo.InvariantCulture) == text;

    /// <summary>The integer.</summary>
    public static long Parse(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
}
