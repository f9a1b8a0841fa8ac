using System.Diagnostics;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Measures the speed of a run and estimates the time left, without the time of evaluations and checkpoints.</summary>
/// <param name="plan">The run.</param>
internal sealed class Throughput(TrainingPlan plan)
{
    // Each update multiplies the weight of earlier measurements by this, so that changes of speed show.
    private const double Decay = 0.8;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _step = plan.FirstStep;
    private double _recentSteps;
    private double _recentSeconds;

    /// <summary>Training rows per second; 0 before the first update.</summary>
    public double SamplesPerSecond => _recentSeconds > 0 ? plan.Training.BatchSize * _recentSteps / _recentSeconds : 0;

    /// <summary>Estimated seconds until the last step.</summary>
    public double SecondsLeft =>
        _recentSteps > 0 ? _recentSeconds / _recentSteps * ((plan.StepsPerEpoch * plan.Training.Epochs) - _step) : 0;

    /// <summary>Records that the run has reached a step.</summary>
    public void Update(long step)
    {
        _recentSteps = (Decay * _recentSteps) + (step - _step);
        _recentSeconds = (Decay * _recentSeconds) + _clock.Elapsed.TotalSeconds;
        _step = step;
        _clock.Restart();
    }

    /// <summary>Discards the time since the last update, which was not spent on steps.</summary>
    public void Pause() => _clock.Restart();
}
