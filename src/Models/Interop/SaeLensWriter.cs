using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Writes an autoencoder for SAELens (<see cref="SaeLensFormat"/>).</summary>
internal static class SaeLensWriter
{
    /// <summary>Writes cfg.json and sae_weights.safetensors.</summary>
    /// <param name="sae">The autoencoder; its weights may be changed.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="metadata">What SAELens shall keep about it.</param>
    /// <exception cref="DataException">SAELens has no such model, or a file cannot be written.</exception>
    public static void Write(PortableSae sae, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        if (sae.Form.Rule is ActivationRule.GroupMax or ActivationRule.SignedTopK)
        {
            throw new DataException($"SAELens has no autoencoder with the activation {sae.Form.Rule}");
        }

        sae.FoldForRawRows();
        AtomicFile.WriteAllText(
            Path.Combine(folder, "cfg.json"),
            SaeLensFormat.Config(sae.Form, sae.Config, metadata).ToJsonString(ForeignFormats.Json) + "\n");
        SafetensorsWriter.Write(Path.Combine(folder, "sae_weights.safetensors"), SaeLensFormat.Tensors(sae));
    }
}
