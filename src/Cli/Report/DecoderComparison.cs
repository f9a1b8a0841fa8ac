namespace MonoLoss.Cli;

/// <summary>What the directions of a decoder say of its latents.</summary>
/// <param name="Near">For each latent the others of its run with the largest cosines.</param>
/// <param name="Duplicates">For each latent the number of others of its run whose cosine is above 0.9.</param>
/// <param name="Pairs">The number of such pairs of latents.</param>
/// <param name="Matches">For each other run, the nearest latent there.</param>
internal sealed record DecoderComparison(
    IReadOnlyList<IReadOnlyList<(int Latent, double Cosine)>> Near,
    IReadOnlyList<int> Duplicates,
    long Pairs,
    IReadOnlyList<(int Run, IReadOnlyList<(int Latent, double Cosine)> Nearest)> Matches);
