using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Compares complete runs by their final figures, and two of them also by their decoders.</summary>
[Verb("compare", HelpText = "Compare complete runs in a table; of two, also how alike their decoders are.")]
internal sealed class CompareCommand : Command
{
    [Section("Input")]
    [Positional]
    [Option("run", Required = true, MetaValue = "DIR…", HelpText = "Run folders, in the order of the table.")]
    public IEnumerable<string> Runs { get; set; } = [];

    [Option("split", MetaValue = "NAME", HelpText =
        "The split whose final figures are compared: train, val, test, or one by threshold, such as \"test by threshold\" "
            + "[the last evaluated]")]
    public string? Split { get; set; }

    [Section("Output")]
    [Option("format", Default = "table", MetaValue = "NAME", HelpText =
        "table (best values bold, or with * where there is no terminal), markdown, csv or json")]
    public string Format { get; set; } = string.Empty;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (!ComparisonFormat.Names.Contains(Format))
        {
            throw new UsageException($"--format: found '{Format}', expected {string.Join(", ", ComparisonFormat.Names[..^1])} "
                + $"or {ComparisonFormat.Names[^1]}");
        }

        var runs = ComparedRun.Read([.. Runs], Split);
        if (runs.Select(run => run.Split).OfType<string>().Distinct().Count() > 1)
        {
            context.Notice(["the runs were last evaluated on different splits, so none is called best; --split chooses one"]);
        }

        var stability = runs.Count == 2 ? StabilityOf(context, runs[0], runs[1]) : null;
        ComparisonFormat.Write(context, Format, runs, stability);
        return ExitCode.Success;
    }

    /// <summary>The stability of two runs; null, with a notice, if it cannot be computed.</summary>
    private static Stability? StabilityOf(CliContext context, ComparedRun first, ComparedRun second)
    {
        var (a, b) = (first.Results.Model, second.Results.Model);
        var bytes = Stability.MemoryBytes(a.Latents, b.Latents);
        var reason = a.Dimension != b.Dimension ? $"the runs have {a.Dimension} and {b.Dimension} features"
            : bytes > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2
                ? $"{a.Latents} and {b.Latents} latents take {DeviceMemory.Format(bytes)}"
                : null;
        if (reason is not null)
        {
            context.Notice([$"no stability: {reason}"]);
            return null;
        }

        using var device = DeviceFactory.Open("cpu");
        using var one = ModelSource.Open(first.Folder).Load(device);
        using var other = ModelSource.Open(second.Folder).Load(device);
        return one.Config.Dimension == other.Config.Dimension
            ? Stability.Of(one, other, context.Stop)
            : throw new UsageException($"{second.Folder}: cfg.json is of another run than results.json");
    }
}
