namespace MonoLoss.Kernels;

/// <summary>The settings of one step of Adam or AdamW for one parameter.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="LearningRate">α, the learning rate.</param>
/// <param name="Beta1">β₁, the decay of the first moment.</param>
/// <param name="Beta2">β₂, the decay of the second moment.</param>
/// <param name="Epsilon">ε, added to the root of the second moment.</param>
/// <param name="WeightDecay">
/// λ of AdamW (Loshchilov &amp; Hutter 2019, arXiv 1711.05101): the parameter also shrinks by α·λ times itself; 0 for Adam.
/// </param>
/// <param name="UnitRows">Whether the parameter's rows are first scaled to unit length.</param>
/// <param name="Project">Whether the part of the gradient along the (scaled) row is removed.</param>
public readonly record struct AdamStep(
    long Step, float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, bool UnitRows, bool Project)
{
    /// <summary>α/(1 − β₁ᵗ).</summary>
    internal float StepSize => (float)(LearningRate / (1 - Math.Pow(Beta1, Step)));

    /// <summary>1/√(1 − β₂ᵗ).</summary>
    internal float RootCorrection => (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, Step)));

    /// <summary>
    /// α·λ/<see cref="StepSize"/>. A factor 1 − α·λ would be rounded to float32, and be 1 where α·λ is small; so what decays is added to
    /// the quotient of the moments instead, and the parameter is rounded once. 0 changes no bit.
    /// </summary>
    internal float RelativeDecay => (float)(WeightDecay * (1 - Math.Pow(Beta1, Step)));
}
