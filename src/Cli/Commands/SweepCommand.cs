using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Trains the runs of a recipe, and compares them.</summary>
[Verb("sweep", HelpText = "Train a grid of runs, written as a recipe in YAML, into one table and one report.")]
internal sealed class SweepCommand : Command
{
    /// <summary>The option with which nothing is written but what is printed.</summary>
    public const string ListFlag = "--list";

    // As many runs as can be told apart in a report.
    private const int ReportedRuns = 8;

    private const int MaxParallel = 1024;

    [Section("Input")]
    [Positional]
    [Option("recipe", Required = true, MetaValue = "FILE", HelpText =
        "Recipe: keys are options of train, a list means each of its values. Or the name of a recipe that comes along, such as "
            + "paper-imagenet-clip (docs/sweep.md).")]
    public string RecipePath { get; set; } = string.Empty;

    [Option("set", MetaValue = "NAME=VALUE…", HelpText = "What ${NAME} in the recipe stands for.")]
    public IEnumerable<string> Variables { get; set; } = [];

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "DIR", HelpText =
        "Folder of the sweep: a run folder per run, logs, sweep.parquet, sweep.csv and report.html. Runs that are complete are skipped.")]
    public string Output { get; set; } = string.Empty;

    [Option("list", HelpText = "Print the commands of the single runs, a line each, instead of running them.")]
    public bool List { get; set; }

    [Option("max-r2-loss", Default = 0.01, MetaValue = "X", HelpText =
        "The R² that a weight of MonoLoss may lose against its baseline and still win")]
    public double MaxR2Loss { get; set; }

    [Section("Device")]
    [Option("parallel", Default = 1, MetaValue = "N", HelpText =
        "Runs at once, each on its own threads; on its own GPU where there are several")]
    public int Parallel { get; set; }

    [Option("device", Default = "auto", MetaValue = "NAME", HelpText = DeviceFactory.Names + "; monoloss devices lists those available")]
    public string DeviceName { get; set; } = string.Empty;

    [Option("tf32", HelpText = "Round the inputs of dense matrix products to TF32, as in train.")]
    public bool Tf32 { get; set; }

    [Option("threads", MetaValue = "N", HelpText = "CPU threads of each run; does not affect results [the cores divided by --parallel]")]
    public int? Threads { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        Check();
        var recipe = Recipe.Read(RecipePath, ReadVariables());
        var runs = recipe.Runs.Select(Plan).ToList();
        if (List)
        {
            var where = Where(DeviceName, Threads);
            foreach (var run in runs)
            {
                context.WriteLine(Launcher.ShellLine([.. Launcher.Command, .. run.Command, .. where]));
            }

            return ExitCode.Success;
        }

        using var claim = new RunLock(Output);
        claim.ClaimOrCreate();
        var waiting = runs.Where(run => !run.IsDone).ToList();
        context.WriteLine($"{runs.Count} runs, {runs.Count - waiting.Count} of them complete");
        var failures = waiting.Count > 0 ? new Sweeper(context, Output, Slots(waiting.Count)).Train(waiting) : [];
        var complete = runs.Count(run => run.IsDone);
        if (context.Stop.IsCancellationRequested)
        {
            context.WriteLine($"stopped; {complete} of {runs.Count} runs are complete; the same command continues");
            return ExitCode.Stopped;
        }

        if (complete > 0)
        {
            Finish(context, runs);
        }

        foreach (var (run, reason) in failures)
        {
            context.Error.WriteLine($"monoloss: {run.Run.Name} failed: {reason}");
        }

        return failures.Count > 0 ? ExitCode.BadInput : ExitCode.Success;
    }

    private void Check()
    {
        if (Parallel is < 1 or > MaxParallel)
        {
            throw new UsageException($"--parallel must be from 1 to {MaxParallel}, but is {Parallel}");
        }

        if (MaxR2Loss < 0)
        {
            throw new UsageException($"--max-r2-loss must not be negative, but is {MaxR2Loss}");
        }

        if (Threads < 0)
        {
            throw new UsageException($"--threads must not be negative, but is {Threads}");
        }
    }

    private Dictionary<string, string> ReadVariables()
    {
        var variables = new Dictionary<string, string>();
        foreach (var text in Variables)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == text.Length - 1)
            {
                throw new UsageException($"--set: found '{text}', expected NAME=VALUE");
            }

            if (!variables.TryAdd(text[..equals], text[(equals + 1)..]))
            {
                throw new UsageException($"--set: {text[..equals]} is given twice");
            }
        }

        return variables;
    }

    /// <summary>A run with its folder, its settings checked as train would check them.</summary>
    private PlannedRun Plan(SweepRun run)
    {
        var folder = Path.Combine(Output, run.Name);
        try
        {
            var command = (TrainCommand)Application.Parse(typeof(TrainCommand), [.. run.Arguments, $"--out={folder}"]);
            var (configure, options) = command.Settings();
            return new PlannedRun(run, folder, configure, options);
        }
        catch (Exception exception) when (exception is UsageException or ConfigurationException or DataException)
        {
            // The line of the setting that the message names, if it is one of the recipe's.
            var message = Options.Message(exception, typeof(TrainCommand));
            var setting = run.Settings.Where(setting => message.Contains(setting.Option.Flag, StringComparison.Ordinal))
                .OrderBy(setting => message.IndexOf(setting.Option.Flag, StringComparison.Ordinal)).FirstOrDefault();
            throw new UsageException($"{RecipePath}{(setting is null ? string.Empty : $":{setting.Line}")}: run {run.Name}: {message}");
        }
    }

    private string[] Where(string device, int? threads) =>
    [
        .. device == "auto" ? [] : new[] { "--device", device },
        .. threads is { } count ? new[] { "--threads", FormattableString.Invariant($"{count}") } : [],
        .. Tf32 ? new[] { "--tf32" } : [],
    ];

    /// <summary>Where each of the runs at once computes: GPUs in turn, and an equal share of the cores.</summary>
    private List<IReadOnlyList<string>> Slots(int runs)
    {
        var count = Math.Min(Parallel, runs);
        var threads = Threads ?? (count > 1 ? Math.Max(1, Environment.ProcessorCount / count) : null);
        string[] devices = [DeviceName];
        if (count > 1 && DeviceName is "auto" or "cuda" or "opencl")
        {
            var gpus = DeviceFactory.List().Where(device => device.IsGpu && device.Missing is null).ToList();
            var kind = DeviceName != "auto" ? DeviceName : gpus.Exists(device => IsOf(device, "cuda")) ? "cuda" : "opencl";
            string[] found = [.. gpus.Where(device => IsOf(device, kind)).Select(device => device.Name)];
            devices = found.Length > 0 ? found : devices;
        }

        return [.. Enumerable.Range(0, count).Select(i => Where(devices[i % devices.Length], threads))];
    }

    private static bool IsOf(DeviceInfo device, string kind) => device.Name.Split(':')[0] == kind;

    /// <summary>The table and the report.</summary>
    private void Finish(CliContext context, IReadOnlyList<PlannedRun> runs)
    {
        var table = SweepTable.Of(context, runs, MaxR2Loss);
        var (parquet, csv, report) = (In("sweep.parquet"), In("sweep.csv"), In("report.html"));
        table.Write(parquet, csv);
        table.Print(context, MaxR2Loss);
        Report.Write(report, [.. Reported(context, table).Select(run => (run.Folder, new RunFolder(run.Folder).ReadCompleted()))]);
        context.WriteLine($"table {parquet}, {csv}; report {report}");
    }

    /// <summary>
    /// All complete runs if they are few; else the winning weight of MonoLoss of each kind beside its baseline, of the first seed.
    /// </summary>
    private static List<PlannedRun> Reported(CliContext context, SweepTable table)
    {
        List<PlannedRun> all = [.. table.Rows.SelectMany(row => row.Complete.Select(run => run.Plan))];
        if (all.Count <= ReportedRuns)
        {
            return all;
        }

        List<PlannedRun> best =
        [
            .. table.Rows.Where(row => row.Wins).SelectMany(row => new[] { table.Baseline(row), row }).OfType<SweepRow>()
                .Where(row => row.Complete.Count > 0).Select(row => row.Complete[0].Plan).Distinct(),
        ];
        best = best.Count > 0 ? best : [.. table.Rows.Where(row => row.IsOnFront).Select(row => row.Complete[0].Plan)];
        best = best.Count > 0 ? best : all;
        if (best.Count > ReportedRuns)
        {
            context.Notice([$"the report has {ReportedRuns} of {best.Count} runs; monoloss report shows any others"]);
        }

        return [.. best.Take(ReportedRuns)];
    }

    private string In(string name) => Path.Combine(Output, name);
}
