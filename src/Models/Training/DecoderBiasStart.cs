using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>What the decoder's bias is at the first step.</summary>
public enum DecoderBiasStart
{
    /// <summary>0, or that of the weights which training starts from.</summary>
    Zero,

    /// <summary>The mean of the first batch.</summary>
    Mean,

    /// <summary>The geometric median of the first batch (Bricken et al. 2023).</summary>
    GeometricMedian,
}

/// <summary>The centers of a set of rows, in float64.</summary>
public static class RowCenters
{
    private const int MaxRounds = 1000;
    private const double SmallestMove = 1e-6;
    private const double SmallestDistance = 1e-8;

    /// <summary>The mean of rows.</summary>
    /// <param name="rows">Values in rows, at least one.</param>
    /// <param name="dimension">D.</param>
    public static double[] Mean(ReadOnlySpan<float> rows, int dimension) => Weighted(rows, dimension, _ => 1);

    /// <summary>
    /// The geometric median, the point whose distances to all rows have the least sum, by Weiszfeld's iteration: from the mean,
    /// g ← Σ w_i·x_i/Σ w_i with w_i = 1/max(‖x_i − g‖, 1e-8), until g moves by less than 1e-6, at most 1000 times.
    /// </summary>
    /// <inheritdoc cref="Mean" path="/param"/>
    public static double[] GeometricMedian(ReadOnlySpan<float> rows, int dimension)
    {
        var center = Mean(rows, dimension);
        var move = double.PositiveInfinity;
        for (var round = 0; round < MaxRounds && move >= SmallestMove; round++)
        {
            var last = center;
            center = Weighted(rows, dimension, row => 1 / Math.Max(Distance(row, last), SmallestDistance));
            move = Math.Sqrt(center.Zip(last).Sum(pair => Math.Pow(pair.First - pair.Second, 2)));
        }

        return center;
    }

    /// <summary>Sets the decoder's bias to a center of the rows that the encoder gets.</summary>
    /// <param name="input">x, or x̂ with input layer norm, B×D: the bias is in the scale of either.</param>
    /// <param name="start">Which center; not <see cref="DecoderBiasStart.Zero"/>, which leaves the bias alone.</param>
    /// <param name="bias">b_dec, 1×D.</param>
    internal static void Set(Tensor input, DecoderBiasStart start, Tensor bias)
    {
        var rows = input.ToArray();
        var center = start == DecoderBiasStart.Mean ? Mean(rows, input.Columns) : GeometricMedian(rows, input.Columns);
        bias.Set(Array.ConvertAll(center, value => (float)value));
    }

    private delegate double RowWeight(ReadOnlySpan<float> row);

    private static double[] Weighted(ReadOnlySpan<float> rows, int dimension, RowWeight weightOf)
    {
        var sums = new double[dimension];
        var total = 0.0;
        for (var start = 0; start < rows.Length; start += dimension)
        {
            var row = rows.Slice(start, dimension);
            var weight = weightOf(row);
            total += weight;
            for (var j = 0; j < row.Length; j++)
            {
                sums[j] += weight * row[j];
            }
        }

        return Array.ConvertAll(sums, sum => sum / total);
    }

    private static double Distance(ReadOnlySpan<float> row, double[] center)
    {
        var squares = 0.0;
        for (var j = 0; j < row.Length; j++)
        {
            var difference = row[j] - center[j];
            squares += difference * difference;
        }

        return Math.Sqrt(squares);
    }
}
