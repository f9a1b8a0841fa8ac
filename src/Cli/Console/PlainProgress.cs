using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Progress as plain lines, for files and pipes.</summary>
/// <param name="context">Where to.</param>
/// <param name="logEvery">Steps between lines; 0 for none; null for ten an epoch.</param>
internal sealed class TrainingLog(Context context, int? logEvery) : ITrainingObserver
{
    private const int LinesPerEpoch = 10;

    private TrainingPlan? _plan;
    private TrainingPace? _pace;
    private long _every;

    /// <inheritdoc/>
    public void Started(TrainingPlan plan)
    {
        (_plan, _pace) = (plan, new TrainingPace(plan));
        _every = logEvery ?? (plan.StepsPerEpoch + LinesPerEpoch - 1) / LinesPerEpoch;
        foreach (var line in TrainingText.Describe(plan))
        {
            context.WriteLine(line);
        }
    }

    /// <inheritdoc/>
    public void Stepped(in StepMetrics metrics)
    {
        if (_every == 0 || metrics.Step % _every != 0)
        {
            return;
        }

        _pace!.Update(metrics.Step);
        context.WriteLine($"{TrainingText.Epoch(metrics.Epoch, _plan!.Training.Epochs)}  step {metrics.Step}  "
            + $"{TrainingText.Figures(metrics, _plan.Model.MonoCoefficient > 0)}  "
            + $"{TrainingText.Format(_pace.SamplesPerSecond)} samples/s  {TrainingText.Duration(_pace.SecondsLeft)} left");
    }

    /// <inheritdoc/>
    public void Evaluating(string split, long rows, long total)
    {
    }

    /// <inheritdoc/>
    public void Evaluated(EvaluationRow row)
    {
        if (_every > 0)
        {
            context.WriteLine($"{TrainingText.Epoch(row.Epoch, _plan!.Training.Epochs)}  {TrainingText.Figures(row)}");
        }

        _pace!.Pause();
    }

    /// <inheritdoc/>
    public void Saved(long step) => _pace!.Pause();
}
