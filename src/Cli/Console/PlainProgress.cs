using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Progress as plain lines, for files and pipes.</summary>
/// <param name="context">Where to.</param>
/// <param name="logEvery">Steps between lines; 0 for none; null for ten an epoch.</param>
internal sealed class PlainProgress(CliContext context, int? logEvery) : ITrainingObserver
{
    private const int LinesPerEpoch = 10;

    private TrainingPlan? _plan;
    private Throughput? _pace;
    private long _every;

    /// <inheritdoc/>
    public void Started(TrainingPlan plan)
    {
        (_plan, _pace) = (plan, new Throughput(plan));
        _every = logEvery ?? (plan.StepsPerEpoch + LinesPerEpoch - 1) / LinesPerEpoch;
        foreach (var line in ProgressFormat.Describe(plan))
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
        context.WriteLine($"{ProgressFormat.Epoch(metrics.Epoch, _plan!.Training.Epochs)}  step {metrics.Step}  "
            + $"{ProgressFormat.Figures(metrics, _plan.Model.MonoCoefficient > 0)}  "
            + $"{ProgressFormat.Format(_pace.SamplesPerSecond)} samples/s  {ProgressFormat.Duration(_pace.SecondsLeft)} left");
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
            context.WriteLine($"{ProgressFormat.Epoch(row.Epoch, _plan!.Training.Epochs)}  {ProgressFormat.Figures(row)}");
        }

        _pace!.Pause();
    }

    /// <inheritdoc/>
    public void Saved(long step) => _pace!.Pause();
}
