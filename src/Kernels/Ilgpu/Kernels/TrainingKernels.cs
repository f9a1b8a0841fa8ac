using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.ScanReduceOperations;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>What Adam multiplies with and adds in one step.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Rest1">1 − β₁.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Rest2">1 − β₂.</param>
/// <param name="Scale">Of the gradient.</param>
/// <param name="Rate">α/(1 − β₁ᵗ).</param>
/// <param name="Root">1/√(1 − β₂ᵗ).</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
internal readonly record struct AdamFactors(
    float Beta1, float Rest1, float Beta2, float Rest2, float Scale, float Rate, float Root, float Epsilon);

/// <summary>Dead latents and the optimizer.</summary>
internal static class TrainingKernels
{
    // Moments of latents that stay dead decay for ever; below this they are 0, as on the cpu device.
    private const float SmallestMoment = 1.1754944e-38f;

    /// <summary>
    /// counters[m] is fired where latent m has a positive value, else one more than before; a thread a latent, which mostly needs to see
    /// one place: a 32-byte sector each of the places and of the values.
    /// </summary>
    [Kernel("16*M", CachedBytes = "32*M")]
    public static void UpdateStepsSinceFired(
        ArrayView<int> columnOffsets, ArrayView<int> entryOf, ArrayView<float> values, ArrayView<int> counters, int fired)
    {
        var m = Grid.GlobalIndex.X;
        if (m < counters.IntLength)
        {
            var last = columnOffsets[m + 1];
            var j = columnOffsets[m];
            while (j < last && !(values[entryOf[j]] > 0))
            {
                j++;
            }

            counters[m] = j < last ? fired : counters[m] + 1;
        }
    }

    /// <summary>counts[group] = how many of the group's counters are at least as large as <paramref name="least"/>.</summary>
    [Kernel("4*M")]
    public static void UpdateStepsSinceFired(ArrayView<int> counters, int least, ArrayView<int> counts)
    {
        var m = Grid.GlobalIndex.X;
        var count = Group.BarrierPopCount(m < counters.IntLength && counters[m] >= least);
        if (Group.IdxX == 0)
        {
            counts[Grid.IdxX] = count;
        }
    }

    /// <summary>Lists the latents whose counter is large enough, given how many each group finds; their number goes to total.</summary>
    [Kernel("4*2*M")]
    public static void FindDead(ArrayView<int> counters, int least, ArrayView<int> counts, ArrayView<int> list, ArrayView<int> total)
    {
        var m = Grid.GlobalIndex.X;
        var before = 0;
        for (var group = Group.IdxX; group < Grid.IdxX; group += Group.DimX)
        {
            before += counts[group];
        }

        before = GroupExtensions.AllReduce<int, AddInt32>(before);
        var found = m < counters.IntLength && counters[m] >= least ? 1 : 0;
        var position = before + GroupExtensions.ExclusiveScan<int, AddInt32>(found);
        if (found != 0)
        {
            list[position] = m;
        }

        if (Grid.IdxX == Grid.DimX - 1 && Group.IdxX == 0)
        {
            total[0] = before + counts[Grid.IdxX];
        }
    }

    /// <summary>Adam, a thread an element.</summary>
    [Kernel("4*7*M*D", "16*M*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void Adam<T>(
        ArrayView<T> parameter, ArrayView<T> gradient, ArrayView<T> firstMoment, ArrayView<T> secondMoment, AdamFactors factors)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < parameter.IntLength)
        {
            Update(i, parameter[i], gradient[i], parameter, firstMoment, secondMoment, factors);
        }
    }

    /// <summary>
    /// Adam on rows scaled to length 1, where asked with the gradient's part along the row removed; a group a row. Parameter and gradient
    /// are read twice, but the second time from the level-1 cache.
    /// </summary>
    [Kernel("4*7*M*D", "24*M*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void AdamByRows<T>(
        ArrayView<T> parameter,
        ArrayView<T> gradient,
        ArrayView<T> firstMoment,
        ArrayView<T> secondMoment,
        int columns,
        int unitRows,
        int project,
        AdamFactors factors)
        where T : unmanaged, IFloats<T>
    {
        var first = Grid.IdxX * columns;
        double squares = 0, dot = 0;
        for (var i = first + Group.IdxX; i < first + columns; i += Group.DimX)
        {
            var value = parameter[i];
            squares = value.Dot(value, squares);
            dot = value.Dot(gradient[i], dot);
        }

        squares = Reductions.GroupSum(squares);
        dot = Reductions.GroupSum(dot);
        var scale = unitRows != 0 && squares > 0 ? 1 / Math.Sqrt(squares) : 1;
        // The projected gradient is g − along·p.
        var along = project != 0 ? (float)(dot * scale) : 0;
        for (var i = first + Group.IdxX; i < first + columns; i += Group.DimX)
        {
            var (value, change) = (parameter[i], gradient[i]);
            var unit = value.ShiftAndScale(0, scale);
            Update(i, unit, change.AddScaled(-along, unit), parameter, firstMoment, secondMoment, factors);
        }
    }

    private static void Update<T>(
        int i, T value, T gradient, ArrayView<T> parameter, ArrayView<T> firstMoment, ArrayView<T> secondMoment, AdamFactors factors)
        where T : unmanaged, IFloats<T>
    {
        gradient = gradient.Scale(factors.Scale);
        var (first, second) = (firstMoment[i], secondMoment[i]);
        first = first.Scale(factors.Beta1).AddScaled(factors.Rest1, gradient);
        second = second.Scale(factors.Beta2).AddScaled(factors.Rest2, gradient.Multiply(gradient));
        var denominator = second.Sqrt().Scale(factors.Root).Add(factors.Epsilon);
        firstMoment[i] = first.FlushBelow(SmallestMoment);
        secondMoment[i] = second.FlushBelow(SmallestMoment);
        parameter[i] = value.AddScaled(-factors.Rate, first.Divide(denominator));
    }
}
