using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Writes an autoencoder as sparsify does.</summary>
internal static class SparsifyWriter
{
    /// <summary>Writes cfg.json and sae.safetensors.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What is known about it; sparsify ignores it.</param>
    /// <exception cref="DataException">sparsify has no such model, or a file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var config = sae.Config;
        sae.RemarkOnRows();
        var k = config.K;
        switch (sae.Form.Rule)
        {
            case ActivationRule.TopK or ActivationRule.GroupMax:
                break;
            case ActivationRule.ReLU:
                k = config.Latents;
                sae.Remarks.Add("sparsify always selects by k; with k = num_latents it keeps all positive activations");
                break;
            case ActivationRule.BatchTopK:
                sae.Remarks.Add("sparsify selects k latents of every row, not k on average; cfg.json has the threshold under 'monoloss'");
                break;
            case var rule:
                throw new DataException($"sparsify has no autoencoder with the activation {rule}");
        }

        sae.FoldInputScale();
        sae.Center(subtracts: true);
        var json = new JsonObject
        {
            ["activation"] = sae.Form.Rule == ActivationRule.GroupMax ? "groupmax" : "topk",
            ["expansion_factor"] = Math.Max(1, config.Latents / config.Dimension),
            ["normalize_decoder"] = true,
            ["num_latents"] = config.Latents,
            ["k"] = k,
            ["multi_topk"] = false,
            ["skip_connection"] = false,
            ["transcode"] = false,
            ["d_in"] = config.Dimension,
            ["monoloss"] = ForeignFormats.Note(sae, metadata),
        };
        AtomicFile.WriteAllText(Path.Combine(folder, "cfg.json"), json.ToJsonString(ForeignFormats.Json) + "\n");
        long m = config.Latents, d = config.Dimension;
        SafetensorsWriter.Write(Path.Combine(folder, "sae.safetensors"),
        [
            SafeTensor.Create("encoder.weight", [m, d], sae.Encoder),
            SafeTensor.Create("encoder.bias", [m], sae.EncoderBias),
            SafeTensor.Create("W_dec", [m, d], sae.Decoder),
            SafeTensor.Create("b_dec", [d], sae.DecoderBias),
        ]);
    }
}
