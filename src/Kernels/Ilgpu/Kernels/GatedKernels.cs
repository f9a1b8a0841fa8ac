using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Gated SAEs: magnitudes behind gates.</summary>
internal static class GatedKernels
{
    /// <summary>Copies the offsets of rows, one thread per offset.</summary>
    [Kernel("8*B")]
    public static void CopyOffsets(ArrayView<int> from, ArrayView<int> to)
    {
        var i = Grid.GlobalIndex.X;
        if (i < to.IntLength)
        {
            to[i] = from[i];
        }
    }

    /// <summary>
    /// z = ReLU(exp(scale)·(ĝ − gateBias) + magBias) where ĝ is positive, else 0; one thread per entry, which z gets too.
    /// </summary>
    [Kernel("16*N + 12*M", "46*N", CachedBytes = "27*N")]
    public static void Gate(
        ArrayView<int> indices,
        ArrayView<float> gate,
        ArrayView<float> scale,
        ArrayView<float> gateBias,
        ArrayView<float> magBias,
        ArrayView<int> zIndices,
        ArrayView<float> z)
    {
        var entry = Grid.GlobalIndex.X;
        if (entry < z.IntLength)
        {
            var m = indices[entry];
            var slope = Exponential.Exp(scale[m]);
            var value = (slope * gate[entry]) + (float)(magBias[m] - ((double)slope * gateBias[m]));
            zIndices[entry] = m;
            z[entry] = gate[entry] > 0 && value > 0 ? value : 0;
        }
    }

    /// <summary>
    /// Adds exp(scale)·∂z to the gate's gradient where z is positive, and what follows to the gradients of the parameters; one warp per
    /// latent.
    /// </summary>
    [Kernel("20*N + 36*M", "6*N", CachedBytes = "4*32*N")]
    public static void Gradient(
        ArrayView<int> columnOffsets,
        ArrayView<int> entryOf,
        ArrayView<float> z,
        ArrayView<float> gradient,
        ArrayView<float> scale,
        ArrayView<float> magBias,
        ArrayView<float> gateGradient,
        ArrayView<float> scaleGradient,
        ArrayView<float> gateBiasGradient,
        ArrayView<float> magBiasGradient)
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        if (m >= scale.IntLength)
        {
            return;
        }

        var slope = Exponential.Exp(scale[m]);
        var end = columnOffsets[m + 1];
        double sum = 0, timesZ = 0;
        for (var j = columnOffsets[m] + Warp.LaneIdx; j < end; j += Warp.WarpSize)
        {
            var entry = entryOf[j];
            var value = z[entry];
            var g = value > 0 ? gradient[entry] : 0;
            sum += g;
            timesZ += (double)g * value;
            gateGradient[entry] += slope * g;
        }

        sum = Reductions.WarpSum(sum);
        timesZ = Reductions.WarpSum(timesZ);
        if (Warp.LaneIdx == 0)
        {
            scaleGradient[m] += (float)(timesZ - (magBias[m] * sum));
            gateBiasGradient[m] -= (float)(slope * sum);
            magBiasGradient[m] += (float)sum;
        }
    }
}
