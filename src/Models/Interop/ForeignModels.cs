using System.Text.Json.Nodes;

namespace MonoLoss.Models;

/// <summary>Chooses the architecture that computes what a foreign autoencoder does.</summary>
internal static class ForeignModels
{
    /// <summary>
    /// The configuration of one of our trained architectures if it computes exactly the same from the same weights, else of
    /// <see cref="Imported"/>.
    /// </summary>
    /// <param name="form">What the autoencoder computes.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="k">k, where the form selects by it.</param>
    /// <param name="unitRows">Whether it is given rows of unit length.</param>
    public static SaeConfig Configure(ImportedForm form, ForeignWeights weights, int k, bool unitRows)
    {
        var config = new SaeConfig
        {
            Architecture = Architecture.Imported,
            Dimension = weights.Dimension,
            Latents = weights.Latents,
            K = Math.Min(k, weights.Latents),
            UnitRows = unitRows,
            Imported = form,
        };
        return form switch
        {
            { Rule: ActivationRule.ReLU, SubtractsDecoderBias: true, InputScale: 1, Normalization: not InputNormalization.ConstantNorm } =>
                config with
                {
                    Architecture = Architecture.Vanilla,
                    Normalize = form.Normalization == InputNormalization.LayerNorm,
                    Imported = null,
                },
            { Rule: ActivationRule.Gated, SubtractsDecoderBias: true, InputScale: 1, Normalization: not InputNormalization.ConstantNorm } =>
                config with
                {
                    Architecture = Architecture.Gated,
                    Normalize = form.Normalization == InputNormalization.LayerNorm,
                    Imported = null,
                },
            { Rule: ActivationRule.TopK, SubtractsDecoderBias: true, InputScale: 1, Normalization: InputNormalization.LayerNorm } =>
                config with { Architecture = Architecture.TopK, Untied = true, Imported = null },
            _ => config,
        };
    }

    /// <summary>
    /// The sizes of groups if they are those of a number of latents, else null: they change nothing about what is computed.
    /// </summary>
    /// <param name="sizes">The sizes.</param>
    /// <param name="latents">M.</param>
    public static IReadOnlyList<int>? Groups(IReadOnlyList<Int128> sizes, int latents) =>
        sizes.All(size => size > 0 && size <= latents) && sizes.Sum(size => (long)size) == latents ? [.. sizes.Select(size => (int)size)]
            : null;

    /// <summary>Those entries of another tool's settings that are kept about a model, as text.</summary>
    /// <param name="names">Their names.</param>
    /// <param name="find">The entry of a name; null if there is none.</param>
    public static IReadOnlyDictionary<string, string> Metadata(IEnumerable<string> names, Func<string, JsonNode?> find) => names
        .Select(name => (name, Value: find(name)))
        .Where(entry => entry.Value is not null)
        .ToDictionary(entry => entry.name, entry => entry.Value!.ToString());
}
