using System.Globalization;
using System.Text;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>A model card: README.md with the YAML header that the Hugging Face hub reads.</summary>
public static class ModelCard
{
    /// <summary>Writes a card.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">The format of the files beside it (<see cref="ForeignFormats.Names"/>).</param>
    /// <param name="source">The autoencoder.</param>
    /// <param name="results">The final figures; null if there are none.</param>
    /// <param name="remarks">What the format cannot say.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(
        string path, string format, ModelSource source, TrainingResults? results, IReadOnlyList<string> remarks)
    {
        var (config, training) = (source.Config, source.Training);
        var text = new StringBuilder();
        text.Append("---\n");
        text.Append(format == "saelens" ? "library_name: saelens\n" : string.Empty);
        text.Append("tags:\n- sparse-autoencoder\n- vision\n");
        text.Append(config.MonoCoefficient > 0 ? "- monoloss\n" : string.Empty);
        text.Append("---\n\n");
        text.Append(
            CultureInfo.InvariantCulture,
            $"# Sparse autoencoder: {config.Architecture.Name()}, {config.Latents} latents of {config.Dimension} features\n\n");
        text.Append((source.Description ?? config.Imported?.Tool) is { } origin ? $"From {origin}" : "Trained with MonoLoss for .NET");
        text.Append(CultureInfo.InvariantCulture, $"; files for {format}.\n\n");
        text.Append("| setting | value |\n| --- | --- |\n");
        foreach (var (name, value) in source.Origin.Select(entry => (entry.Key, entry.Value)).Concat(Settings(config, training)))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {name} | {Escape(value)} |\n");
        }

        if (results is not null)
        {
            text.Append("\n| split | R² | FVU | L0 | MonoScore | purity |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
            foreach (var (name, figures) in results.Rows)
            {
                text.Append(CultureInfo.InvariantCulture,
                    $"| {name} | {figures.R2:0.0000} | {figures.Fvu:0.0000} | {figures.L0:0.00} | {figures.MonoMean:0.0000} "
                    + $"| {figures.PurityBinary:0.0000} |\n");
            }
        }

        text.Append("\n## Loading it\n\n```python\n");
        text.Append(Loading(format));
        text.Append("```\n");
        foreach (var remark in remarks)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n- {char.ToUpperInvariant(remark[0])}{remark[1..]}.");
        }

        text.Append(remarks.Count > 0 ? "\n" : string.Empty);
        AtomicFile.WriteAllText(path, text.ToString());
    }

    private static IEnumerable<(string Name, string Value)> Settings(SaeConfig config, TrainingOptions? training)
    {
        yield return ("rows", config.UnitRows ? "scaled to unit length" : "as they are");
        if (config.Architecture.SelectsK())
        {
            yield return ("k", $"{config.K}");
        }

        yield return ("MonoLoss", config.MonoCoefficient.ToString(CultureInfo.InvariantCulture));
        if (training is not null)
        {
            yield return ("training data", string.Join(", ", training.Train.Select(file => Path.GetFileName(file.TrimEnd('/')))));
            yield return ("epochs", $"{training.Epochs}");
            yield return ("batch size", $"{training.BatchSize}");
            yield return ("learning rate", training.LearningRate.ToString(CultureInfo.InvariantCulture));
            yield return ("seed", $"{training.Seed}");
        }
    }

    private static string Loading(string format) => format switch
    {
        "saelens" =>
            "from sae_lens import SAE\n\nsae = SAE.load_from_disk(\"FOLDER\")\nlatents = sae.encode(features)  # features as they are\n",
        "sparsify" => "from sparsify import SparseCoder\n\nsae = SparseCoder.load_from_disk(\"FOLDER\")\nlatents = sae.encode(features)\n",
        "dictionary-learning" =>
            "from dictionary_learning.utils import load_dictionary\n\nsae, config = load_dictionary(\"FOLDER\", device=\"cpu\")\n"
                + "latents = sae.encode(features)\n",
        "saev" => "import saev.nn\n\nsae = saev.nn.load(\"FOLDER/sae.pt\")\nreconstruction, latents, *_ = sae(features)\n",
        _ => "import torch\n\ncheckpoint = torch.load(\"FOLDER/autoencoder_final.pt\")\nweights = checkpoint[\"model_state_dict\"]\n",
    };

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");
}
