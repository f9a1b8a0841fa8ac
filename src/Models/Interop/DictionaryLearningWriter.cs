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
            ActivationRule.Gated => ("GatedAutoEncoder", "GatedSAETrainer", Gated(sae)),
            ActivationRule.BatchTopK or ActivationRule.Threshold
                when sae.Form.GroupSizes is { } groups && (sae.CommonThreshold is not null || sae.Form.Rule == ActivationRule.BatchTopK) =>
                ("MatryoshkaBatchTopKSAE", "MatryoshkaBatchTopKTrainer", Matryoshka(sae, groups)),
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
        if (kind is "AutoEncoderTopK" or "BatchTopKSAE" or "MatryoshkaBatchTopKSAE")
        {
            settings["k"] = sae.Config.K;
        }

        if (kind == "MatryoshkaBatchTopKSAE")
        {
            var sizes = sae.Form.GroupSizes!;
            settings["group_fractions"] = Array(sizes.Select(size => JsonValue.Create((double)size / sae.Config.Latents)));
            settings["group_weights"] = Array(sizes.Select(_ => JsonValue.Create(1.0 / sizes.Count)));
            settings["group_sizes"] = Array(sizes.Select(size => JsonValue.Create(size)));
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

    private static JsonArray Array(IEnumerable<JsonNode> values) => new([.. values]);

    private static List<SafeTensor> Matryoshka(PortableSae sae, IReadOnlyList<int> groups)
    {
        sae.Center(subtracts: true);
        return
        [
            .. SaeLensFormat.Tensors(sae).Where(tensor => tensor.Name != "threshold"),
            SafeTensor.Create("k", [], new[] { sae.Config.K }),
            SafeTensor.Create("threshold", [], new[] { sae.CommonThreshold ?? NoThreshold }),
            SafeTensor.Create("group_sizes", [groups.Count], groups.Select(size => (long)size).ToArray()),
        ];
    }

    private static List<SafeTensor> Gated(PortableSae sae)
    {
        sae.Center(subtracts: true);
        long m = sae.Config.Latents, d = sae.Config.Dimension;
        return
        [
            SafeTensor.Create("decoder_bias", [d], sae.DecoderBias),
            SafeTensor.Create("encoder.weight", [m, d], sae.Encoder),
            SafeTensor.Create("r_mag", [m], sae.Vector("r_mag")),
            SafeTensor.Create("gate_bias", [m], sae.Vector("b_gate")),
            SafeTensor.Create("mag_bias", [m], sae.Vector("b_mag")),
            SafeTensor.Create("decoder.weight", [d, m], SaeLensFormat.Transpose(sae.Decoder, sae.Config.Latents, sae.Config.Dimension)),
        ];
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
