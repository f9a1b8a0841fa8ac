using System.Runtime.CompilerServices;

namespace MonoLoss.Kernels;

/// <summary>
/// MonoScore of one latent: definition, closed form and gradient (arXiv 2602.12403). Every device computes them by these methods.
/// <code>
///   rows i = 1 … B of a batch or of a dataset, with activations z_i and unit rows p_i = x_i/max(‖x_i‖, 1e-8)
///
///   a_i   = (z_i − min z)/r,   r = max z − min z + ε               activations scaled to [0, 1)
///
///   score = Σ_{i&lt;j} a_i·a_j·(p_i·p_j) / (Σ_{i&lt;j} a_i·a_j + δ)       definition, O(B²): the weighted mean cosine of all pairs
///
///   u     = Σ a_i,   v = Σ a_i²,   w = Σ a_i·p_i
///   num   = (‖w‖² − v)/2                                           = Σ_{i&lt;j} a_i·a_j·(p_i·p_j) where every ‖p_i‖ = 1
///   den   = (u² − v)/2                                             = Σ_{i&lt;j} a_i·a_j
///   score = num/(den + δ)                                          closed form, O(B); 0 where den ≤ 1e-8
///
///   ∂score/∂z_i = [(w·p_i − a_i) − score·(u − a_i)]·c,   c = 1/(r·(den + δ))
///               + [i attains the maximum]·(−2·δ·score·c)
///               + [i attains the minimum]·(−[(w·P − u) − score·(B − 1)·u]·c + 2·δ·score·c),   P = Σ p_i
/// </code>
/// MonoLoss is 1 − the mean score over the active latents, those with den > 1e-8; so ∂MonoLoss/∂z_i = −(1/#active)·∂score/∂z_i.
/// In a batch only the first row that attains an extreme gets its bracketed term; in a dataset all rows that attain it share it equally.
/// </summary>
/// <remarks>
/// Sums are float64, and a latent's u and v come from the same a_i. Otherwise rounding gives a latent that fires in a single row a
/// den of about 1e-8 instead of 0, and it counts as active with an arbitrary score.
/// </remarks>
public struct MonoScore
{
    /// <summary>ε: keeps the scaled activations of a constant latent finite.</summary>
    public const double RangeEpsilon = 1e-8;

    /// <summary>The den above which a latent is active: below it, no pair of rows carries weight.</summary>
    public const double SmallestPairWeight = 1e-8;

    /// <summary>δ of the score over a batch, and so of MonoLoss.</summary>
    public const double BatchDelta = 1e-8;

    /// <summary>δ of the score over a dataset.</summary>
    public const double DatasetDelta = 1e-12;

    /// <summary>The least ‖x‖ that a row is divided by. A row of zeros stays zero and is similar to no other.</summary>
    public const double SmallestNorm = 1e-8;

    /// <summary>1/r.</summary>
    public readonly double PerRange;

    /// <summary>u = Σ a.</summary>
    public readonly double U;

    /// <summary>den = (u² − v)/2.</summary>
    public readonly double PairWeight;

    /// <summary>δ.</summary>
    public readonly double Delta;

    /// <summary>
    /// What each row paired with itself adds to ‖w‖², Σ a²·‖p‖². It equals v, except where w is a sum of rounded products: there it is the
    /// sum of the squares that rounding made of them (<see cref="SelfTerm"/>), so that num keeps no part of them.
    /// </summary>
    public double SelfTerms;

    /// <summary>min z.</summary>
    public readonly float Minimum;

    /// <summary>The terms of one latent.</summary>
    /// <param name="minimum">min z.</param>
    /// <param name="perRange">1/r (<see cref="ReciprocalRange"/>).</param>
    /// <param name="u">Σ a.</param>
    /// <param name="v">Σ a².</param>
    /// <param name="selfTerms">See <see cref="SelfTerms"/>.</param>
    /// <param name="delta"><see cref="BatchDelta"/> or <see cref="DatasetDelta"/>.</param>
    public MonoScore(float minimum, double perRange, double u, double v, double selfTerms, double delta)
    {
        Minimum = minimum;
        PerRange = perRange;
        U = u;
        PairWeight = ((u * u) - v) / 2;
        SelfTerms = selfTerms;
        Delta = delta;
    }

