using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>The factors of one step of Adam.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="OneMinusBeta1">1 − β₁.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="OneMinusBeta2">1 − β₂.</param>
/// <param name="StepSize">α/(1 − β₁ᵗ).</param>
/// <param name="InvSqrtBiasCorrection2">1/√(1 − β₂ᵗ).</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="RelativeDecay">What decays, of the parameter, relative to the step's size; 0 without weight decay.</param>
internal readonly record struct AdamFactors(
    float Beta1,
    float OneMinusBeta1,
    float Beta2,
    float OneMinusBeta2,
    float StepSize,
    float InvSqrtBiasCorrection2,
    float Epsilon,
    float RelativeDecay);

/// <summary>The optimizer.</summary>
internal static class OptimizerKernels
{
    // Moments of latents that stay dead decay for ever; below this they are 0, as on the cpu device.
    private const float SmallestMoment = 1.1754944e-38f;

    /// <summary>factor[0] = min(1, maxNorm/(√squares[0] + epsilon)), NaN where the squares are; one thread.</summary>
    [Kernel("12")]
    public static void ClipFactor(ArrayView<double> squares, double maxNorm, double epsilon, ArrayView<float> factor)
    {
        var scale = maxNorm / (Math.Sqrt(squares[0]) + epsilon);
        factor[0] = scale > 1 ? 1f : (float)scale;
    }

    /// <summary>Adam, one thread per element. The gradient is first multiplied by gradientScale[0], unless that is empty.</summary>
    [Kernel("4*7*M*D", "18*M*D")]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void Adam<T>(
        ArrayView<T> parameter,
        ArrayView<T> gradient,
        ArrayView<T> firstMoment,
        ArrayView<T> secondMoment,
        ArrayView<float> gradientScale,
        AdamFactors factors)
        where T : unmanaged, IFloats<T>
    {
        var i = Grid.GlobalIndex.X;
        if (i < parameter.IntLength)
        {
            var change = gradient[i];
            change = change.Scale(ScaleOf(gradientScale));
            Update(i, parameter[i], change, parameter, firstMoment, secondMoment, factors);
        }
    }

    /// <summary>
    /// Adam, with rows first scaled to length 1 and the gradient's part along the row removed if requested; one group per row. Parameter
    /// and gradient are read twice, the second time from the level-1 cache.
    /// </summary>
    [Kernel("4*7*M*D", "26*M*D")]
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
        ArrayView<float> gradientScale,
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
            change = change.AddScaled(-along, unit).Scale(ScaleOf(gradientScale));
            Update(i, unit, change, parameter, firstMoment, secondMoment, factors);
        }
    }

    private static float ScaleOf(ArrayView<float> gradientScale) => gradientScale.IntLength > 0 ? gradientScale[0] : 1f;

    private static void Update<T>(
        int i, T value, T gradient, ArrayView<T> parameter, ArrayView<T> firstMoment, ArrayView<T> secondMoment, AdamFactors factors)
        where T : unmanaged, IFloats<T>
    {
        var (first, second) = (firstMoment[i], secondMoment[i]);
        first = first.Scale(factors.Beta1).AddScaled(factors.OneMinusBeta1, gradient);
        second = second.Scale(factors.Beta2).AddScaled(factors.OneMinusBeta2, gradient.Multiply(gradient));
        var denominator = second.Sqrt().Scale(factors.InvSqrtBiasCorrection2).Add(factors.Epsilon);
        firstMoment[i] = first.FlushBelow(SmallestMoment);
        secondMoment[i] = second.FlushBelow(SmallestMoment);
        parameter[i] = value.AddScaled(-factors.StepSize, first.Divide(denominator).AddScaled(factors.RelativeDecay, value));
    }
}
