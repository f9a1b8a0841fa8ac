using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Writes an autoencoder as saev does (schema 5): <c>sae.pt</c>, a line of JSON before a torch archive.</summary>
internal static class SaevWriter
{
    /// <summary>The entry of the first line that keeps the encoder's bias of a model that subtracts b_dec, to the bit.</summary>
    public const string CenteredBias = "centered_b_enc";

    private const int Schema = 5;

    /// <summary>Writes a folder.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What is known about it; saev ignores it.</param>
    /// <exception cref="DataException">saev has no such autoencoder, or the file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        sae.RemarkOnRows();
        sae.FoldInputScale();
        var (kind, key) = sae.Form.Rule switch
        {
            ActivationRule.ReLU => ("Relu", "relu"),
            ActivationRule.TopK or ActivationRule.SignedTopK => ("TopK", "top-k"),
            ActivationRule.BatchTopK or ActivationRule.Threshold when sae.CommonThreshold is not null => ("BatchTopK", "batch-top-k"),
            var rule => throw new DataException($"saev has no autoencoder with the activation {rule}"),
        };
        if (sae.Form.Rule == ActivationRule.TopK)
        {
            sae.Remarks.Add("saev keeps negative values among the k largest of a row, which are 0 here");
        }

        var note = ForeignFormats.Note(sae, metadata);
        if (sae.Form.SubtractsDecoderBias)
        {
            note[CenteredBias] = Convert.ToBase64String(MemoryMarshal.AsBytes<float>(sae.EncoderBias));
            sae.Center(subtracts: false);
        }

        var parameters = new JsonObject { ["key"] = key };
        if (kind != "Relu")
        {
            parameters["top_k"] = sae.Config.K;
        }

        parameters["sparsity"] = new JsonObject { ["cls"] = "NoSparsity", ["params"] = new JsonObject { ["key"] = "no-sparsity" } };
        if (kind == "BatchTopK")
        {
            parameters["momentum"] = 0.1;
        }

        parameters["aux"] = new JsonObject { ["cls"] = "NoAux", ["params"] = new JsonObject { ["key"] = "no-aux" } };
        var header = new JsonObject
        {
            ["schema"] = Schema,
            ["cfg"] = new JsonObject
            {
                ["d_model"] = sae.Config.Dimension,
                ["d_sae"] = sae.Config.Latents,
                ["activation"] = new JsonObject { ["cls"] = kind, ["params"] = parameters },
                ["reinit_blend"] = 0.8,
                ["reinit_enc_dec_tranpose"] = true,
                ["remove_parallel_grads"] = true,
                ["normalize_w_dec"] = true,
            },
            ["commit"] = "unknown",
            ["lib"] = "0.0.0+unknown",
            ["monoloss"] = note,
        };
        var tensors = SaeLensFormat.Tensors(sae).Where(tensor => tensor.Name != "threshold").ToList();
        if (kind == "BatchTopK")
        {
            tensors.Add(SafeTensor.Create("activation.threshold", [], new[] { sae.CommonThreshold!.Value }));
        }

        TorchWriter.Write(Path.Combine(folder, "sae.pt"), TorchItem.Dictionary(tensors), header.ToJsonString());
    }
}
