namespace MonoLoss.Cli;

/// <summary>The values of --rows.</summary>
internal static class RowScaling
{
    /// <summary>What the option does.</summary>
    public const string Help = "unit = scale rows to unit length; raw = take them as they are";

    /// <summary>Whether rows are scaled to unit length.</summary>
    /// <param name="value">The option's value; null if it is not given.</param>
    /// <returns>Null if the option is not given.</returns>
    /// <exception cref="UsageException">It is something else.</exception>
    public static bool? UnitRows(string? value) => value switch
    {
        null => null,
        "unit" => true,
        "raw" => false,
        _ => throw new UsageException($"--rows: found '{value}', expected unit or raw"),
    };
}
