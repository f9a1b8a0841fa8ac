using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>MonoScore of a batch: what depends on z alone, and sums over latents.</summary>
internal static class MonoKernels
{
    /// <summary>z by column; one thread per nonzero.</summary>
    [Kernel("12*N", CachedBytes = "32*N")]
    public static void GatherValues(ArrayView<int> entryOf, ArrayView<float> values, ArrayView<float> z)
    {
        var j = Grid.GlobalIndex.X;
        if (j < z.IntLength)
        {
            z[j] = values[entryOf[j]];
        }
    }

    /// <summary>
    /// The terms of every latent, a/‖x‖ at its nonzeros, and the number of active latents; one warp per latent. Scores start as 0.
    /// </summary>
    [Kernel("12*N + 88*M + 8*B", "14*N", CachedBytes = "32*N + 208*M")]
    public static void FormTerms(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<float> z,
        ArrayView<double> norms,
        ArrayView<float> weights,
        ArrayView<LatentMonoScore> terms,
        ArrayView<float> scores,
        ArrayView<int> active)
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        int first = 0, last = 0;
        if (m < terms.IntLength)
        {
            first = offsets[m];
            last = offsets[m + 1];
        }

        // Rows without a nonzero have z = 0.
        var minimum = last - first < norms.IntLength ? 0 : float.MaxValue;
        var maximum = 0f;
        for (var j = first + Warp.LaneIdx; j < last; j += Warp.WarpSize)
        {
            minimum = Math.Min(minimum, z[j]);
            maximum = Math.Max(maximum, z[j]);
        }

        minimum = Reductions.WarpMin(minimum);
        maximum = -Reductions.WarpMin(-maximum);
        var perRange = MonoScore.ReciprocalRange(minimum, maximum);
        double u = 0, v = 0, selfTerms = 0;
        int firstMinimum = int.MaxValue, firstMaximum = int.MaxValue;
        for (var j = first + Warp.LaneIdx; j < last; j += Warp.WarpSize)
        {
            var a = MonoScore.Scaled(z[j], minimum, perRange);
            var norm = norms[rowOf[j]];
            var weight = (float)(a / norm);
            var self = MonoScore.SelfTerm(a, weight, norm);
            weights[j] = weight;
            u += a;
            v += a * a;
            selfTerms += self * self;
            firstMinimum = z[j] == minimum ? Math.Min(firstMinimum, j) : firstMinimum;
            firstMaximum = z[j] == maximum ? Math.Min(firstMaximum, j) : firstMaximum;
        }

        u = Reductions.WarpSum(u);
        v = Reductions.WarpSum(v);
        selfTerms = Reductions.WarpSum(selfTerms);
        firstMinimum = Reductions.WarpMin(firstMinimum);
        firstMaximum = Reductions.WarpMin(firstMaximum);
        if (m < terms.IntLength && Warp.LaneIdx == 0)
        {
            if (firstMinimum < last && minimum == 0 && rowOf[firstMinimum] > firstMinimum - first)
            {
                // An earlier row has no nonzero, so z = 0 there.
                firstMinimum = int.MaxValue;
            }

            var result = new LatentMonoScore
            {
                Terms = new MonoScore(minimum, perRange, u, v, selfTerms, MonoScore.BatchDelta),
                FirstMinimum = firstMinimum,
                FirstMaximum = firstMaximum,
            };
            terms[m] = result;
            scores[m] = 0;
            if (result.IsActive)
            {
                Atomic.Add(ref active[0], 1);
            }
        }
    }

    /// <summary>The sum of the scores and the number of active latents; one group.</summary>
    [Kernel("4*M", "M")]
    public static void SumScores(ArrayView<float> scores, ArrayView<int> active, ArrayView<double> result)
    {
        var sum = 0.0;
        for (var m = Group.IdxX; m < scores.IntLength; m += Group.DimX)
        {
            sum += scores[m];
        }

        sum = Reductions.GroupSum(sum);
        if (Group.IdxX == 0)
        {
            result[0] = sum;
            result[1] = active[0];
        }
    }

    /// <summary>gradient −= factor/result[1] · scoreGradient, if any latent is active; one thread per nonzero.</summary>
    [Kernel("12*N", "2*N")]
    public static void AddScoreGradient(ArrayView<float> gradient, ArrayView<float> scoreGradient, ArrayView<double> result, double factor)
    {
        var i = Grid.GlobalIndex.X;
        if (i < gradient.IntLength && result[1] > 0)
        {
            gradient[i] += (float)(-factor / result[1]) * scoreGradient[i];
        }
    }
}
