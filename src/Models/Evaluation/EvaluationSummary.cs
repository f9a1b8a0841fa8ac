namespace MonoLoss.Models;

/// <summary>An evaluation of a split: a row of evals.parquet.</summary>
/// <param name="Epoch">The epoch after which it was made, from 1.</param>
/// <param name="Split">train, val or test; or one of them by threshold (<see cref="TrainingResults.NameByThreshold"/>).</param>
/// <param name="Result">The figures.</param>
public sealed record EvaluationRow(int Epoch, string Split, EvaluationSummary Result);

/// <summary>The figures of an evaluation without its latents.</summary>
/// <param name="Mse">Mean squared error.</param>
/// <param name="Nmse">Mean over rows of Σ(recon − x)²/Σx².</param>
/// <param name="R2">Mean R² over features.</param>
/// <param name="L0">Mean number of active latents per row.</param>
/// <param name="SilentLatents">Number of latents that never fire.</param>
/// <param name="MonoMean">Mean MonoScore over all latents.</param>
/// <param name="MonoMedian">Median MonoScore over all latents.</param>
/// <param name="MonoP90">90th percentile of MonoScore over all latents.</param>
/// <param name="PurityBinary">Mean binary class purity over latents that fire on a row with a label; null if there is none.</param>
/// <param name="PurityWeighted">Mean weighted class purity over latents that fire on a row with a label; null if there is none.</param>
/// <param name="Fvu">Fraction of variance unexplained; null where a file of an earlier version does not have it.</param>
public sealed record EvaluationSummary(
    double Mse,
    double Nmse,
    double R2,
    double L0,
    int SilentLatents,
    double MonoMean,
    double MonoMedian,
    double MonoP90,
    double? PurityBinary,
    double? PurityWeighted,
    double? Fvu = null)
{
    /// <summary>The figures of an evaluation.</summary>
    /// <param name="result">The evaluation.</param>
    public static EvaluationSummary Of(EvaluationResult result) => new(
        result.Mse,
        result.Nmse,
        result.R2,
        result.L0,
        result.SilentLatents,
        result.MonoMean,
        result.MonoMedian,
        result.MonoP90,
        result.PurityBinary,
        result.PurityWeighted,
        result.Fvu);
}
