using System.Diagnostics;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>How fast a run is and how long it will take, from the steps of its own time: evaluations and checkpoints do not count.</summary>
/// <param name="plan">The run.</param>
internal sealed class Throughput(TrainingPlan plan)
{
    // What was measured before loses this part of its weight at every update, so that a change of pace shows.
    private const double Memory = 0.8;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _step = plan.FirstStep;
    private double _recentSteps;
    private double _recentSeconds;

    /// <summary>Rows a second.</summary>
    public double SamplesPerSecond => _recentSeconds > 0 ? plan.Training.BatchSize * _recentSteps / _recentSeconds : 0;

    /// <summary>Seconds until the last step.</summary>
    public double SecondsLeft =>
        _recentSteps > 0 ? _recentSeconds / _recentSteps * ((plan.StepsPerEpoch * plan.Training.Epochs) - _step) : 0;

    /// <summary>Notes how far the run is.</summary>
    public void Update(long step)
    {
        _recentSteps = (Memory * _recentSteps) + (step - _step);
        _recentSeconds = (Memory * _recentSeconds) + _clock.Elapsed.TotalSeconds;
        _step = step;
        _clock.Restart();
    }

    /// <summary>Leaves out the time since the last update: it was not spent on steps.</summary>
    public void Pause() => _clock.Restart();
}
