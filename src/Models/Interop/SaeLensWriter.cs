using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Writes an autoencoder so that SAELens gives its latents for rows as they are.</summary>
internal static class SaeLensWriter
{
    // From this version on SAELens keeps metadata; an older or missing one makes it take the file for one of an old layout.
    private const string LayoutVersion = "6.54.12";

    /// <summary>Writes cfg.json and sae_weights.safetensors.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What SAELens shall keep about it.</param>
    /// <exception cref="DataException">SAELens has no such model, or a file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var (json, tensors) = Convert(sae, metadata);
        AtomicFile.WriteAllText(Path.Combine(folder, "cfg.json"), json.ToJsonString(ForeignFormats.Json) + "\n");
        SafetensorsWriter.Write(Path.Combine(folder, "sae_weights.safetensors"), tensors);
    }

    /// <summary>The entries of cfg.json and the tensors.</summary>
    /// <inheritdoc cref="Write"/>
    public static (JsonObject Config, List<SafeTensor> Tensors) Convert(PortableSae sae, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var config = sae.Config;
        var architecture = sae.Form.Rule switch
        {
            ActivationRule.ReLU => "standard",
            ActivationRule.TopK => "topk",
            ActivationRule.Threshold or ActivationRule.BatchTopK => "jumprelu",
            var rule => throw new DataException($"SAELens has no autoencoder with the activation {rule}"),
        };
        if (config.UnitRows && sae.Form.Normalization == InputNormalization.None)
        {
            sae.FoldUnitRows();
        }

        sae.FoldInputScale();
        var json = new JsonObject
        {
            ["architecture"] = architecture,
            ["d_in"] = config.Dimension,
            ["d_sae"] = config.Latents,
            ["dtype"] = "float32",
            ["device"] = "cpu",
            ["apply_b_dec_to_input"] = sae.Form.SubtractsDecoderBias,
            ["normalize_activations"] = sae.Form.Normalization switch
            {
                InputNormalization.LayerNorm => "layer_norm",
                InputNormalization.ConstantNorm => "constant_norm_rescale",
                _ => "none",
            },
            ["reshape_activations"] = "none",
        };
        if (sae.Form.Rule == ActivationRule.TopK)
        {
            json["k"] = config.K;
            json["rescale_acts_by_decoder_norm"] = false;
        }

        var kept = new JsonObject { ["sae_lens_version"] = LayoutVersion, ["sae_lens_training_version"] = null };
        foreach (var (name, value) in metadata)
        {
            kept[name] = value?.DeepClone();
        }

        json["metadata"] = kept;
        long m = config.Latents, d = config.Dimension;
        List<SafeTensor> tensors =
        [
            SafeTensor.Create("W_enc", [d, m], sae.Transpose(sae.Encoder)),
            SafeTensor.Create("b_enc", [m], sae.EncoderBias),
            SafeTensor.Create("W_dec", [m, d], sae.Decoder),
            SafeTensor.Create("b_dec", [d], sae.DecoderBias),
        ];
        if (sae.Threshold is { } threshold)
        {
            tensors.Add(SafeTensor.Create("threshold", [m], threshold));
        }

        return (json, tensors);
    }
}
