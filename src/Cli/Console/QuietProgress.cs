using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>No progress: only what the user should know all the same.</summary>
/// <param name="context">The console.</param>
/// <param name="notices">What is to be said when the run begins.</param>
internal sealed class QuietProgress(CliContext context, IReadOnlyList<string> notices) : ITrainingObserver
{
    private TrainingPlan? _plan;

    /// <inheritdoc/>
    public void Started(TrainingPlan plan)
    {
        _plan = plan;
        context.Notice(notices);
    }

    /// <inheritdoc/>
    public void Noticed(string notice) => context.Notice([notice]);

    /// <inheritdoc/>
    public void Stepped(in StepMetrics metrics)
    {
    }

    /// <inheritdoc/>
    public void Evaluating(string split, long rows, long total)
    {
    }

    /// <inheritdoc/>
    public void Evaluated(EvaluationRow row)
    {
    }

    /// <inheritdoc/>
    public void NothingFires(int steps) => Noticed(ProgressFormat.NothingFires(_plan!.Model, steps));

    /// <inheritdoc/>
    public void Saved(long step)
    {
    }
}
