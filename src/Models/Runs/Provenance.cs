using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>What a model's files say about where it comes from, for tools and people that know nothing of this program.</summary>
public static class Provenance
{
    /// <summary>The entries, by name.</summary>
    /// <param name="model">The configuration of the model.</param>
    /// <param name="training">The settings of its training; null if not known.</param>
    /// <param name="results">Its final figures by split; null before there are any.</param>
    /// <param name="features">What the feature files say of themselves: backbone, layer, token; null if they say nothing.</param>
    public static IReadOnlyDictionary<string, JsonNode?> Of(
        SaeConfig model,
        TrainingOptions? training,
        IReadOnlyDictionary<string, EvaluationSummary>? results = null,
        IReadOnlyDictionary<string, string>? features = null)
    {
        var entries = new Dictionary<string, JsonNode?>
        {
            ["monoloss_version"] = BuildInfo.Version,
            ["monoloss_architecture"] = model.Architecture.Name(),
            ["monoloss_rows"] = model.UnitRows ? "unit" : "raw",
        };
        if (model.Imported is { } form)
        {
            entries["imported_from"] = form.Tool;
        }

        if (training is not null)
        {
            entries["dataset"] = new JsonArray([.. training.Train.Select(path => (JsonNode)Path.GetFileName(path.TrimEnd('/')))]);
            entries["epochs"] = training.Epochs;
            entries["batch_size"] = training.BatchSize;
            entries["learning_rate"] = training.LearningRate;
            entries["mono_coefficient"] = model.MonoCoefficient;
            entries["mono_period"] = training.MonoPeriod;
            entries["seed"] = training.Seed;
        }

        foreach (var (name, value) in features ?? new Dictionary<string, string>())
        {
            entries[name] = value;
        }

        if (results is { Count: > 0 })
        {
            var scores = new JsonObject();
            foreach (var (split, figures) in results)
            {
                scores[split] = new JsonObject
                {
                    ["r2"] = figures.R2, ["l0"] = figures.L0, ["mono_score"] = figures.MonoMean, ["purity"] = figures.PurityBinary,
                };
            }

            entries["scores"] = scores;
        }

        return entries;
    }
}
