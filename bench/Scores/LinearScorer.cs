using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>MonoScore in one pass over a stream, (‖Σ a·p‖² − Σ a²)/((Σ a)² − Σ a²), in constant memory.</summary>
/// <param name="device">The device to compute on.</param>
internal sealed class LinearScorer(Device device) : IDisposable
{
    /// <summary>Rows per batch.</summary>
    public const int Batch = 1024;

    private readonly SampleStream _samples = new(device, Batch);
    private readonly MonoScoreAccumulator _scores = new(device, Sizes.Latents, Sizes.Features);

    /// <summary>The scores of the first samples of the stream.</summary>
    /// <param name="count">Number of samples, a multiple of <see cref="Batch"/>.</param>
    /// <param name="seconds">Seconds for the scores, without drawing the samples.</param>
    public double[] Score(int count, out double seconds)
    {
        _samples.Restart();
        _scores.Clear();
        seconds = 0;
        for (var row = 0; row < count; row += Batch)
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
