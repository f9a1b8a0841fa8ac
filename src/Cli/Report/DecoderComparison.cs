using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>What the directions of a decoder say of its latents.</summary>
/// <param name="Near">For each latent the nearest others of its run.</param>
/// <param name="Duplicates">The near-duplicates in its run.</param>
/// <param name="Matches">For each other run of the same features, the nearest latent there.</param>
internal sealed record DecoderComparison(
    IReadOnlyList<IReadOnlyList<Neighbor>> Near,
    NearDuplicates Duplicates,
    IReadOnlyList<(int Run, IReadOnlyList<Neighbor> Nearest)> Matches);
