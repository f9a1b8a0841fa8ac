namespace MonoLoss.Models;

/// <summary>The figures of an autoencoder on a dataset.</summary>
public sealed record EvaluationResult
{
    /// <summary>Number of rows.</summary>
    public required long Rows { get; init; }

    /// <summary>Mean squared error over rows and features.</summary>
    public required double Mse { get; init; }

    /// <summary>Mean over rows of Σ(recon − x)²/Σx².</summary>
    public required double Nmse { get; init; }

    /// <summary>Mean over features that vary, of 1 − SS_res/(SS_tot + 1e-12).</summary>
    public required double R2 { get; init; }

    /// <summary>
    /// Fraction of variance unexplained: Σ residual² / Σ (x − mean)² over all rows and features. SAELens and SAEBench report 1 − FVU.
    /// </summary>
    public required double Fvu { get; init; }

    /// <summary>Mean number of active latents per row.</summary>
    public required double L0 { get; init; }

    /// <summary>Silent latents: those that never fire on this dataset.</summary>
    public required int SilentLatents { get; init; }

    /// <summary>Mean MonoScore over all latents, counting 0 for those that never fire.</summary>
    public required double MonoMean { get; init; }

    /// <summary>Median MonoScore over all latents.</summary>
    public required double MonoMedian { get; init; }

    /// <summary>90th percentile of MonoScore over all latents.</summary>
    public required double MonoP90 { get; init; }

    /// <summary>Mean binary class purity over latents that fire on a row with a label; null if there is none.</summary>
    public double? PurityBinary { get; init; }

    /// <summary>Mean weighted class purity over latents that fire on a row with a label; null if there is none.</summary>
    public double? PurityWeighted { get; init; }

    /// <summary>Whether there is no class purity because latents fire for too many classes (see <see cref="ClassPurity"/>).</summary>
    public bool HasTooManyLabels { get; init; }

    /// <summary>
    /// The most frequent classes of every latent with the rows that have them, if they were asked for (<see
    /// cref="Evaluation.ClassesPerLatent"/>) and there are labels; else null.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<ClassCount>>? FrequentClasses { get; init; }

    /// <summary>One entry per latent.</summary>
    public required IReadOnlyList<LatentResult> Latents { get; init; }

    /// <summary>The same figures, with the names of the latents.</summary>
    /// <param name="names">One entry per latent.</param>
    public EvaluationResult WithNames(IReadOnlyList<LatentNames?> names) =>
        this with { Latents = [.. Latents.Select((latent, i) => latent with { Names = names[i] })] };
}

/// <summary>One latent on a dataset.</summary>
/// <param name="MonoScore">Its MonoScore.</param>
/// <param name="ActivationCount">Number of rows that activate it.</param>
/// <param name="ActivationMean">Mean activation over those rows; 0 if there are none.</param>
/// <param name="ActivationMax">Largest activation.</param>
/// <param name="Purity">Its class purity; null if it fires on no row with a label.</param>
public readonly record struct LatentResult(
    double MonoScore, long ActivationCount, double ActivationMean, double ActivationMax, LatentPurity? Purity)
{
    /// <summary>The texts of a vocabulary that are nearest to its decoder row; null without a vocabulary.</summary>
    public LatentNames? Names { get; init; }
}
