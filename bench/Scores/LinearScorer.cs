using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>MonoScore in one pass over a stream, (‖Σ a·p‖² − Σ a²)/((Σ a)² − Σ a²), in constant memory.</summary>
/// <param name="device">The device to compute on.</param>
/// <param name="sizes">Rows per batch, features, latents and active latents.</param>
internal sealed class LinearScorer(Device device, WorkSizes sizes) : IDisposable
{
    private readonly SampleStream _samples = new(device, sizes);
    private readonly MonoScoreAccumulator _scores = new(device, sizes.Latents, sizes.Features);

    /// <summary>Computes the scores over the first samples of the stream.</summary>
    /// <param name="count">Number of samples, a multiple of the rows per batch.</param>
    /// <param name="seconds">The time for the scores, without drawing the samples.</param>
    public double[] Score(int count, out double seconds)
    {
        _samples.Restart();
        _scores.Clear();
        seconds = 0;
        for (var row = 0; row < count; row += sizes.Rows)
        {
            _samples.Next();
            seconds += Timing.Seconds(device, () => _scores.Add(_samples.Latents, _samples.X));
        }

        double[] scores = [];
        seconds += Timing.Seconds(device, () => scores = _scores.Scores());
        return scores;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _samples.Dispose();
        _scores.Dispose();
    }
}
