using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// Writes an autoencoder as the official MonoLoss trainer does: <c>training_config.json</c>, and <c>autoencoder_final.pt</c> with the
/// entries of the official state dict.
/// </summary>
internal static class OfficialWriter
{
    /// <summary>Writes a folder.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What is known about it.</param>
    /// <exception cref="DataException">The official code has no such autoencoder, or a file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        if (!sae.Config.UnitRows)
        {
            sae.Remarks.Add("the official code gives its models rows of unit length, but this one takes rows as they are");
        }

        if (sae.Form.Normalization == InputNormalization.ConstantNorm)
        {
            throw new DataException("the official code has no autoencoder with rows of length √D");
        }

        sae.FoldInputScale();
        var kind = sae.Form.Rule switch
        {
            ActivationRule.ReLU => "vanilla",
            ActivationRule.TopK => "topk",
            ActivationRule.BatchTopK => "batch_topk",
            ActivationRule.Threshold => "jumprelu",
            var rule => throw new DataException($"the official code has no autoencoder with the activation {rule}"),
        };
        sae.Center(kind != "jumprelu");
        if (kind == "batch_topk")
        {
            sae.Remarks.Add("the official code selects within batches and has no threshold; training_config.json has it under 'monoloss'");
        }

        var config = Config(sae, kind, metadata);
        var json = config.DeepClone().AsObject();
        json["monoloss"] = ForeignFormats.Note(sae, metadata);
        AtomicFile.WriteAllText(Path.Combine(folder, "training_config.json"), json.ToJsonString(ForeignFormats.Json) + "\n");
        TorchWriter.Write(Path.Combine(folder, "autoencoder_final.pt"), TorchItem.Dictionary(
            KeyValuePair.Create("epoch", Integer(metadata.GetValueOrDefault("epochs"))),
            KeyValuePair.Create("step", TorchItem.Of(0)),
            KeyValuePair.Create("model_state_dict", kind == "topk" ? TopK(sae) : Standard(sae, kind)),
            KeyValuePair.Create("optimizer_state_dict", TorchItem.Dictionary(
                KeyValuePair.Create("state", TorchItem.Dictionary(Array.Empty<KeyValuePair<string, TorchItem>>())),
                KeyValuePair.Create("param_groups", TorchItem.List()))),
            KeyValuePair.Create(
                "config", TorchItem.Dictionary(config.Select(entry => KeyValuePair.Create(entry.Key, Item(entry.Value)))))));
    }

    private static JsonObject Config(PortableSae sae, string kind, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var config = new JsonObject { ["n_latents"] = sae.Config.Latents, ["d_model"] = sae.Config.Dimension };
        config[kind == "topk" ? "activation" : "model_type"] = kind;
        config["topk_k"] = sae.Config.K;
        if (kind == "topk")
        {
            config["tied_weights"] = IsTied(sae);
        }

        config["normalize"] = sae.Form.Normalization == InputNormalization.LayerNorm;
        foreach (var (name, source) in new[]
        {
            ("batch_size", "batch_size"), ("num_epochs", "epochs"), ("lr", "learning_rate"), ("seed", "seed"),
        })
        {
            config[name] = metadata.GetValueOrDefault(source)?.DeepClone();
        }

        config["auxk_coef"] = sae.Config.AuxCoefficient;
        config["l1_coef"] = sae.Config.L1Coefficient;
        config["bandwidth"] = sae.Config.Bandwidth;
        config["mono_coef"] = sae.Config.MonoCoefficient;
        return config;
    }

    private static bool IsTied(PortableSae sae) => sae.Encoder.AsSpan().SequenceEqual(sae.Decoder);

    private static TorchItem Standard(PortableSae sae, string kind)
    {
        var tensors = SaeLensFormat.Tensors(sae).Where(tensor => tensor.Name != "threshold").ToList();
        if (kind == "jumprelu")
        {
            tensors.Add(SafeTensor.Create(
                "jumprelu.log_threshold", [sae.Config.Latents], sae.LogThreshold ?? Array.ConvertAll(sae.Threshold!, MathF.Log)));
        }

        return TorchItem.Dictionary(tensors);
    }

    private static TorchItem TopK(PortableSae sae)
    {
        long m = sae.Config.Latents, d = sae.Config.Dimension;
        List<KeyValuePair<string, TorchItem>> entries =
        [
            Tensor("pre_bias", [d], sae.DecoderBias),
            Tensor("latent_bias", [m], sae.EncoderBias),
            Tensor("stats_last_nonzero", [m], new long[m]),
            Tensor("latents_activation_frequency", [m], new float[m]),
            Tensor("latents_mean_square", [m], new float[m]),
            Tensor("encoder.weight", [m, d], sae.Encoder),
            KeyValuePair.Create("activation.k", TorchItem.Of(sae.Config.K)),
            KeyValuePair.Create("activation.postact_fn", TorchItem.Of("ReLU")),
            IsTied(sae)
                ? Tensor("decoder.linear.weight", [m, d], sae.Encoder)
                : Tensor("decoder.weight", [d, m], SaeLensFormat.Transpose(sae.Decoder, sae.Config.Latents, sae.Config.Dimension)),
            KeyValuePair.Create("activation", TorchItem.Of("TopK")),
            KeyValuePair.Create("activation_state_dict", TorchItem.Dictionary(
                KeyValuePair.Create("k", TorchItem.Of(sae.Config.K)), KeyValuePair.Create("postact_fn", TorchItem.Of("ReLU")))),
        ];
        return TorchItem.Dictionary(entries);
    }

    private static KeyValuePair<string, TorchItem> Tensor<T>(string name, long[] shape, T[] values)
        where T : unmanaged => KeyValuePair.Create(name, TorchItem.Of(SafeTensor.Create(name, shape, values)));

    private static TorchItem Integer(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out int number) ? TorchItem.Of(number) : TorchItem.Of(0);

    private static TorchItem Item(JsonNode? node) => node switch
    {
        JsonValue value when value.TryGetValue(out bool flag) => TorchItem.Of(flag),
        JsonValue value when value.TryGetValue(out int number) => TorchItem.Of(number),
        JsonValue value when value.TryGetValue(out double number) => TorchItem.Of(number),
        JsonValue value when value.TryGetValue(out string? text) => TorchItem.Of(text),
        _ => TorchItem.None,
    };
}
