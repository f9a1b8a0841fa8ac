using System.Text.Json;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Choices of the library's settings as options write them: GeometricMedian is geometric-median.</summary>
internal static class EnumText
{
    /// <summary>Whether a type is such a choice. Architectures have names of their own.</summary>
    public static bool IsChoice(Type type) => type.IsEnum && type != typeof(Architecture);

    /// <summary>The text of a value.</summary>
    public static string Of(object value) => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()!);

    /// <summary>The value of a text.</summary>
    /// <param name="type">The choice.</param>
    /// <param name="flag">The option.</param>
    /// <param name="text">Its text.</param>
    /// <exception cref="UsageException">There is no such value.</exception>
    public static object Parse(Type type, string flag, string text)
    {
        var values = Enum.GetValues(type).Cast<object>().ToDictionary(Of);
        return values.TryGetValue(text, out var value)
            ? value
            : throw new UsageException($"{flag}: found '{text}', expected one of {string.Join(", ", values.Keys)}");
    }
}
