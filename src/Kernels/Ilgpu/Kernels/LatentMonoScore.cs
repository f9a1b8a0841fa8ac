namespace MonoLoss.Kernels.Ilgpu;

/// <summary>The <see cref="MonoScore"/> of one latent over a batch, as one kernel passes it to the next.</summary>
internal struct LatentMonoScore
{
    public MonoScore Terms;

    /// <summary>The score; 0 where the latent is not active.</summary>
    public double Score;

    /// <summary>w·P, P = Σ p over all rows.</summary>
    public double WDotSum;

    /// <summary>
    /// The index by column of the first nonzero that attains the minimum; <see cref="int.MaxValue"/> if the first row that attains it
    /// has no nonzero there.
    /// </summary>
    public int FirstMinimum;

    /// <summary>The index by column of the first nonzero that attains the maximum.</summary>
    public int FirstMaximum;

    public readonly bool IsActive => Terms.IsActive;

    /// <summary>factor·∂score/∂z at a nonzero.</summary>
    /// <param name="j">Its index by column.</param>
    /// <param name="z">Its value.</param>
    /// <param name="weight">a/‖x‖, rounded.</param>
    /// <param name="dot">w·x.</param>
    /// <param name="norm">max(‖x‖, 1e-8).</param>
    /// <param name="rows">B.</param>
    /// <param name="scale"><see cref="MonoScore.GradientScale"/> of the factor.</param>
    public readonly double Gradient(int j, float z, float weight, float dot, double norm, int rows, double scale)
    {
        var a = Terms.Scaled(z);
        var g = Terms.Gradient(a, dot / norm, MonoScore.SelfTerm(a, weight, norm), Score, scale);
        g += j == FirstMaximum ? Terms.GradientAtMaximum(Score, scale) : 0.0;
        g += j == FirstMinimum ? Terms.GradientAtMinimum(Score, scale, WDotSum, rows) : 0.0;
        return g;
    }
}
