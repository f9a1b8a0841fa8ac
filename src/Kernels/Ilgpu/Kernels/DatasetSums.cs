using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary><see cref="MonoScoreSums"/> as the kernels see them.</summary>
/// <typeparam name="TSums">The unit of M×D and 1×D arrays: one float64, or four.</typeparam>
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

    /// <summary>The sums of latent <paramref name="m"/>.</summary>
    public readonly LatentSums Of(int m) => new()
    {
        Sum = Sum[m],
        SumSquares = SumSquares[m],
        StoredMinimum = Minimum[m],
        StoredMaximum = Maximum[m],
        MinimumTies = MinimumTies[m],
        MaximumTies = MaximumTies[m],
        Nonzeros = Nonzeros[m],
        Rows = Rows,
    };
}
