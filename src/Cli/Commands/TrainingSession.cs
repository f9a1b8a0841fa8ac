using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Runs a trainer with progress on the console, a table and a report at the end.</summary>
internal static class TrainingSession
{
    /// <summary>Trains.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(
        CliContext context, Device device, TrainingOptions options, Func<int, SaeConfig> configure, bool quiet, int? logEvery)
    {
        if (logEvery < 0)
        {
            throw new UsageException($"--log-every must not be negative, not {logEvery}");
        }

        var folder = new RunFolder(options.Output);
        var end = Train(context, device, options, configure, quiet, logEvery);
        switch (end)
        {
            case TrainingEnd.Stopped:
                context.WriteLine($"stopped; the checkpoint is in {options.Output}: go on with --resume");
                return ExitCode.Stopped;
            case TrainingEnd.Skipped:
                context.WriteLine($"{options.Output} holds a complete run already");
                break;
            default:
                Report.Write(Path.Combine(folder.Path, "report.html"), [folder]);
                break;
        }

        ResultTable.Write(context, folder.ReadResults());
        context.WriteLine($"{(end == TrainingEnd.Skipped ? "results" : "written")}: {options.Output} (report.html shows it)");
        return ExitCode.Success;
    }

    /// <summary>Trains with progress on the console and no more.</summary>
    public static TrainingEnd Train(
        CliContext context, Device device, TrainingOptions options, Func<int, SaeConfig> configure, bool quiet, int? logEvery)
    {
        if (quiet)
        {
            return new Trainer(device, options, configure).Run(context.Stop);
        }

        if (!context.IsTerminal)
        {
            return new Trainer(device, options, configure, new PlainProgress(context, logEvery)).Run(context.Stop);
        }

        var bar = new ConsoleProgress(context);
        return bar.Show(() => new Trainer(device, options, configure, bar).Run(context.Stop));
    }
}
