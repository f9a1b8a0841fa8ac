using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// How alike two dictionaries are: the rows of their decoders are matched one to one so that the sum of the cosines is largest, and the
/// stability is the mean cosine of the pairs. Where one has more latents, the rest of them stay without a partner.
/// </summary>
/// <param name="MeanCosine">Mean cosine of the pairs, −1 … 1.</param>
/// <param name="Pairs">The pairs, by the latent of the first dictionary.</param>
public sealed record Stability(double MeanCosine, IReadOnlyList<LatentPair> Pairs)
{
    // Cosines are matched as multiples of this, about what float32 holds of them, so that the matching itself rounds nothing.
    private const float Unit = 1 << 24;

    private const int RowsAtOnce = 256;

    /// <summary>The memory that the comparison of two dictionaries takes, apart from their weights.</summary>
    /// <param name="first">Latents of one.</param>
    /// <param name="second">Latents of the other.</param>
    /// <returns>Bytes.</returns>
    public static long MemoryBytes(int first, int second) => (long)first * second * sizeof(int);

    /// <summary>Compares the decoders of two autoencoders.</summary>
    /// <param name="first">One autoencoder, M₁×D.</param>
    /// <param name="second">The other, M₂×D, on any device.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">They have different numbers of features.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static Stability Of(SparseAutoencoder first, SparseAutoencoder second, CancellationToken stop = default)
    {
        if (first.Config.Dimension != second.Config.Dimension)
        {
            throw new ArgumentException($"{first.Config.Dimension} and {second.Config.Dimension} features", nameof(second));
        }

        return Of(first.Device, first.DecoderDirections(), second.DecoderDirections(), first.Config.Dimension, stop);
    }

    /// <summary>Compares two dictionaries.</summary>
    /// <param name="device">Computes the cosines.</param>
    /// <param name="first">M₁×D, a direction per row; a row of zeros has cosine 0 with every other.</param>
    /// <param name="second">M₂×D.</param>
    /// <param name="dimension">D.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="ArgumentException">The lengths are not multiples of D, or one is 0.</exception>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public static Stability Of(
        Device device, ReadOnlySpan<float> first, ReadOnlySpan<float> second, int dimension, CancellationToken stop = default)
    {
        if (first.Length == 0 || second.Length == 0 || first.Length % dimension != 0 || second.Length % dimension != 0)
        {
            throw new ArgumentException($"{first.Length} and {second.Length} values are not rows of {dimension}", nameof(dimension));
        }

        float[] a = UnitRows(first, dimension), b = UnitRows(second, dimension);
        var isSwapped = a.Length > b.Length;
        var (fewer, more) = isSwapped ? (b, a) : (a, b);
        var partners = Assignment.Solve(Costs(device, fewer, more, dimension, stop), stop);
        var pairs = partners
            .Select((partner, row) => isSwapped ? (First: partner, Second: row) : (First: row, Second: partner))
            .OrderBy(pair => pair.First)
            .Select(pair => new LatentPair(pair.First, pair.Second, Directions.Dot(
                Directions.Row(a, pair.First, dimension), Directions.Row(b, pair.Second, dimension))))
            .ToList();
        return new Stability(pairs.Average(pair => pair.Cosine), pairs);
    }

    /// <summary>−cosine of all pairs, in units of 2⁻²⁴.</summary>
    private static int[][] Costs(Device device, float[] rows, float[] columns, int dimension, CancellationToken stop)
    {
        var (rowCount, columnCount) = (rows.Length / dimension, columns.Length / dimension);
        using var all = device.Tensor(columnCount, dimension);
        using var some = device.Tensor(0, 0);
        using var cosines = device.Tensor(0, 0);
        all.Set(columns);
        var costs = new int[rowCount][];
        for (var start = 0; start < rowCount; start += RowsAtOnce)
        {
            stop.ThrowIfCancellationRequested();
            var count = Math.Min(RowsAtOnce, rowCount - start);
            some.Resize(count, dimension);
            some.Set(rows.AsSpan(start * dimension, count * dimension));
            cosines.Resize(count, columnCount);
            device.Gemm(transposeA: false, transposeB: true, 1, some, all, 0, cosines);
            var (block, offset) = (cosines.ToArray(), start);
            Parallel.For(0, count, i =>
                costs[offset + i] = Array.ConvertAll(
                    block[(i * columnCount)..((i + 1) * columnCount)], cosine => (int)MathF.Round(-cosine * Unit)));
        }

        return costs;
    }

    private static float[] UnitRows(ReadOnlySpan<float> values, int dimension)
    {
        var result = new float[values.Length];
        Directions.UnitRows(values, dimension, result);
        return result;
    }
}

/// <summary>Two latents that were matched, or are nearly the same.</summary>
/// <param name="First">The latent of the first dictionary.</param>
/// <param name="Second">Its partner in the second, or another of the same dictionary.</param>
/// <param name="Cosine">The cosine of their decoder rows.</param>
public readonly record struct LatentPair(int First, int Second, double Cosine);
