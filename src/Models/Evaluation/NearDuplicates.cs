using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>The latents of one dictionary that stand for nearly the same: pairs of decoder rows with a cosine above a threshold.</summary>
/// <param name="Pairs">Number of pairs.</param>
/// <param name="Counts">For every latent, the number of pairs that it is in.</param>
/// <param name="Largest">The pairs with the largest cosines, largest first; ties go to the lower latents. First is below Second.</param>
public sealed record NearDuplicates(long Pairs, IReadOnlyList<int> Counts, IReadOnlyList<LatentPair> Largest)
{
    /// <summary>The cosine above which two latents are nearly the same.</summary>
    public const double Threshold = 0.9;

    /// <summary>Finds them among the decoder rows of an autoencoder.</summary>
    /// <param name="model">The autoencoder.</param>
    /// <param name="listed">The most pairs to list.</param>
    /// <param name="threshold">The cosine that a pair exceeds.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static NearDuplicates Of(
        SparseAutoencoder model, int listed = 20, double threshold = Threshold, CancellationToken stop = default) =>
        Of(model.Device, model.DecoderDirections(), model.Config.Dimension, listed, threshold, stop);

    /// <summary>Finds them in a dictionary. The result is that of float64 cosines, whatever the device.</summary>
    /// <param name="device">Forms the products.</param>
    /// <param name="dictionary">M×D, finite, a direction per row; a row of zeros has cosine 0 with every other.</param>
    /// <param name="dimension">D.</param>
    /// <param name="listed">The most pairs to list.</param>
    /// <param name="threshold">The cosine that a pair exceeds.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">The length is not a multiple of D.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static NearDuplicates Of(
        Device device,
        ReadOnlyMemory<float> dictionary,
        int dimension,
        int listed = 20,
        double threshold = Threshold,
        CancellationToken stop = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(listed);
        using var blocks = new CosineBlocks(device, dictionary, dimension);
        var (above, below) = ((float)(threshold + blocks.Margin), (float)(threshold - blocks.Margin));
        var counts = new int[blocks.Queries];
        var candidates = new List<LatentPair>?[blocks.Queries];
        List<LatentPair> largest = [];
        for (var first = 0; first < blocks.Queries; first += blocks.BlockRows)
        {
            var count = Math.Min(blocks.BlockRows, blocks.Queries - first);
            blocks.ForEach(dictionary.Span.Slice(first * dimension, count * dimension), first + count, Take, Merge, stop);

            void Take(int latent, ArraySegment<float> cosines)
            {
                var open = listed == 0 ? float.PositiveInfinity
                    : largest.Count < listed ? float.NegativeInfinity
                    : (float)(largest[^1].Cosine - blocks.Margin);
                for (var i = Math.Max(0, latent + 1 - first); (i = CosineBlocks.IndexAbove(cosines, i, below)) < count; i++)
                {
                    if (cosines[i] <= above && blocks.Exact(latent, i) <= threshold)
                    {
                        continue;
                    }

                    Interlocked.Increment(ref counts[latent]);
                    Interlocked.Increment(ref counts[first + i]);
                    if (cosines[i] >= open)
                    {
                        (candidates[latent] ??= []).Add(new LatentPair(latent, first + i, blocks.Exact(latent, i)));
                    }
                }
            }
        }

        return new NearDuplicates(counts.Sum(count => (long)count) / 2, counts, largest);

        void Merge()
        {
            largest =
            [
                .. candidates.OfType<List<LatentPair>>().SelectMany(pairs => pairs).Concat(largest)
                    .OrderByDescending(pair => pair.Cosine).ThenBy(pair => pair.First).ThenBy(pair => pair.Second).Take(listed),
            ];
            Array.Clear(candidates);
        }
    }
}
