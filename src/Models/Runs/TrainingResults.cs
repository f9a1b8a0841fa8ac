using System.Text.Json.Serialization;

namespace MonoLoss.Models;

/// <summary>The content of results.json.</summary>
/// <param name="Model">The configuration of the model.</param>
/// <param name="Training">The settings of its training.</param>
/// <param name="Steps">Number of steps made.</param>
/// <param name="FinalStep">The metrics of the last step.</param>
/// <param name="Splits">The final figures of every split that was evaluated.</param>
public sealed record TrainingResults(
    SaeConfig Model, TrainingOptions Training, long Steps, StepMetrics FinalStep, IReadOnlyDictionary<string, EvaluationSummary> Splits)
{
    private const string ThresholdSuffix = " by threshold";

    /// <summary>
    /// The same figures by the model's threshold instead of its selection within batches; empty for models that do not select so.
    /// </summary>
    public IReadOnlyDictionary<string, EvaluationSummary> ByThreshold { get; init; } = new Dictionary<string, EvaluationSummary>();

    /// <summary>All final figures, each with the name of its row in a table: test, test by threshold.</summary>
    [JsonIgnore]
    public IEnumerable<(string Name, EvaluationSummary Result)> Rows =>
        Splits.Select(split => (split.Key, split.Value))
            .Concat(ByThreshold.Select(split => (NameByThreshold(split.Key), split.Value)));

    /// <summary>What the figures of a split by threshold are called.</summary>
    /// <param name="split">train, val or test.</param>
    public static string NameByThreshold(string split) => split + ThresholdSuffix;
}
