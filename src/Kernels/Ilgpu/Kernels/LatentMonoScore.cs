using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// What MonoScore of one latent over a batch is made of, by the names of <see cref="MonoVisit"/>: a = (z − min)·perRange, u = Σ a,
/// pairWeight = (u² − Σ a²)/2.
/// </summary>
/// <remarks>
/// Sums are float64: a latent that fires once then leaves a pairWeight of 0, or of 1e-16 where the compiler fuses u·u − v, which is not
/// active either way.
/// </remarks>
internal struct MonoTerms
{
    public double PerRange;
    public double U;

    /// <summary>What each row paired with itself has put into ‖w‖².</summary>
    public double SelfTerms;

    public double PairWeight;

    /// <summary>The score; 0 where the latent is not active.</summary>
    public double Score;

    /// <summary>w · Σ of all rows' directions.</summary>
    public double Along;

    public float Minimum;

    /// <summary>
    /// Among nonzeros by column the first that attains the minimum; the number of no entry if the first row that does stores none.
    /// </summary>
    public int FirstMinimum;

    /// <summary>Among nonzeros by column the first that attains the maximum.</summary>
    public int FirstMaximum;

    public readonly bool IsActive => PairWeight > MonoVisit.SmallestPairWeight;

    /// <summary>
    /// ‖w‖² holds each row paired with itself: what is taken off is what rounding has put in. A row of zeros has no direction, and the
    /// formula takes its a² off all the same.
    /// </summary>
    public static double SelfWeight(double a, float weight, double norm) => norm > CpuDevice.SmallestNorm ? weight * norm : a;

    /// <summary>The score of an active latent.</summary>
    /// <param name="squares">‖w‖².</param>
    public readonly double ScoreOf(double squares) => (squares - SelfTerms) / 2 / (PairWeight + MonoVisit.BatchAddend);

    /// <summary>factor·∂score/∂z at an entry.</summary>
    /// <param name="j">Its number by column.</param>
    /// <param name="z">Its value.</param>
    /// <param name="weight">a/‖x‖, rounded.</param>
    /// <param name="dot">w·x.</param>
    /// <param name="norm">‖x‖.</param>
    /// <param name="rows">B.</param>
    /// <param name="factor">A factor.</param>
    public readonly double Gradient(int j, float z, float weight, float dot, double norm, int rows, double factor)
    {
        var a = ((double)z - Minimum) * PerRange;
        var g = (dot / norm) - SelfWeight(a, weight, norm) - (Score * (U - a));
        var extreme = 2 * Score * MonoVisit.BatchAddend;
        g -= j == FirstMaximum ? extreme : 0;
        g += j == FirstMinimum ? extreme - (Along - U - (Score * (rows - 1) * U)) : 0;
        return g * factor * PerRange / (PairWeight + MonoVisit.BatchAddend);
    }
}
