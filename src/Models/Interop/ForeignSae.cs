namespace MonoLoss.Models;

/// <summary>
/// An autoencoder of another tool, read into memory. Weights are float32 under our names: <c>W_enc</c> and <c>W_dec</c> M×D, one row per
/// latent, <c>b_enc</c> and <c>threshold</c> M (gated ones <c>b_gate</c>, <c>r_mag</c>, <c>b_mag</c>), <c>b_dec</c> D.
/// </summary>
public sealed class ForeignSae
{
    /// <summary>The configuration of a model that computes the same.</summary>
    public required SaeConfig Config { get; init; }

    /// <summary>What the tool computes, whatever architecture <see cref="Config"/> has.</summary>
    public required ImportedForm Form { get; init; }

    /// <summary>The weights by name.</summary>
    public required IReadOnlyDictionary<string, float[]> Weights { get; init; }

    /// <summary>What the source says about itself, in a few words: tool, version, class.</summary>
    public required string Description { get; init; }

    /// <summary>Things that a user of the import should know, a sentence each.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Texts that belong to the source, such as the backbone's name.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Fills a model of <see cref="Config"/> with the weights.</summary>
    /// <param name="model">The model.</param>
    public void CopyTo(SparseAutoencoder model)
    {
        foreach (var parameter in model.Parameters)
        {
            parameter.Value.Set(Weights[parameter.Name]);
        }
    }
}
