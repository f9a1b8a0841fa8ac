using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Writes an autoencoder as dictionary_learning does: <c>config.json</c> and <c>ae.pt</c>.</summary>
internal static class DictionaryLearningWriter
{
    // What its BatchTopK stores for a threshold that was never measured.
    private const float NoThreshold = -1;

    /// <summary>Writes a folder.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What is known about it; dictionary_learning ignores it.</param>
    /// <exception cref="DataException">The tool has no such autoencoder, or a file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        sae.RemarkOnRows();
        sae.FoldInputScale();
        var (kind, trainer, tensors) = sae.Form.Rule switch
        {
            ActivationRule.ReLU => AutoEncoder(sae),
            ActivationRule.TopK => ("AutoEncoderTopK", "TopKTrainer", Selecting(sae, NoThreshold)),
            ActivationRule.BatchTopK => ("BatchTopKSAE", "BatchTopKTrainer", Selecting(sae, sae.CommonThreshold ?? NoThreshold)),
            ActivationRule.Threshold when sae is { Form.SubtractsDecoderBias: true, CommonThreshold: { } threshold } =>
                ("BatchTopKSAE", "BatchTopKTrainer", Selecting(sae, threshold)),
            ActivationRule.Threshold => ("JumpReluAutoEncoder", "JumpReluTrainer", JumpReLU(sae)),
            var rule => throw new DataException($"dictionary_learning has no autoencoder with the activation {rule}"),
        };
        var settings = new JsonObject
        {
            ["trainer_class"] = trainer,
            ["dict_class"] = kind,
            ["activation_dim"] = sae.Config.Dimension,
            ["dict_size"] = sae.Config.Latents,
            ["device"] = "cpu",
            ["layer"] = metadata.GetValueOrDefault("layer")?.DeepClone(),
            ["lm_name"] = metadata.GetValueOrDefault("lm_name")?.DeepClone() ?? metadata.GetValueOrDefault("model")?.DeepClone(),
            ["wandb_name"] = kind,
            ["submodule_name"] = metadata.GetValueOrDefault("submodule_name")?.DeepClone(),
        };
        if (kind is "AutoEncoderTopK" or "BatchTopKSAE")
        {
            settings["k"] = sae.Config.K;
        }

        var json = new JsonObject { ["trainer"] = settings, ["monoloss"] = ForeignFormats.Note(sae, metadata) };
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), json.ToJsonString(ForeignFormats.Json) + "\n");
        TorchWriter.Write(Path.Combine(folder, "ae.pt"), TorchItem.Dictionary(tensors));
    }

    private static (string Kind, string Trainer, List<SafeTensor> Tensors) AutoEncoder(PortableSae sae)
    {
        sae.Center(subtracts: true);
        // Its loader would do this otherwise.
        sae.ScaleDecoderToUnit();
        return ("AutoEncoder", "StandardTrainer", Linear(sae, "bias"));
    }

    private static List<SafeTensor> Selecting(PortableSae sae, float threshold)
    {
        sae.Center(subtracts: true);
        return
        [
            .. Linear(sae, "b_dec"),
            SafeTensor.Create("k", [], new[] { sae.Config.K }),
            SafeTensor.Create("threshold", [], new[] { threshold }),
        ];
    }

    private static List<SafeTensor> Linear(PortableSae sae, string bias)
    {
        long m = sae.Config.Latents, d = sae.Config.Dimension;
        return
        [
            SafeTensor.Create(bias, [d], sae.DecoderBias),
            SafeTensor.Create("encoder.weight", [m, d], sae.Encoder),
            SafeTensor.Create("encoder.bias", [m], sae.EncoderBias),
            SafeTensor.Create("decoder.weight", [d, m], SaeLensFormat.Transpose(sae.Decoder, sae.Config.Latents, sae.Config.Dimension)),
        ];
    }

    private static List<SafeTensor> JumpReLU(PortableSae sae)
    {
        sae.Center(subtracts: false);
        return SaeLensFormat.Tensors(sae);
    }
}
