using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Progress as plain lines, for redirected output.</summary>
/// <param name="context">The console.</param>
/// <param name="logEvery">Steps between lines; 0 for none; null for ten lines per epoch.</param>
/// <param name="notices">What is to be said when the run begins.</param>
internal sealed class PlainProgress(CliContext context, int? logEvery, IReadOnlyList<string> notices) : ITrainingObserver
{
    private const int LinesPerEpoch = 10;

    private TrainingPlan? _plan;
    private Throughput? _throughput;
    private long _every;

    /// <inheritdoc/>
    public void Started(TrainingPlan plan)
    {
        (_plan, _throughput) = (plan, new Throughput(plan));
        _every = logEvery ?? (plan.StepsPerEpoch + LinesPerEpoch - 1) / LinesPerEpoch;
        foreach (var line in ProgressFormat.Describe(plan))
        {
            context.WriteLine(line);
        }

        context.Notice(notices);
    }

    /// <inheritdoc/>
    public void Noticed(string notice) => context.Notice([notice]);

    /// <inheritdoc/>
    public void Stepped(in StepMetrics metrics)
    {
        if (_every == 0 || metrics.Step % _every != 0)
        {
            return;
        }

        _throughput!.Update(metrics.Step);
        context.WriteLine($"{ProgressFormat.Epoch(metrics.Epoch, _plan!.Training.Epochs)}  step {metrics.Step}  "
            + $"{ProgressFormat.Figures(metrics, _plan.Model.MonoCoefficient > 0)}  "
            + $"{ProgressFormat.Format(_throughput.SamplesPerSecond)} samples/s  {ProgressFormat.Duration(_throughput.SecondsLeft)} left");
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

        _throughput!.Pause();
    }

    /// <inheritdoc/>
    public void NothingFires(int steps) => Noticed(ProgressFormat.NothingFires(_plan!.Model, steps));

    /// <inheritdoc/>
    public void Saved(long step) => _throughput!.Pause();
}
