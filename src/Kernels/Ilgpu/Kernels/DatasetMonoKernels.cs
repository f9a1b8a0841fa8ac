using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>MonoScore of a dataset in one pass over its batches, and its gradient.</summary>
internal static class DatasetMonoKernels
{
    /// <summary>Adjacent columns (or groups of four) that a group sums at once.</summary>
    public const int ColumnsPerGroup = 64;

    // Nonzeros that a group reads at once: one for each of its sets of 64 threads.
    private const int NonzerosTogether = IlgpuDevice.GroupSize / ColumnsPerGroup;

    /// <summary>Adds a batch's sums, extremes and counts of z; one warp per latent.</summary>
    [Kernel("8*N + 90*M", "6*N", CachedBytes = "32*N + 256*M")]
    public static void AddValues(ArrayView<int> offsets, ArrayView<int> entryOf, ArrayView<float> values, DatasetSums<double> sums)
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        int first = 0, last = 0;
        if (m < sums.Sum.IntLength)
        {
            first = offsets[m];
            last = offsets[m + 1];
        }

        double sum = 0, squares = 0;
        float minimum = float.PositiveInfinity, maximum = float.NegativeInfinity;
        int fired = 0, minimumTies = 0, maximumTies = 0;
        for (var j = first + Warp.LaneIdx; j < last; j += Warp.WarpSize)
        {
            var z = values[entryOf[j]];
            sum += z;
            squares += (double)z * z;
            fired += z > 0 ? 1 : 0;
            minimumTies = z < minimum ? 1 : minimumTies + (z == minimum ? 1 : 0);
            maximumTies = z > maximum ? 1 : maximumTies + (z == maximum ? 1 : 0);
            minimum = Math.Min(minimum, z);
            maximum = Math.Max(maximum, z);
        }

