using System.Globalization;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>A figure of an evaluation, as tables show it.</summary>
/// <param name="Title">The head of its column.</param>
/// <param name="Value">The figure; null if the evaluation does not have it.</param>
/// <param name="Format">How it is written.</param>
/// <param name="HigherIsBetter">Whether more of it is better, rather than less.</param>
internal sealed record FigureColumn(string Title, Func<EvaluationSummary, double?> Value, string Format, bool HigherIsBetter)
{
    private const string Fraction = "0.0000";
    private const string Missing = "–";

    /// <summary>All figures, class purity last.</summary>
    public static IReadOnlyList<FigureColumn> All { get; } =
    [
        new("R²", result => result.R2, Fraction, HigherIsBetter: true),
        new("FVU", result => result.Fvu, Fraction, HigherIsBetter: false),
        new("NMSE", result => result.Nmse, Fraction, HigherIsBetter: false),
        new("MSE", result => result.Mse, "0.000e0", HigherIsBetter: false),
        new("L0", result => result.L0, "0.00", HigherIsBetter: false),
        new("silent", result => result.SilentLatents, "N0", HigherIsBetter: false),
        new("MonoScore", result => result.MonoMean, Fraction, HigherIsBetter: true),
        new("median", result => result.MonoMedian, Fraction, HigherIsBetter: true),
        new("p90", result => result.MonoP90, Fraction, HigherIsBetter: true),
        new("purity", result => result.PurityBinary, Fraction, HigherIsBetter: true),
        new("weighted", result => result.PurityWeighted, Fraction, HigherIsBetter: true),
    ];

    /// <summary>The figures that at least one of some evaluations has: class purity may be missing from all.</summary>
    /// <param name="evaluations">The evaluations; null for a run without one.</param>
    public static IReadOnlyList<FigureColumn> Of(IEnumerable<EvaluationSummary?> evaluations)
    {
        var all = evaluations.OfType<EvaluationSummary>().ToList();
        return [.. All.Where(column => all.Exists(evaluation => column.Value(evaluation) is not null))];
    }

    /// <summary>The text of a cell; a dash if there is no figure.</summary>
    public string Text(EvaluationSummary? result) =>
        result is not null && Value(result) is { } value ? value.ToString(Format, CultureInfo.InvariantCulture) : Missing;

    /// <summary>Which evaluations have the best figure as it is written; none if all that have one are equal.</summary>
    /// <param name="evaluations">The evaluations; null for a run without one.</param>
    public IReadOnlyList<bool> Best(IReadOnlyList<EvaluationSummary?> evaluations)
    {
        var given = evaluations.Where(result => result is not null && Value(result) is { } value && double.IsFinite(value)).ToList();
        if (given.Select(Text).Distinct().Count() < 2)
        {
            return new bool[evaluations.Count];
        }

        var best = Text(HigherIsBetter ? given.MaxBy(result => Value(result!)) : given.MinBy(result => Value(result!)));
        return [.. evaluations.Select(result => Text(result) == best)];
    }
}
