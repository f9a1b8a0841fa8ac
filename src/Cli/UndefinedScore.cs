namespace MonoLoss.Cli;

/// <summary>The values of --undefined.</summary>
internal static class UndefinedScore
{
    /// <summary>What the option does.</summary>
    public const string Help =
        "Score of a latent without a pair of rows: zero, as in the paper, or nan, which is left out of the mean (sae-for-vlm)";

    /// <summary>The score.</summary>
    /// <param name="value">The option's value.</param>
    /// <exception cref="UsageException">It is something else.</exception>
    public static double Parse(string value) => value switch
    {
        "zero" => 0,
        "nan" => double.NaN,
        _ => throw new UsageException($"--undefined: found '{value}', expected zero or nan"),
    };
}
