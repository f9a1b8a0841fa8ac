namespace MonoLoss.Models;

/// <summary>
/// A histogram of every latent's activations in one pass. Bins have equal widths, a power of two per latent: the smallest with which all
/// activations of the latent fit into <see cref="Count"/> bins. When a larger one comes, pairs of bins become one. The result therefore
/// depends on the activations alone, not on their order.
/// </summary>
/// <param name="latents">M; 4·<see cref="Count"/> bytes are taken per latent.</param>
public sealed class ActivationBins(int latents) : ILatentObserver
{
    /// <summary>The number of bins; activations are in at least the first half of them.</summary>
    public const int Count = 32;

    private const int Log2Count = 5;

    // Below the exponent of every float.
    private const int Unused = -1000;

    private readonly int[] _counts = new int[latents * Count];
    private readonly int[] _exponents = [.. Enumerable.Repeat(Unused, latents)];

    /// <inheritdoc/>
    public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values)
    {
        for (var entry = offsets[0]; entry < offsets[^1]; entry++)
        {
            if (values[entry] > 0 && float.IsFinite(values[entry]))
            {
                Add(indices[entry], values[entry]);
            }
        }
    }

    /// <summary>The histogram of a latent.</summary>
    /// <param name="latent">0 … M − 1.</param>
    /// <returns>The width of a bin, and the activations z in each: bin i has those with i·width ≤ z &lt; (i + 1)·width.</returns>
    public (double Width, IReadOnlyList<int> Counts) Of(int latent)
    {
        var exponent = _exponents[latent];
        return (exponent == Unused ? 0 : Math.ScaleB(1, exponent), _counts[(latent * Count)..((latent + 1) * Count)]);
    }

    private void Add(int latent, float value)
    {
        var bins = _counts.AsSpan(latent * Count, Count);
        ref var exponent = ref _exponents[latent];
        var needed = MathF.ILogB(value) + 1 - Log2Count;
        if (exponent == Unused)
        {
            exponent = needed;
        }

        for (; exponent < needed; exponent++)
        {
            for (var i = 0; i < Count / 2; i++)
            {
                bins[i] = bins[2 * i] + bins[(2 * i) + 1];
            }

            bins[(Count / 2)..].Clear();
        }

        bins[(int)Math.ScaleB((double)value, -exponent)]++;
    }
}
