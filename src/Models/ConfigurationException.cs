using System.Runtime.CompilerServices;

namespace MonoLoss.Models;

/// <summary>Settings are invalid, or do not fit the data or the device. The message is one line for the user.</summary>
/// <param name="message">What was found and what was expected; settings are called by the names of their properties.</param>
/// <param name="properties">The properties of <see cref="SaeConfig"/> and <see cref="TrainingOptions"/> that the message mentions.</param>
public sealed class ConfigurationException(string message, params IReadOnlyList<string> properties) : Exception(message)
{
    /// <summary>
    /// The properties of <see cref="SaeConfig"/> and <see cref="TrainingOptions"/> that the message mentions, so that a user interface can
    /// replace them by its own names.
    /// </summary>
    public IReadOnlyList<string> Properties => properties;
}

/// <summary>Checks of single settings.</summary>
internal static class Require
{
    /// <summary>Checks that a setting is positive and finite.</summary>
    /// <exception cref="ConfigurationException">It is not.</exception>
    public static void Positive(double value, [CallerArgumentExpression(nameof(value))] string property = "") =>
        Check(double.IsFinite(value) && value > 0, value, "positive", property);

    /// <summary>Checks that a setting is zero or positive, and finite.</summary>
    /// <exception cref="ConfigurationException">It is not.</exception>
    public static void NonNegative(double value, [CallerArgumentExpression(nameof(value))] string property = "") =>
        Check(double.IsFinite(value) && value >= 0, value, "non-negative", property);

    private static void Check(bool condition, double value, string expected, string property)
    {
        if (!condition)
        {
            throw new ConfigurationException(FormattableString.Invariant($"{property} must be {expected}, but is {value}"), property);
        }
    }
}
