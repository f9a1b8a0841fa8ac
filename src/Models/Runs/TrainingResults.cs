namespace MonoLoss.Models;

/// <summary>The content of results.json.</summary>
/// <param name="Model">The configuration of the model.</param>
/// <param name="Training">The settings of its training.</param>
/// <param name="Steps">Number of steps made.</param>
/// <param name="FinalStep">The metrics of the last step.</param>
/// <param name="Splits">The final figures of every split that was evaluated.</param>
public sealed record TrainingResults(
    SaeConfig Model, TrainingOptions Training, long Steps, StepMetrics FinalStep, IReadOnlyDictionary<string, EvaluationSummary> Splits);
