namespace MonoLoss.Models;

/// <summary>A text of a vocabulary that is near to a latent.</summary>
/// <param name="Text">The text.</param>
/// <param name="Cosine">The cosine of its embedding with the latent's decoder row.</param>
public readonly record struct NearText(string Text, double Cosine);

/// <summary>The texts of a <see cref="Vocabulary"/> that are nearest to a latent, nearest first; at least one of each kind.</summary>
/// <param name="Plain">By the embeddings as they are.</param>
/// <param name="Centered">By the embeddings less their mean.</param>
public sealed record LatentNames(IReadOnlyList<NearText> Plain, IReadOnlyList<NearText> Centered);