        sum = Reductions.WarpSum(sum);
        squares = Reductions.WarpSum(squares);
        fired = Reductions.WarpSum(fired);
        var lowest = Reductions.WarpMin(minimum);
        var highest = -Reductions.WarpMin(-maximum);
        minimumTies = Reductions.WarpSum(minimum == lowest ? minimumTies : 0);
        maximumTies = Reductions.WarpSum(maximum == highest ? maximumTies : 0);
        if (last > first && Warp.LaneIdx == 0)
        {
            var nonzeros = sums.Nonzeros[m];
            var isLower = nonzeros == 0 || lowest < sums.Minimum[m];
            var isHigher = nonzeros == 0 || highest > sums.Maximum[m];
            if (isLower)
            {
                sums.Minimum[m] = lowest;
            }

            if (isHigher)
            {
                sums.Maximum[m] = highest;
            }

            if (lowest == sums.Minimum[m])
            {
                sums.MinimumTies[m] = minimumTies + (isLower ? 0 : sums.MinimumTies[m]);
            }

            if (highest == sums.Maximum[m])
            {
                sums.MaximumTies[m] = maximumTies + (isHigher ? 0 : sums.MaximumTies[m]);
            }

            sums.Sum[m] += sum;
            sums.SumSquares[m] += squares;
            sums.Nonzeros[m] = nonzeros + last - first;
            sums.Fired[m] += fired;
        }
    }

    /// <summary>
    /// Adds a batch's Σ z·p; one group per 64 columns of a latent, four nonzeros at once, so that a latent that fires on all rows does not
    /// keep one group busy long after the rest of the GPU is done.
    /// </summary>
    [Kernel("16*M*D + 4*B*D + 12*N", "2*N*D + 5*M*D", CachedBytes = "4*N*D + 64*N + 8*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void AddWeightedUnitRows<T, TSums>(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        ArrayView<float> values,
        ArrayView<T> x,
        ArrayView<double> norms,
        int columns,
        ArrayView<TSums> weightedUnitRows)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var m = Grid.IdxX;
        int first = offsets[m], last = offsets[m + 1];
        if (first == last)
        {
            return;
        }

        var sums = SharedMemory.Allocate<TSums>(IlgpuDevice.GroupSize);
        var column = (Grid.IdxY * ColumnsPerGroup) + (Group.IdxX % ColumnsPerGroup);
        TSums sum = default;
        if (column < columns)
        {
            var j = first + (Group.IdxX / ColumnsPerGroup);
            for (; j + NonzerosTogether < last; j += 2 * NonzerosTogether)
            {
                int row = rowOf[j], next = rowOf[j + NonzerosTogether];
                var x0 = x[(row * columns) + column];
                var x1 = x[(next * columns) + column];
                sum = sum.AddScaled(values[entryOf[j]] / norms[row], x0).AddScaled(values[entryOf[j + NonzerosTogether]] / norms[next], x1);
            }

            if (j < last)
            {
                sum = sum.AddScaled(values[entryOf[j]] / norms[rowOf[j]], x[(rowOf[j] * columns) + column]);
            }
        }

        sums[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < ColumnsPerGroup && column < columns)
        {
            sum = weightedUnitRows[(m * columns) + column];
            for (var i = Group.IdxX; i < IlgpuDevice.GroupSize; i += ColumnsPerGroup)
            {
                sum = sum.Add(sums[i]);
            }

            weightedUnitRows[(m * columns) + column] = sum;
        }
    }

    /// <summary>The scores from the sums; one warp per latent.</summary>
    [Kernel("8*M*D + 64*M", "8*M*D")]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void FinishScores<T, TSums>(DatasetSums<TSums> sums, int columns, ArrayView<double> scores)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var m = Grid.GlobalIndex.X / Warp.WarpSize;
        MonoScore terms = default;
        var squares = 0.0;
        if (m < scores.IntLength)
        {
            terms = sums.Of(m).Terms();
            for (var column = Warp.LaneIdx; column < columns; column += Warp.WarpSize)
            {
                var w = sums.WeightedUnitRows[(m * columns) + column]
                    .SubtractScaledAndMultiply(terms.Minimum, sums.UnitRowSum[column], terms.PerRange);
                squares = w.Dot(w, squares);
            }
        }

        squares = Reductions.WarpSum(squares);
        if (m < scores.IntLength && Warp.LaneIdx == 0)
        {
            scores[m] = terms.IsActive ? terms.Score(squares) : 0.0;
        }
    }

    /// <summary>
    /// Adds factor·∂score/∂z at every nonzero of a batch: one group per latent, followed by one group per part of a long latent
    /// (<see cref="LatentSlice"/>).
    /// </summary>
    [Kernel("8*M*D + 4*B*D + 28*N", "2*N*D + 8*M*D", CachedBytes = "4*N*D + 96*N + 8*M*D", MinGroups = 4)]
    [KernelInstance(typeof(Float1), typeof(Double1))]
    [KernelInstance(typeof(Float4), typeof(Double4))]
    public static void AddGradient<T, TSums>(
        ArrayView<int> offsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        ArrayView<int> indices,
        ArrayView<float> values,
        int partLength,
        ArrayView<T> x,
        ArrayView<double> norms,
        DatasetSums<TSums> sums,
        ArrayView<double> scores,
        double factor,
        ArrayView<float> dots,
        ArrayView<float> gradient)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var m = Grid.IdxX;
        int first = 0, last = 0;
        if (m < scores.IntLength)
        {
            first = offsets[m];
            last = offsets[m + 1];
            last = last - first > partLength ? first : last;
        }
        else
        {
            var part = LatentSlice.Of(offsets, indices, entryOf, partLength, m - scores.IntLength);
            m = part.Latent;
            if (m >= 0)
            {
                first = part.First;
                last = part.Last;
            }
        }

        if (first == last || scores[m] == 0)
        {
            return;
        }

        var columns = sums.UnitRowSum.IntLength;
        var partials = SharedMemory.Allocate<float>(LatentReductions.Partials);
        var w = SharedMemory.GetDynamic<T>().SubView(0, columns);
        var latent = sums.Of(m);
        var terms = latent.Terms();
        var wDotSum = 0.0;
        for (var column = Group.IdxX; column < columns; column += Group.DimX)
        {
            var sum = sums.UnitRowSum[column];
            var value = sums.WeightedUnitRows[(m * columns) + column].SubtractScaledAndMultiply(terms.Minimum, sum, terms.PerRange);
            wDotSum = value.Dot(sum, wDotSum);
            w[column] = value.Round();
        }

        wDotSum = Reductions.GroupSum(wDotSum);
        LatentReductions.Dots(w, rowOf, first, last, x, dots, partials);
        var score = scores[m];
        var scale = terms.GradientScale(factor);
        float minimum = terms.Minimum, maximum = latent.Maximum;
        // All rows that attain an extreme share its gradient.
        var atMaximum = terms.GradientAtMaximum(score, scale) / latent.RowsAtMaximum;
        var atMinimum = terms.GradientAtMinimum(score, scale, wDotSum, latent.Rows) / latent.RowsAtMinimum;
        for (var j = first + Group.IdxX; j < last; j += Group.DimX)
        {
            var z = values[entryOf[j]];
            var a = terms.Scaled(z);
            var g = terms.Gradient(a, dots[j] / norms[rowOf[j]], a, score, scale);
            g += z == maximum ? atMaximum : 0.0;
            g += z == minimum ? atMinimum : 0.0;
            gradient[entryOf[j]] += (float)g;
        }
    }
}
