namespace MonoLoss.Models;

/// <summary>Is shown the latents of all rows of a set, in the order of the rows.</summary>
public interface ILatentObserver
{
    /// <summary>Adds the rows of a batch.</summary>
    /// <param name="offsets">Where each row's nonzeros start, and the end.</param>
    /// <param name="indices">The latent of each entry.</param>
    /// <param name="values">z at each entry.</param>
    void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values);
}
