using System.Diagnostics;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Vision;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>Runs the whole pipeline on synthetic features: Parquet files, two trained autoencoders, their comparison and report.</summary>
[Verb("demo", HelpText = "Train with and without MonoLoss on synthetic features and compare; takes about a minute.")]
internal sealed class DemoCommand : DeviceCommand
{
    private const string Marker = "monoloss.demo";
    private const int TrainRows = 16384;
    private const int OtherRows = 4096;
    private const int BatchSize = 512;
    private const int EpochsPerLine = 3;

    [Section("Demo")]
    [Option("out", Default = "demo", MetaValue = "DIR", HelpText =
        "Folder for the features and both runs; those of an earlier demo are replaced")]
    public string Output { get; set; } = string.Empty;

    [Option("mono-coef", Default = 0.003, MetaValue = "X", HelpText = "Weight of MonoLoss in the second run")]
    public double MonoCoefficient { get; set; }

    [Option("seed", Default = 42, MetaValue = "N", HelpText = "Random seed for features and weights")]
    public int Seed { get; set; }

    [Option("quiet", HelpText = "Print only the final table.")]
    public bool Quiet { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (!(double.IsFinite(MonoCoefficient) && MonoCoefficient > 0))
        {
            throw new UsageException($"--mono-coef must be positive, but is {MonoCoefficient}");
        }

        using var device = OpenDevice();
        var (train, validation, test) = (InFolder("train.parquet"), InFolder("val.parquet"), InFolder("test.parquet"));
        var images = InFolder("images.parquet");
        using var claim = new RunLock(Output);
        claim.ClaimOrCreate();
        Report.CheckFolder(InFolder("report"));
        Clear([train, validation, test], images);
        var samples = WriteFeatures(train, validation, test);
        context.WriteLine($"features  {train}, val.parquet and test.parquet: "
            + $"{ProgressFormat.Format(TrainRows)} + 2 × {ProgressFormat.Format(OtherRows)} rows, "
            + $"{SyntheticConcepts.Dimension} features, {SyntheticConcepts.Labels.Count} labels");
        WriteImages(context, images, samples);

        var runs = new List<(CompletedRun Run, double Seconds)>();
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
            var (end, run) = TrainingSession.Train(context, device, options, dimension => new SaeConfig
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

            runs.Add((run!, clock.Elapsed.TotalSeconds));
        }

        WriteReport(context, device, [.. runs.Select(run => (run.Run.Results.Training.Output, run.Run))], test, images);
        WriteComparison(context, runs);
        return ExitCode.Success;
    }

    private string InFolder(string name) => Path.Combine(Output, name);

    /// <summary>
    /// Removes the runs and pictures of an earlier demo, which marks its files; its features are replaced. Others' files are left alone.
    /// </summary>
    private void Clear(IReadOnlyList<string> features, string images)
    {
        List<string> present = [.. features.Append(images).Where(File.Exists)];
        if (present.Find(file => !ParquetTable.ReadMetadata(file).ContainsKey(Marker)) is { } other)
        {
            throw new UsageException($"{other} was not written by a demo: choose another folder with --out");
        }

        if (present.Count == 0)
        {
            return;
        }

        // Where no pictures can be drawn, old ones would be taken for those of the new features.
        File.Delete(images);
        foreach (var name in new[] { "baseline", "monoloss" })
        {
            using var claim = new RunLock(InFolder(name));
            claim.ClaimExisting();
            new RunFolder(InFolder(name)).Delete();
        }
    }

    private Dictionary<string, string> Metadata => new() { [Marker] = $"seed {Seed}" };

    /// <summary>Writes the features.</summary>
    /// <returns>What the rows of the test split show.</returns>
    private IReadOnlyList<ConceptSample> WriteFeatures(string train, string validation, string test)
    {
        var concepts = new SyntheticConcepts((ulong)Seed);
        IReadOnlyList<ConceptSample> samples = [];
        ulong stream = 0;
        foreach (var (path, rows) in new[] { (train, TrainRows), (validation, OtherRows), (test, OtherRows) })
        {
            samples = concepts.Write(path, rows, ((ulong)Seed << 8) + ++stream, Metadata);
        }

        return samples;
    }

    private void WriteImages(CliContext context, string path, IReadOnlyList<ConceptSample> samples)
    {
        try
        {
            ConceptPictures.Write(path, samples, Metadata);
            context.WriteLine($"pictures  {path}: what each row of test.parquet shows");
        }
        catch (Exception exception) when (NativeLibraries.Missing(exception) is { } missing)
        {
            context.Notice([$"no pictures: SkiaSharp's native library cannot be loaded here: {missing}"]);
        }
    }

    private void WriteReport(
        CliContext context, Device device, IReadOnlyList<(string Folder, CompletedRun Run)> runs, string test, string images)
    {
        var collector = new ReportCollector(context, device);
        var sources = File.Exists(images) ? ImageSources.Open([images], imageColumn: null, labelColumn: null) : [];
        context.Notice(Report.WriteFolder(
            InFolder("report"),
            data => collector.CompareDecoders([.. Report.Runs(runs).Index().Select(run => collector.Evaluate(
                run.Item,
                [test],
                "test",
                new FeatureSetOptions(),
                run.Item.Results.Training.Samples,
                Path.Combine(data, $"{run.Index}")))]),
            sources.Count == 0 ? null : (wanted, write) => ThumbnailSet.Make(
                sources, wanted, new ThumbnailOptions { Rows = OtherRows }, write, context.Stop)));
    }

    private void WriteComparison(CliContext context, List<(CompletedRun Run, double Seconds)> runs)
    {
        var results = runs.ConvertAll(run => run.Run.Results.Splits["test"]);
        var table = new Table().AddColumn("test split");
        foreach (var (run, _) in runs)
        {
            table.AddColumn(new TableColumn(Path.GetFileName(run.Results.Training.Output)).RightAligned());
        }

        void Row(string name, Func<EvaluationSummary, double?> value) =>
            table.AddRow([name, .. results.Select(result => ResultTable.Number(value(result)))]);
        Row("R²", result => result.R2);
        Row("MonoScore mean", result => result.MonoMean);
        Row("MonoScore median", result => result.MonoMedian);
        Row("class purity", result => result.PurityBinary);
        Row("class purity, weighted", result => result.PurityWeighted);
        Row("L0", result => result.L0);
        table.AddRow(["silent latents", .. results.Select(result => ProgressFormat.Format(result.SilentLatents))]);
        table.AddRow(["seconds", .. runs.Select(run => FormattableString.Invariant($"{run.Seconds:0.0}"))]);
        context.WriteLine();
        context.Write(table);
        context.WriteLine();
        context.WriteLine("With MonoLoss a latent fires for inputs that look alike: MonoScore and purity rise while R² hardly changes.");
        context.WriteLine();
        var latents = Path.Combine(InFolder("monoloss"), "latents.parquet");
        var report = Path.Combine(InFolder("report"), "index.html").PadRight(latents.Length);
        context.WriteLine($"  {report}    both runs: figures, curves, and every latent with the pictures that activate it");
        context.WriteLine($"  {latents}    one row per latent: score, activations, label, purity");
        context.WriteLine();
        context.WriteLine("Next, on your own features:");
        context.WriteLine("  monoloss train --train features.parquet --test other.parquet --mono-coef 0.0003");
    }
}
