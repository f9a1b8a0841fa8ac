using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>What the directions of a decoder say of its latents.</summary>
/// <param name="Near">For each latent the nearest others of its run.</param>
/// <param name="Duplicates">For each latent the number of near-duplicates in its run.</param>
/// <param name="Matches">For each other run of the same features, the nearest latent there.</param>
internal sealed record DecoderComparison(
    IReadOnlyList<IReadOnlyList<NearDirection>> Near,
    IReadOnlyList<int> Duplicates,
    IReadOnlyList<(int Run, IReadOnlyList<NearDirection> Nearest)> Matches)
{
    /// <summary>The number of pairs of near-duplicates.</summary>
    public long Pairs => Duplicates.Sum(count => (long)count) / 2;
}
