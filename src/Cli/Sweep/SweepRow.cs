using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>A line of a sweep's table: runs of the same settings but the seed.</summary>
internal sealed record SweepRow
{
    /// <summary>The runs of the recipe.</summary>
    public required IReadOnlyList<PlannedRun> Planned { get; init; }

    /// <summary>Those that are complete, with their results.</summary>
    public required IReadOnlyList<(PlannedRun Plan, TrainingResults Results)> Complete { get; init; }

    /// <summary>What the runs have in common.</summary>
    public SweepRun Run => Planned[0].Run;

    /// <summary>The weight of MonoLoss.</summary>
    public double MonoCoefficient => Planned[0].Configure(1).MonoCoefficient;

    /// <summary>R² of the baseline less that of the runs; null without a baseline.</summary>
    public double? R2Loss { get; init; }

    /// <summary>MonoScore less that of the baseline.</summary>
    public Gain? MonoGain { get; init; }

    /// <summary>Class purity less that of the baseline.</summary>
    public Gain? PurityGain { get; init; }

    /// <summary>Mean stability of the pairs of seeds; null for one seed, and where it cannot be computed.</summary>
    public double? Stability { get; init; }

    /// <summary>Whether no other line is at least as good in R², MonoScore, L0 and purity, and better in one.</summary>
    public bool IsOnFront { get; init; }

    /// <summary>
    /// Whether this weight of MonoLoss has the highest MonoScore, above that of the baseline, of those that lose no more R² than allowed.
    /// </summary>
    public bool Wins { get; init; }

    /// <summary>A figure of the last split evaluated.</summary>
    public Spread? Figure(Func<EvaluationSummary, double?> figure) => Spread.Of(
        [.. Complete.Select(run => run.Results.Splits.LastOrDefault().Value is { } summary ? figure(summary) : null)]);
}
