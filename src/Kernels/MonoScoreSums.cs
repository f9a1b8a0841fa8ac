namespace MonoLoss.Kernels;

/// <summary>
/// What MonoScore of a dataset needs to know of each latent: a = (z − min)/(max − min + ε) is affine in z, so sums of z do.
/// </summary>
public sealed class MonoScoreSums : IDisposable
{
    /// <summary>Sums over no rows yet.</summary>
    /// <param name="device">Where to keep them.</param>
    /// <param name="latents">M.</param>
    /// <param name="dimension">D.</param>
    public MonoScoreSums(Device device, int latents, int dimension)
    {
        (Latents, Dimension) = (latents, dimension);
        Sum = device.Allocate<double>(latents);
        SumSquares = device.Allocate<double>(latents);
        Minimum = device.Allocate<float>(latents);
        Maximum = device.Allocate<float>(latents);
        Nonzeros = device.Allocate<long>(latents);
        Fired = device.Allocate<long>(latents);
        MinimumTies = device.Allocate<long>(latents);
        MaximumTies = device.Allocate<long>(latents);
        WeightedUnitRows = device.Allocate<double>((long)latents * dimension);
        UnitRowSum = device.Allocate<double>(dimension);
    }

    /// <summary>M.</summary>
    public int Latents { get; }

    /// <summary>D.</summary>
    public int Dimension { get; }

    /// <summary>Rows so far.</summary>
    public long Rows { get; internal set; }

    /// <summary>Σ z.</summary>
    public DeviceArray<double> Sum { get; }

    /// <summary>Σ z².</summary>
    public DeviceArray<double> SumSquares { get; }

    /// <summary>The smallest stored z (not stored ones are 0 and count through <see cref="Nonzeros"/>).</summary>
    public DeviceArray<float> Minimum { get; }

    /// <summary>The largest stored z.</summary>
    public DeviceArray<float> Maximum { get; }

    /// <summary>How many z are stored.</summary>
    public DeviceArray<long> Nonzeros { get; }

    /// <summary>How many z are positive.</summary>
    public DeviceArray<long> Fired { get; }

    /// <summary>How many stored z equal <see cref="Minimum"/>.</summary>
    public DeviceArray<long> MinimumTies { get; }

    /// <summary>How many stored z equal <see cref="Maximum"/>.</summary>
    public DeviceArray<long> MaximumTies { get; }

    /// <summary>Σ z·p, M×D.</summary>
    public DeviceArray<double> WeightedUnitRows { get; }

    /// <summary>Σ p over all rows, D.</summary>
    public DeviceArray<double> UnitRowSum { get; }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        Rows = 0;
        Sum.Clear();
        SumSquares.Clear();
        Minimum.Clear();
        Maximum.Clear();
        Nonzeros.Clear();
        Fired.Clear();
        MinimumTies.Clear();
        MaximumTies.Clear();
        WeightedUnitRows.Clear();
        UnitRowSum.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Sum.Dispose();
        SumSquares.Dispose();
        Minimum.Dispose();
        Maximum.Dispose();
        Nonzeros.Dispose();
        Fired.Dispose();
        MinimumTies.Dispose();
        MaximumTies.Dispose();
        WeightedUnitRows.Dispose();
        UnitRowSum.Dispose();
    }
}
