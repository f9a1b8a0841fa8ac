using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Runs a trainer with progress on the console, and a table and a report at the end.</summary>
internal static class TrainingSession
{
    /// <summary>Trains, prints the final table and writes the report.</summary>
    /// <param name="context">The console.</param>
    /// <param name="device">The device to train on.</param>
    /// <param name="options">How to train.</param>
    /// <param name="configure">The model's configuration, given the number of features.</param>
    /// <param name="quiet">Whether to print only the final table.</param>
    /// <param name="logEvery">Steps between lines of progress if output is redirected; 0 for none; null for ten lines per epoch.</param>
    /// <param name="notices">What the user should know once nothing was refused; null for nothing.</param>
    /// <returns>The exit code.</returns>
    public static int Run(
        CliContext context,
        Device device,
        TrainingOptions options,
        Func<int, SaeConfig> configure,
        bool quiet,
        int? logEvery,
        IReadOnlyList<string>? notices = null)
    {
        if (logEvery < 0)
        {
            throw new UsageException($"--log-every must be non-negative, but is {logEvery}");
        }

        var (end, run) = Train(context, device, options, configure, quiet, logEvery, notices);
        var report = Path.Combine(options.Output, "report.html");
        switch (end)
        {
            case TrainingEnd.Stopped:
                context.WriteLine(new RunFolder(options.Output).HasCheckpoint
                    ? $"stopped; checkpoint saved in {options.Output}; continue with --resume"
                    : "stopped before the first step; nothing was saved");
                return ExitCode.Stopped;
            case TrainingEnd.Skipped:
                var folder = new RunFolder(options.Output);
                var results = folder.ReadResults();
                if (!File.Exists(report))
                {
                    // The run was killed between its results and its report.
                    Report.Write(report, [(options.Output, folder.ReadCompleted())]);
                }

                ResultTable.Write(context, results);
                context.WriteLine($"skipped: {options.Output} already contains a complete run of {results.Training.Epochs} epochs");
                return ExitCode.Success;
            default:
                Report.Write(report, [(options.Output, run!)]);
                ResultTable.Write(context, run!.Results);
                context.WriteLine($"run folder {options.Output}, report {report}");
                return ExitCode.Success;
        }
    }

    /// <summary>Trains with progress on the console, without a table or a report.</summary>
    /// <returns>How the run ended, and its results if it was completed.</returns>
    /// <inheritdoc cref="Run" path="/param"/>
    public static (TrainingEnd End, CompletedRun? Run) Train(
        CliContext context,
        Device device,
        TrainingOptions options,
        Func<int, SaeConfig> configure,
        bool quiet,
        int? logEvery,
        IReadOnlyList<string>? notices = null)
    {
        notices ??= [];
        var bar = context.IsTerminal && !quiet ? new ConsoleProgress(context, notices) : null;
        ITrainingObserver observer = bar
            ?? (quiet ? new QuietProgress(context, notices) : (ITrainingObserver)new PlainProgress(context, logEvery, notices));
        var trainer = new Trainer(device, options, configure, observer);
        var end = bar is null ? trainer.Run(context.Stop) : bar.Show(() => trainer.Run(context.Stop));
        return (end, trainer.Completed);
    }
}
