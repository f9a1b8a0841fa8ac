namespace MonoLoss.Kernels;

/// <summary>
/// The sums from which the <see cref="MonoScore"/> of every latent over a dataset follows: a is affine in z, so one pass over z is enough.
/// </summary>
public sealed class MonoScoreSums : IDisposable
{
    /// <summary>Allocates sums over no rows.</summary>
    /// <param name="device">The device that holds them.</param>
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

    /// <summary>The number of rows so far.</summary>
    public long Rows { get; internal set; }

    /// <summary>Σ z of each latent, M.</summary>
    public DeviceArray<double> Sum { get; }

    /// <summary>Σ z² of each latent, M.</summary>
    public DeviceArray<double> SumSquares { get; }

    /// <summary>The smallest stored z of each latent, M. Rows that store nothing have z = 0.</summary>
    public DeviceArray<float> Minimum { get; }

    /// <summary>The largest stored z of each latent, M.</summary>
    public DeviceArray<float> Maximum { get; }

    /// <summary>The number of stored z of each latent, M.</summary>
    public DeviceArray<long> Nonzeros { get; }

    /// <summary>The number of positive z of each latent, M.</summary>
    public DeviceArray<long> Fired { get; }

    /// <summary>The number of stored z that equal <see cref="Minimum"/>, M.</summary>
    public DeviceArray<long> MinimumTies { get; }

    /// <summary>The number of stored z that equal <see cref="Maximum"/>, M.</summary>
    public DeviceArray<long> MaximumTies { get; }

    /// <summary>Σ z·p of each latent, M×D.</summary>
    public DeviceArray<double> WeightedUnitRows { get; }

    /// <summary>P = Σ p over all rows, D.</summary>
    public DeviceArray<double> UnitRowSum { get; }

    /// <summary>Whether each latent has a score: it is not constant, and pairs of rows carry weight. Copies the sums to the host.</summary>
    public bool[] Defined()
    {
        var (sum, squares, minimum, maximum) = (Sum.ToArray(), SumSquares.ToArray(), Minimum.ToArray(), Maximum.ToArray());
        var (nonzeros, minimumTies, maximumTies) = (Nonzeros.ToArray(), MinimumTies.ToArray(), MaximumTies.ToArray());
        return [.. Enumerable.Range(0, Latents).Select(m => new LatentSums
        {
            Sum = sum[m],
            SumSquares = squares[m],
            StoredMinimum = minimum[m],
            StoredMaximum = maximum[m],
            MinimumTies = minimumTies[m],
            MaximumTies = maximumTies[m],
            Nonzeros = nonzeros[m],
            Rows = Rows,
        }.Terms().IsActive)];
    }

    /// <summary>Starts again with no rows.</summary>
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
