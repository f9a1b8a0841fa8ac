namespace MonoLoss.Models;

/// <summary>The results of a completed run, as its files have them.</summary>
/// <param name="Results">The settings and final figures (results.json).</param>
/// <param name="Steps">The metrics of every step (metrics.parquet).</param>
/// <param name="Evaluations">The figures of every evaluation (evals.parquet); empty if there was none.</param>
/// <param name="Latents">Every latent on the split that was evaluated last (latents.parquet); empty if none was.</param>
/// <param name="Classes">The texts of that split's labels, by <see cref="LatentPurity.DominantClass"/>; empty without labels.</param>
public sealed record CompletedRun(
    TrainingResults Results,
    IReadOnlyList<StepMetrics> Steps,
    IReadOnlyList<EvaluationRow> Evaluations,
    IReadOnlyList<LatentResult> Latents,
    IReadOnlyList<string> Classes);