    /// <summary>Whether pairs of rows carry any weight. The score of a latent that is not active is 0 and has no gradient.</summary>
    public readonly bool IsActive => PairWeight > SmallestPairWeight;

    /// <summary>The terms over a dataset, from sums over z: a is affine in z, so one pass is enough.</summary>
    /// <param name="sum">Σ z.</param>
    /// <param name="sumSquares">Σ z².</param>
    /// <param name="minimum">min z.</param>
    /// <param name="maximum">max z.</param>
    /// <param name="rows">The number of rows.</param>
    public static MonoScore OfDataset(double sum, double sumSquares, float minimum, float maximum, long rows)
    {
        var perRange = ReciprocalRange(minimum, maximum);
        double lowest = minimum, u = 0, v = 0;
        if (maximum > minimum)
        {
            u = (sum - (rows * lowest)) * perRange;
            v = (sumSquares - (2 * lowest * sum) + (rows * lowest * lowest)) * perRange * perRange;
        }

        return new MonoScore(minimum, perRange, u, v, v, DatasetDelta);
    }

    /// <summary>1/r = 1/(max z − min z + ε).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double ReciprocalRange(float minimum, float maximum) => 1 / ((double)maximum - minimum + RangeEpsilon);

    /// <summary>a = (z − min z)/r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Scaled(float z, float minimum, double perRange) => ((double)z - minimum) * perRange;

    /// <summary>a = (z − min z)/r.</summary>
    /// <param name="z">z.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double Scaled(float z) => Scaled(z, Minimum, PerRange);

    /// <summary>
    /// a·‖p‖ of one row, where w is formed as Σ weight·x with weights a/‖x‖ in float32: the weight times ‖x‖ is a as rounded. A row of
    /// zeros has no direction, but the formula subtracts its a² all the same.
    /// </summary>
    /// <param name="a">The scaled activation.</param>
    /// <param name="weight">a/‖x‖, rounded.</param>
    /// <param name="norm">max(‖x‖, 1e-8).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SelfTerm(double a, float weight, double norm) => norm > SmallestNorm ? weight * norm : a;

    /// <summary>num/(den + δ), the score of an active latent.</summary>
    /// <param name="squaredLength">‖w‖².</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double Score(double squaredLength) => (squaredLength - SelfTerms) / 2 / (PairWeight + Delta);

    /// <summary>factor·c = factor/(r·(den + δ)), which every part of the gradient is multiplied by.</summary>
    /// <param name="factor">The derivative of the objective with respect to the score.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double GradientScale(double factor) => factor * PerRange / (PairWeight + Delta);

    /// <summary>[(w·p_i − a_i) − score·(u − a_i)]·scale, what every row gets.</summary>
    /// <param name="a">a_i.</param>
    /// <param name="wDotP">w·p_i.</param>
    /// <param name="self">a_i‖p_i‖², the part of w·p_i that is the row itself: a_i, or <see cref="SelfTerm"/>.</param>
    /// <param name="score">The score.</param>
    /// <param name="scale"><see cref="GradientScale"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double Gradient(double a, double wDotP, double self, double score, double scale) =>
        (wDotP - self - (score * (U - a))) * scale;

    /// <summary>−2·δ·score·scale, what goes through the maximum.</summary>
    /// <param name="score">The score.</param>
    /// <param name="scale"><see cref="GradientScale"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double GradientAtMaximum(double score, double scale) => -2 * score * Delta * scale;

    /// <summary>−[(w·P − u) − score·(rows − 1)·u]·scale + 2·δ·score·scale, what goes through the minimum.</summary>
    /// <param name="score">The score.</param>
    /// <param name="scale"><see cref="GradientScale"/>.</param>
    /// <param name="wDotSum">w·P.</param>
    /// <param name="rows">The number of rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly double GradientAtMinimum(double score, double scale, double wDotSum, long rows) =>
        (-(wDotSum - U - (score * (rows - 1) * U)) * scale) + (2 * score * Delta * scale);
}
