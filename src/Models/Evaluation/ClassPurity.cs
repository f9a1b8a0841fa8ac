namespace MonoLoss.Models;

/// <summary>The class purity of a latent.</summary>
/// <param name="DominantClass">The most frequent class among the samples that activate it; −1 if it never fires.</param>
/// <param name="Binary">The share of that class among those samples; 0 if it never fires.</param>
/// <param name="Weighted">The largest share of one class in the activation mass Σz; 0 if it never fires.</param>
public readonly record struct LatentPurity(int DominantClass, double Binary, double Weighted);

/// <summary>Counts how often and how strongly each latent fires for each class.</summary>
/// <param name="latents">M.</param>
/// <param name="classes">Number of classes.</param>
public sealed class ClassPurity(int latents, int classes)
{
    private readonly int[] _counts = new int[(long)latents * classes];
    private readonly double[] _masses = new double[(long)latents * classes];

    /// <summary>Adds a batch.</summary>
    /// <param name="offsets">Where each row's nonzeros start.</param>
    /// <param name="indices">The latent of each entry.</param>
    /// <param name="values">z at each entry.</param>
    /// <param name="labels">The class of each row.</param>
    public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values, ReadOnlySpan<int> labels)
    {
        for (var i = 0; i < labels.Length; i++)
        {
            for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
            {
                if (values[entry] > 0)
                {
                    var cell = ((long)indices[entry] * classes) + labels[i];
                    _counts[cell]++;
                    _masses[cell] += values[entry];
                }
            }
        }
    }

    /// <summary>The purity of a latent.</summary>
    /// <param name="latent">0 … M − 1.</param>
    public LatentPurity Of(int latent)
    {
        var counts = _counts.AsSpan(checked(latent * classes), classes);
        var masses = _masses.AsSpan(latent * classes, classes);
        long count = 0;
        var mass = 0.0;
        var dominant = 0;
        var heaviest = 0.0;
        for (var c = 0; c < classes; c++)
        {
            count += counts[c];
            mass += masses[c];
            heaviest = Math.Max(heaviest, masses[c]);
            if (counts[c] > counts[dominant])
            {
                dominant = c;
            }
        }

        return count == 0 ? new LatentPurity(-1, 0, 0) : new LatentPurity(dominant, (double)counts[dominant] / count, heaviest / mass);
    }
}
