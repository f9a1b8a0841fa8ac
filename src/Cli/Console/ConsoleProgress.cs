using System.Diagnostics;
using MonoLoss.Models;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace MonoLoss.Cli;

/// <summary>
/// Progress on a terminal: a bar for the current epoch or evaluation, above it one line for each that is finished. The bar is redrawn a
/// few times per second.
/// </summary>
/// <param name="context">The terminal.</param>
/// <param name="notices">What is to be said when the run begins.</param>
internal sealed class ConsoleProgress(CliContext context, IReadOnlyList<string> notices) : ITrainingObserver
{
    private const int FullWidth = 120;

    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(150);

    private readonly Stopwatch _sinceDrawn = Stopwatch.StartNew();
    private ProgressTask? _task;
    private TrainingPlan? _plan;
    private Throughput? _throughput;
    private volatile string _figures = string.Empty;

    /// <summary>Whether the terminal is too narrow for the bar with all figures.</summary>
    private bool Narrow => context.Output.Profile.Width < FullWidth;

    /// <summary>Shows the bar while a function runs.</summary>
    /// <returns>The function's result.</returns>
    public T Show<T>(Func<T> action) => context.Output.Progress()
        .AutoClear(true)
        .HideCompleted(false)
        .Columns(
            new TaskDescriptionColumn { Alignment = Justify.Left },
            new ProgressBarColumn { Width = Narrow ? 10 : 24 },
            new FiguresColumn(this))
        .Start(progress =>
        {
            _task = progress.AddTask("opening", new ProgressTaskSettings { MaxValue = 1 });
            return action();
        });

    /// <inheritdoc/>
    public void Started(TrainingPlan plan)
    {
        (_plan, _throughput) = (plan, new Throughput(plan));
        foreach (var line in ProgressFormat.Describe(plan).Concat(notices))
        {
            context.Output.WriteLine(line);
        }

        _task!.MaxValue = plan.StepsPerEpoch;
    }

    /// <inheritdoc/>
    public void Noticed(string notice) => context.Output.WriteLine(notice);

    /// <inheritdoc/>
    public void Stepped(in StepMetrics metrics)
    {
        var inEpoch = metrics.Step - ((metrics.Epoch - 1) * _plan!.StepsPerEpoch);
        var last = inEpoch == _plan.StepsPerEpoch;
        if (!last && _sinceDrawn.Elapsed < RedrawEvery)
        {
            return;
        }

        _sinceDrawn.Restart();
        _throughput!.Update(metrics.Step);
        var epoch = ProgressFormat.Epoch(metrics.Epoch, _plan.Training.Epochs);
        var losses = ProgressFormat.Figures(metrics, _plan.Model.MonoCoefficient > 0);
        var figures = $"{losses}  {ProgressFormat.Format(_throughput.SamplesPerSecond)} samples/s";
        _figures = $"{(Narrow ? losses : figures)}  {ProgressFormat.Duration(_throughput.SecondsLeft)} left";
        Set(epoch, inEpoch, _plan.StepsPerEpoch);
        if (last)
        {
            context.Output.WriteLine($"{epoch}  {figures}");
        }
    }

    /// <inheritdoc/>
    public void Evaluating(string split, long rows, long total)
    {
        if (_sinceDrawn.Elapsed >= RedrawEvery)
        {
            _sinceDrawn.Restart();
            _figures = $"{ProgressFormat.Format(rows)} of {ProgressFormat.Format(total)} rows";
            Set($"evaluating {split}", rows, total);
        }
    }

    /// <inheritdoc/>
    public void Evaluated(EvaluationRow row)
    {
        context.Output.WriteLine($"{ProgressFormat.Epoch(row.Epoch, _plan!.Training.Epochs)}  {ProgressFormat.Figures(row)}");
        _throughput!.Pause();
    }

    /// <inheritdoc/>
    public void NothingFires(int steps) => Noticed(ProgressFormat.NothingFires(_plan!.Model, steps));

    /// <inheritdoc/>
    public void Saved(long step) => _throughput!.Pause();

    private void Set(string description, double value, double maximum)
    {
        _task!.Description = Markup.Escape(description);
        _task.MaxValue = maximum;
        _task.Value = value;
    }

    private sealed class FiguresColumn(ConsoleProgress progress) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(progress._figures);
    }
}
