namespace MonoLoss.Kernels;

/// <summary>One latent's entries of <see cref="MonoScoreSums"/>, and what follows from them on any device.</summary>
internal struct LatentSums
{
    /// <summary>Σ z.</summary>
    public double Sum;

    /// <summary>Σ z².</summary>
    public double SumSquares;

    /// <summary>The smallest stored z.</summary>
    public float StoredMinimum;

    /// <summary>The largest stored z.</summary>
    public float StoredMaximum;

    /// <summary>The number of stored z that equal <see cref="StoredMinimum"/>.</summary>
    public long MinimumTies;

    /// <summary>The number of stored z that equal <see cref="StoredMaximum"/>.</summary>
    public long MaximumTies;

    /// <summary>The number of stored z.</summary>
    public long Nonzeros;

    /// <summary>The number of rows.</summary>
    public long Rows;

    /// <summary>min z; z is 0 in rows that store nothing.</summary>
    public readonly float Minimum =>
        Nonzeros == 0 ? 0f : Nonzeros < Rows ? Math.Min(StoredMinimum, 0f) : StoredMinimum;

    /// <summary>max z.</summary>
    public readonly float Maximum =>
        Nonzeros == 0 ? 0f : Nonzeros < Rows ? Math.Max(StoredMaximum, 0f) : StoredMaximum;

    /// <summary>The number of rows that attain min z and share its gradient.</summary>
    public readonly long RowsAtMinimum => RowsAt(Minimum, StoredMinimum, MinimumTies);

    /// <summary>The number of rows that attain max z and share its gradient.</summary>
    public readonly long RowsAtMaximum => RowsAt(Maximum, StoredMaximum, MaximumTies);

    /// <summary>The terms of the latent's score over all rows.</summary>
    public readonly MonoScore Terms() => MonoScore.OfDataset(Sum, SumSquares, Minimum, Maximum, Rows);

    private readonly long RowsAt(float extreme, float stored, long ties)
    {
        var rows = extreme == stored ? ties : 0;
        return extreme == 0 ? rows + Rows - Nonzeros : rows;
    }
}
