using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>MonoScore in one pass over a stream, (‖Σ a·p‖² − Σ a²)/((Σ a)² − Σ a²), in memory of one size.</summary>
/// <param name="device">Where to.</param>
/// <param name="sizes">Rows per batch, features, latents and active latents.</param>
internal sealed class LinearScorer(Device device, WorkSizes sizes) : IDisposable
{
    private readonly SampleStream _samples = new(device, sizes);
    private readonly MonoScoreSums _sums = new(device, sizes.Latents, sizes.Features);
    private readonly DeviceArray<double> _norms = device.Allocate<double>(sizes.Rows);
    private readonly DeviceArray<double> _scores = device.Allocate<double>(sizes.Latents);

    /// <summary>The scores of the first samples of the stream.</summary>
    /// <param name="count">How many samples, a multiple of the rows per batch.</param>
    /// <param name="seconds">What the scores took, without the drawing.</param>
    public double[] Score(int count, out double seconds)
    {
        _samples.Restart();
        _sums.Clear();
        seconds = 0;
        for (var row = 0; row < count; row += sizes.Rows)
        {
            _samples.Next();
            seconds += Timing.Seconds(device, AddBatch);
        }

        seconds += Timing.Seconds(device, () => device.FinishMonoScore(_sums, _scores));
        return _scores.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _samples.Dispose();
        _sums.Dispose();
        _norms.Dispose();
        _scores.Dispose();
    }

    private void AddBatch()
    {
        device.RowNorms(_samples.X, _norms);
        device.BuildColumnIndex(_samples.Latents);
        device.AccumulateMonoScore(_samples.Latents, _samples.X, _norms, _sums);
    }
}
