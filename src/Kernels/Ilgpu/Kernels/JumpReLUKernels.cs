using ILGPU;
using ILGPU.Algorithms;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>JumpReLU with its straight-through gradient; h is the bandwidth, θ a latent's threshold.</summary>
internal static class JumpReLUKernels
{
    /// <summary>thresholds[m] = θ = exp(logThreshold[m]), one thread per latent.</summary>
    [Kernel("8*M", "40*M")]
    public static void Thresholds(ArrayView<float> logThreshold, ArrayView<float> thresholds)
    {
        var m = Grid.GlobalIndex.X;
        if (m < thresholds.IntLength)
        {
            thresholds[m] = Exponential.Exp(logThreshold[m]);
        }
    }

    /// <summary>bounds[m] = θ − h/2, less the rounding error of a pre-activation; one thread per latent.</summary>
    [Kernel("8*M", "40*M")]
    public static void Bounds(ArrayView<float> logThreshold, float bandwidth, ArrayView<float> bounds)
    {
        var m = Grid.GlobalIndex.X;
        if (m < bounds.IntLength)
        {
            var threshold = Exponential.Exp(logThreshold[m]);
            bounds[m] = threshold - (0.5f * bandwidth) - EdgeDoubt(threshold);
        }
    }

    /// <summary>
    /// Copies the values to pre and sets those that are not above θ to 0, one thread per entry; nonzeros too close to an edge for float32
    /// are listed, in no particular order, for <see cref="JumpReLUAgain"/>.
    /// </summary>
    [Kernel("16*N + 4*M", "6*N", CachedBytes = "16*N")]
    public static void JumpReLU(
        ArrayView<int> indices,
        ArrayView<float> values,
        ArrayView<float> thresholds,
        float bandwidth,
        ArrayView<float> pre,
        ArrayView<int> doubtful,
        ArrayView<int> doubtfulCount)
    {
        var entry = Grid.GlobalIndex.X;
        if (entry >= values.IntLength)
        {
            return;
        }

        var value = values[entry];
        var threshold = thresholds[indices[entry]];
        var distance = XMath.Abs(value - threshold);
        if (XMath.Min(distance, XMath.Abs(distance - (0.5f * bandwidth))) < EdgeDoubt(threshold))
        {
            doubtful[Atomic.Add(ref doubtfulCount[0], 1)] = entry;
        }
        else
        {
            pre[entry] = value;
            values[entry] = value > threshold ? value : 0;
        }
    }

    /// <summary>JumpReLU of the listed nonzeros, about one in 10⁵, from pre-activations in float64; one warp per entry.</summary>
    [Kernel("4*M", "2*N*D/100000", CachedBytes = "8*N*D/100000")]
    public static void JumpReLUAgain(
        ArrayView<int> doubtful,
        ArrayView<int> doubtfulCount,
        ArrayView<int> rowOffsets,
        ArrayView<int> indices,
        ArrayView<float> x,
        ArrayView<float> weights,
        ArrayView<float> bias,
        int columns,
        ArrayView<float> thresholds,
        ArrayView<float> pre,
        ArrayView<float> values)
    {
        var count = doubtfulCount[0];
        for (var i = Grid.GlobalIndex.X / Warp.WarpSize; i < count; i += Grid.DimX * Group.DimX / Warp.WarpSize)
        {
            var entry = doubtful[i];
            var m = indices[entry];
            var (row, weight) = (RowIndices(rowOffsets, entry) * columns, m * columns);
            var sum = 0.0;
            for (var j = Warp.LaneIdx; j < columns; j += Warp.WarpSize)
            {
                sum += (double)x[row + j] * weights[weight + j];
            }

            var value = XMath.Max((float)(bias[m] + Reductions.WarpSum(sum)), 0);
            if (Warp.LaneIdx == 0)
            {
                pre[entry] = value;
                values[entry] = value > thresholds[m] ? value : 0;
            }
        }
    }

    /// <summary>
    /// Adds the gradient of every log θ from its nonzeros, and stops the gradient where the latent is off; one warp per latent.
    /// </summary>
    [Kernel("20*N + 16*M", "6*N", CachedBytes = "4*32*N")]
    public static void Gradient(
        ArrayView<int> columnOffsets,
        ArrayView<int> entryOf,
        ArrayView<float> values,
        ArrayView<float> gradient,
        ArrayView<float> pre,
        ArrayView<float> logThreshold,
        float bandwidth,
        double l0Factor,
        ArrayView<float> thresholdGradient)
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        if (m >= logThreshold.IntLength)
        {
            return;
        }

        var threshold = Exponential.Exp(logThreshold[m]);
        var end = columnOffsets[m + 1];
        var sum = 0.0;
        for (var j = columnOffsets[m] + Warp.LaneIdx; j < end; j += Warp.WarpSize)
        {
            var entry = entryOf[j];
            var z = values[entry];
            sum += BandTerm(pre[entry], z, gradient[entry], threshold, bandwidth, l0Factor);
            if (z == 0)
            {
                gradient[entry] = 0;
            }
        }

        sum = Reductions.WarpSum(sum);
        if (Warp.LaneIdx == 0)
        {
            thresholdGradient[m] += BandGradient(sum, bandwidth);
        }
    }

    /// <summary>A nonzero's term in its threshold's sum: θ·∂z if pre is within h/2 of θ, plus the factor of L0 if z itself is.</summary>
    internal static double BandTerm(float pre, float z, float gradient, float threshold, float bandwidth, double l0Factor) =>
        (IsInBand(pre, threshold, bandwidth) ? (double)threshold * gradient : 0) + (IsInBand(z, threshold, bandwidth) ? l0Factor : 0);

    /// <summary>The gradient of log θ from the sum of <see cref="BandTerm"/> over its nonzeros.</summary>
    internal static float BandGradient(double sum, float bandwidth) => (float)(-sum / bandwidth);

    private static bool IsInBand(float value, float threshold, float bandwidth) => XMath.Abs(value - threshold) < 0.5f * bandwidth;

    /// <summary>The distance from an edge within which rounding may put a float32 pre-activation on the wrong side.</summary>
    private static float EdgeDoubt(float threshold) => 1e-6f * (1 + threshold);

    /// <summary>The row of an entry: the last one that does not begin after it.</summary>
    private static int RowIndices(ArrayView<int> rowOffsets, int entry)
    {
        var (row, end) = (0, rowOffsets.IntLength - 1);
        while (end - row > 1)
        {
            var middle = row + ((end - row) / 2);
            if (rowOffsets[middle] <= entry)
            {
                row = middle;
            }
            else
            {
                end = middle;
            }
        }

        return row;
    }
}
