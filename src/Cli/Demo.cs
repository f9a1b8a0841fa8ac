using System.Diagnostics;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>The whole way, from Parquet features to trained autoencoders and their report, on features made for it.</summary>
[Verb("demo", HelpText = "Train with and without MonoLoss on synthetic features, side by side, in under a minute.")]
internal sealed class Demo : Command
{
    private const string Marker = "monoloss.demo";
    private const int TrainRows = 16384;
    private const int OtherRows = 4096;
    private const int BatchSize = 512;
    private const int EpochsPerLine = 3;

    [Option("out", Default = "demo", MetaValue = "DIR", HelpText =
        "Where the features and both runs go; those of an earlier demo are replaced")]
    public string Output { get; set; } = string.Empty;

    [Option("mono-coef", Default = 0.003, MetaValue = "X", HelpText = "Weight of MonoLoss in the second run")]
    public double MonoCoefficient { get; set; }

    [Option("seed", Default = 42, MetaValue = "N", HelpText = "What features and weights are drawn from")]
    public int Seed { get; set; }

    [Option("device", Default = "auto", MetaValue = "NAME", HelpText =
        DeviceFactory.Names + "; monoloss devices lists them")]
    public string DeviceName { get; set; } = string.Empty;

    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Threads; 0: one a core")]
    public int Threads { get; set; }

    [Option("quiet", HelpText = "No progress, only the tables at the end.")]
    public bool Quiet { get; set; }

    /// <inheritdoc/>
    public override int Run(Context context)
    {
        if (!(double.IsFinite(MonoCoefficient) && MonoCoefficient > 0))
        {
            throw new UsageException($"--mono-coef must be a positive number, not {MonoCoefficient}");
        }

        using var device = DeviceFactory.Open(DeviceName, Threads);
        var (train, validation, test) = (InFolder("train.parquet"), InFolder("val.parquet"), InFolder("test.parquet"));
        Clear([train, validation, test]);
        WriteFeatures(train, validation, test);
        context.WriteLine($"features  {train}, val.parquet and test.parquet: {TrainRows:N0} + 2 × {OtherRows:N0} rows of "
            + $"{SyntheticConcepts.Dimension}, {SyntheticConcepts.Labels.Count} labels");

        var runs = new List<(string Name, RunFolder Folder, double Seconds)>();
        foreach (var (name, coefficient) in new[] { ("baseline", 0.0), ("monoloss", MonoCoefficient) })
        {
            context.WriteLine();
            var options = new TrainingOptions
            {
                Train = [train],
                Validation = [validation],
                Test = [test],
                Output = InFolder(name),
                BatchSize = BatchSize,
                Epochs = 15,
                LearningRate = 1e-3,
                Seed = Seed,
                EvalEvery = EpochsPerLine,
            };
            var clock = Stopwatch.StartNew();
            var end = TrainingSession.Train(context, device, options, dimension => new SaeConfig
            {
                Architecture = Architecture.BatchTopK,
                Dimension = dimension,
                Latents = 512,
                K = 16,
                MonoCoefficient = coefficient,
            }, Quiet, logEvery: EpochsPerLine * (TrainRows / BatchSize));
            if (end == TrainingEnd.Stopped)
            {
                return ExitCode.Stopped;
            }

            runs.Add((name, new RunFolder(options.Output), clock.Elapsed.TotalSeconds));
        }

        Report.Write(InFolder("report.html"), [.. runs.Select(run => run.Folder)]);
        WriteComparison(context, runs);
        return ExitCode.Success;
    }

    private string InFolder(string name) => Path.Combine(Output, name);

    /// <summary>Removes the runs of an earlier demo, and only those: its features say that the folder is one's own.</summary>
    private void Clear(IReadOnlyList<string> features)
    {
        if (!File.Exists(features[0]))
        {
            return;
        }

        if (!ParquetTable.Read(features[0]).Metadata.ContainsKey(Marker))
        {
            throw new UsageException($"{features[0]} was not written by a demo: name another folder with --out");
        }

        foreach (var name in new[] { "baseline", "monoloss" })
        {
            new RunFolder(InFolder(name)).Delete();
        }
    }

    private void WriteFeatures(string train, string validation, string test)
    {
        Directory.CreateDirectory(Output);
        var concepts = new SyntheticConcepts((ulong)Seed);
        var metadata = new Dictionary<string, string> { [Marker] = $"seed {Seed}" };
        ulong stream = 0;
        foreach (var (path, rows) in new[] { (train, TrainRows), (validation, OtherRows), (test, OtherRows) })
        {
            concepts.Write(path, rows, ((ulong)Seed << 8) + ++stream, metadata);
        }
    }

    private void WriteComparison(Context context, List<(string Name, RunFolder Folder, double Seconds)> runs)
    {
        var results = runs.ConvertAll(run => (run.Name, Result: run.Folder.ReadResults().Splits["test"], run.Seconds));
        var table = new Table().AddColumn("test split");
        foreach (var (name, _, _) in results)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        void Row(string name, Func<EvaluationSummary, double?> value) =>
            table.AddRow([name, .. results.Select(run => ResultTable.Number(value(run.Result)))]);
        Row("R²", result => result.R2);
        Row("MonoScore mean", result => result.MonoMean);
        Row("MonoScore median", result => result.MonoMedian);
        Row("class purity", result => result.PurityBinary);
        Row("class purity, weighted", result => result.PurityWeighted);
        Row("L0", result => result.L0);
        table.AddRow(["dead latents", .. results.Select(run => TrainingText.Format(run.Result.DeadLatents))]);
        table.AddRow(["seconds", .. results.Select(run => FormattableString.Invariant($"{run.Seconds:0.0}"))]);
        context.WriteLine();
        context.Write(table);
        context.WriteLine();
        context.WriteLine("MonoLoss makes a latent fire for things that look alike: MonoScore and purity rise, reconstruction (R²) stays.");
        context.WriteLine();
        var latents = Path.Combine(InFolder("monoloss"), "latents.parquet");
        context.WriteLine($"  {InFolder("report.html").PadRight(latents.Length)}    both runs, with curves and their most monosemantic latents");
        context.WriteLine($"  {latents}    a row a latent: score, activations, label, purity");
        context.WriteLine();
        context.WriteLine("Next, on your own features:");
        context.WriteLine("  monoloss train --train features.parquet --test other.parquet --mono-coef 0.0003");
    }
}
