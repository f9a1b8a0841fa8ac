using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// MonoScore of every latent over a whole dataset, batch by batch: one pass, O(N) time, and memory that does not depend on the number of
/// rows. The formula is that of <see cref="Device.FinishMonoScore"/>.
/// </summary>
public sealed class MonoScoreAccumulator : IDisposable
{
    private readonly Device _device;

    /// <summary>Starts without rows.</summary>
    /// <param name="device">The device to compute on.</param>
    /// <param name="latents">M.</param>
    /// <param name="dimension">D, the number of features of the compared rows.</param>
    public MonoScoreAccumulator(Device device, int latents, int dimension)
    {
        _device = device;
        Sums = new MonoScoreSums(device, latents, dimension);
        Norms = device.Allocate<double>(0);
        DeviceScores = device.Allocate<double>(latents);
    }

    /// <summary>The sums over all batches added since <see cref="Clear"/>.</summary>
    public MonoScoreSums Sums { get; }

    /// <summary>The lengths of the rows of the last batch added.</summary>
    internal DeviceArray<double> Norms { get; }

    /// <summary>The last <see cref="Scores"/>, on the device.</summary>
    internal DeviceArray<double> DeviceScores { get; }

    /// <summary>Starts again without rows.</summary>
    public void Clear() => Sums.Clear();

    /// <summary>Adds a batch.</summary>
    /// <param name="latents">The activations, B×M, of any sign.</param>
    /// <param name="x">The rows whose directions are compared, B×D.</param>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public void Add(CsrMatrix latents, Tensor x)
    {
        _device.RowNorms(x, Norms);
        _device.BuildColumnIndex(latents);
        _device.AccumulateMonoScore(latents, x, Norms, Sums);
    }

    /// <summary>The score of every latent over all rows.</summary>
    /// <param name="undefined">The score of a latent that is constant or has no pair of active rows.</param>
    public double[] Scores(double undefined = 0)
    {
        _device.FinishMonoScore(Sums, DeviceScores);
        var scores = DeviceScores.ToArray();
        if (undefined != 0)
        {
            var defined = Sums.Defined();
            for (var m = 0; m < scores.Length; m++)
            {
                scores[m] = defined[m] ? scores[m] : undefined;
            }
        }

        return scores;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Sums.Dispose();
        Norms.Dispose();
        DeviceScores.Dispose();
    }
}
