using System.Diagnostics;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>How fast a run is and how long it will take, from the steps of its own time: evaluations and checkpoints do not count.</summary>
/// <param name="plan">The run.</param>
internal sealed class TrainingPace(TrainingPlan plan)
{
    // Where the old pace has lost this much of its weight, what changed meanwhile shows.
    private const double Memory = 0.7;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _step = plan.FirstStep;
    private double _secondsPerStep;

    /// <summary>Rows a second.</summary>
    public double SamplesPerSecond => _secondsPerStep > 0 ? plan.Training.BatchSize / _secondsPerStep : 0;

    /// <summary>Seconds until the last step.</summary>
    public double SecondsLeft => _secondsPerStep * ((plan.StepsPerEpoch * plan.Training.Epochs) - _step);

    /// <summary>Notes how far the run is.</summary>
    public void Update(long step)
    {
        if (step > _step)
        {
            var now = _clock.Elapsed.TotalSeconds / (step - _step);
            _secondsPerStep = _secondsPerStep > 0 ? (Memory * _secondsPerStep) + ((1 - Memory) * now) : now;
            _step = step;
            _clock.Restart();
        }
    }

    /// <summary>Leaves out the time since the last update: it was not spent on steps.</summary>
    public void Pause() => _clock.Restart();
}
