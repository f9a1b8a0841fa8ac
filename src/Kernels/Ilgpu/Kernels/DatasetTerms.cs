using ILGPU;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary><see cref="MonoScoreSums"/> as a GPU sees them.</summary>
/// <typeparam name="TSums">One float64, or four.</typeparam>
internal struct DatasetSums<TSums>
    where TSums : unmanaged
{
    public ArrayView<double> Sum;
    public ArrayView<double> SumSquares;
    public ArrayView<float> Minimum;
    public ArrayView<float> Maximum;
    public ArrayView<long> Nonzeros;
    public ArrayView<long> Fired;
    public ArrayView<long> MinimumTies;
    public ArrayView<long> MaximumTies;
    public ArrayView<TSums> WeightedUnitRows;
    public ArrayView<TSums> UnitRowSum;
    public long Rows;
}

/// <summary>The terms of one latent's dataset score: METHOD "MonoScore and MonoLoss", u, v and num/den.</summary>
internal struct DatasetTerms
{
    public double Minimum;
    public double Maximum;
    public double Range;
    public double U;
    public double V;
    public double PairWeight;

    /// <summary>The terms of latent <paramref name="m"/>.</summary>
    public static DatasetTerms Of<TSums>(DatasetSums<TSums> sums, int m)
        where TSums : unmanaged
    {
        double minimum = sums.Minimum[m], maximum = sums.Maximum[m];
        if (sums.Nonzeros[m] < sums.Rows)
        {
            // Rows that store nothing have z = 0.
            minimum = sums.Nonzeros[m] == 0 ? 0 : Math.Min(minimum, 0);
            maximum = sums.Nonzeros[m] == 0 ? 0 : Math.Max(maximum, 0);
        }

        var range = maximum - minimum + MonoVisit.RangeEpsilon;
        var u = (sums.Sum[m] - (sums.Rows * minimum)) / range;
        var v = (sums.SumSquares[m] - (2 * minimum * sums.Sum[m]) + (sums.Rows * minimum * minimum)) / (range * range);
        return new DatasetTerms
        {
            Minimum = minimum,
            Maximum = maximum,
            Range = range,
            U = u,
            V = v,
            PairWeight = maximum > minimum ? ((u * u) - v) / 2 : 0,
        };
    }

    /// <summary>The score.</summary>
    /// <param name="squares">‖w‖².</param>
    public readonly double ScoreOf(double squares) => PairWeight > MonoVisit.SmallestPairWeight
        ? (squares - V) / 2 / (PairWeight + CpuDevice.DatasetAddend)
        : 0;
}
