using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// MonoScore by its definition, Σ_{i&lt;j} a_i a_j cos(p_i, p_j) / Σ_{i&lt;j} a_i a_j, in float64: O(N²·M) time and O(N·M) memory.
/// The reference for the linear form.
/// </summary>
public static class PairwiseMonoScore
{
    private const int LatentsPerPiece = 64;

    /// <summary>Scores every latent.</summary>
    /// <param name="features">N×D rows whose directions are compared; a row of zeros is similar to no other.</param>
    /// <param name="dimension">D.</param>
    /// <param name="activations">N×M activations of any sign.</param>
    /// <param name="latents">M.</param>
    /// <param name="undefined">The score of a latent that is constant or has no pair of active rows.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">Features and activations do not have the same number of rows.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static double[] Compute(
        ReadOnlySpan<float> features,
        int dimension,
        ReadOnlySpan<float> activations,
        int latents,
        double undefined = 0,
        CancellationToken stop = default)
    {
        var rows = features.Length / dimension;
        if (features.Length != (long)rows * dimension || activations.Length != (long)rows * latents)
        {
            throw new ArgumentException($"{features.Length} features and {activations.Length} activations do not fit {rows} rows");
        }

        var directions = Directions(features, dimension);
        var (scaled, constant) = Scale(activations, latents);
        var numerators = new double[latents];
        var denominators = new double[latents];
        var cosines = new double[rows];
        var pieces = (latents + LatentsPerPiece - 1) / LatentsPerPiece;
        for (var i = 0; i < rows; i++)
        {
            stop.ThrowIfCancellationRequested();
            var row = i;
            Parallel.For(row + 1, rows, j => cosines[j] = Dot(directions, row, j, dimension));
            Parallel.For(0, pieces, piece => AddPairs(scaled, latents, cosines, row, piece * LatentsPerPiece, numerators, denominators));
        }

        return [.. Enumerable.Range(0, latents).Select(m =>
            constant[m] || denominators[m] <= MonoScore.SmallestPairWeight
                ? undefined
                : numerators[m] / (denominators[m] + MonoScore.DatasetDelta))];
    }

    /// <summary>Adds the pairs (row, j), j &gt; row, for the latents of a piece.</summary>
    private static void AddPairs(
        double[] scaled, int latents, double[] cosines, int row, int first, double[] numerators, double[] denominators)
    {
        var count = Math.Min(LatentsPerPiece, latents - first);
        Span<double> similar = stackalloc double[LatentsPerPiece];
        Span<double> weight = stackalloc double[LatentsPerPiece];
        similar.Clear();
        weight.Clear();
        for (var j = row + 1; j < cosines.Length; j++)
        {
            var other = scaled.AsSpan((j * latents) + first, count);
            for (var m = 0; m < other.Length; m++)
            {
                similar[m] += other[m] * cosines[j];
                weight[m] += other[m];
            }
        }

        for (var m = 0; m < count; m++)
        {
            var a = scaled[(row * latents) + first + m];
            numerators[first + m] += a * similar[m];
            denominators[first + m] += a * weight[m];
        }
    }

    private static double[] Directions(ReadOnlySpan<float> features, int dimension)
    {
        var directions = new double[features.Length];
        for (var start = 0; start < features.Length; start += dimension)
        {
            var squares = 0.0;
            foreach (var value in features.Slice(start, dimension))
            {
                squares += (double)value * value;
            }

            var norm = Math.Max(Math.Sqrt(squares), MonoScore.SmallestNorm);
            for (var j = start; j < start + dimension; j++)
            {
                directions[j] = features[j] / norm;
            }
        }

        return directions;
    }

    /// <summary>a = (z − min)/(max − min + ε) of every latent, and which latents are constant.</summary>
    private static (double[] Scaled, bool[] Constant) Scale(ReadOnlySpan<float> activations, int latents)
    {
        var minimum = new double[latents];
        var maximum = new double[latents];
        Array.Fill(minimum, double.PositiveInfinity);
        Array.Fill(maximum, double.NegativeInfinity);
        for (var i = 0; i < activations.Length; i++)
        {
            var m = i % latents;
            minimum[m] = Math.Min(minimum[m], activations[i]);
            maximum[m] = Math.Max(maximum[m], activations[i]);
        }

        var scaled = new double[activations.Length];
        for (var i = 0; i < scaled.Length; i++)
        {
            var m = i % latents;
            scaled[i] = (activations[i] - minimum[m]) / (maximum[m] - minimum[m] + MonoScore.RangeEpsilon);
        }

        return (scaled, [.. minimum.Zip(maximum, (low, high) => low == high)]);
    }

    private static double Dot(double[] directions, int i, int j, int dimension)
    {
        var sum = 0.0;
        for (var d = 0; d < dimension; d++)
        {
            sum += directions[(i * dimension) + d] * directions[(j * dimension) + d];
        }

        return sum;
    }
}
