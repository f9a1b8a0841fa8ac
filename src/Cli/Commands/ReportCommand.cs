using CommandLine;
using MonoLoss.Data;
using MonoLoss.Models;
using MonoLoss.Vision;

namespace MonoLoss.Cli;

/// <summary>Makes the report of complete runs.</summary>
[Verb("report", HelpText =
    "Write the HTML report of a complete run, or of several side by side; with images, to look at what latents stand for.")]
internal sealed class ReportCommand : DeviceCommand
{
    private const string Page = ".html";

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR…", HelpText = "Run folders, in the order of the report.")]
    public IEnumerable<string> Runs { get; set; } = [];

    [Option("data", MetaValue = "PATH…", HelpText =
        "Features to show latents on: " + FeatureOptions.Paths + " [the last split that the run was evaluated on]")]
    public IEnumerable<string> Data { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = "Column with the features [as in training]")]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column with class labels [as in training]")]
    public string? LabelColumn { get; set; }

    [Option("labels", MetaValue = "FILE", HelpText = FeatureOptions.LabelsFileHelp)]
    public string? LabelsFile { get; set; }

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [as the model wants them]")]
    public string? Rows { get; set; }

    [Option("images", MetaValue = "SRC…", HelpText =
        "The images of the features, found by their ids, or else in the order of the rows: folders, Parquet files, tar shards, lists "
        + "or single images, as extract reads them.")]
    public IEnumerable<string> Images { get; set; } = [];

    [Option("image-column", MetaValue = "NAME", HelpText = "Column of images in Parquet files [the only one]")]
    public string? ImageColumn { get; set; }

    [Option("vocabulary", MetaValue = "FILE", HelpText = FeatureOptions.VocabularyHelp + " [the names in the run folders]")]
    public string? Vocabulary { get; set; }

    [Option("vocabulary-column", MetaValue = "NAME", HelpText = FeatureOptions.VocabularyColumnHelp)]
    public string? VocabularyColumn { get; set; }

    [Section("Output")]
    [Option("out", MetaValue = "PATH", HelpText =
        "A folder for a report of all latents, to be opened at its index.html; or one file that needs no other, ending in .html "
        + "[report.html in the folder of a single run]")]
    public string? Output { get; set; }

    [Option("single", HelpText = "Write one file, with the best latents only; --out must end in .html.")]
    public bool Single { get; set; }

    [Option("best", MetaValue = "N", HelpText = "Latents of each run in a report of one file, by MonoScore [100]")]
    public int? Best { get; set; }

    [Option("samples", MetaValue = "N", HelpText = "Top, middle and bottom samples of every latent where --data is evaluated [9]")]
    public int? Samples { get; set; }

    [Option("thumbnail", Default = 128, MetaValue = "N", HelpText = "Longest side of a picture in pixels; smaller images keep their size")]
    public int ThumbnailSize { get; set; }

    private bool IsFile => Output is null || Path.GetExtension(Output).Equals(Page, StringComparison.OrdinalIgnoreCase);

    // Null for all.
    private int? ShownLatents => IsFile ? Best ?? Report.DefaultBest : null;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        string[] folders = [.. Runs];
        Check(folders);
        var sources = Images.Any() ? ImageSources.Open(Images, ImageColumn, labelColumn: null) : [];
        var runs = Report.Runs([.. folders.Select(folder => (folder, new RunFolder(folder).ReadCompleted()))]);
        if (sources.Count > 0 && !Data.Any()
            && runs.Select(run => string.Join('\n', LastSplit(run.Results).Paths.Select(Path.GetFullPath))).Distinct().Count() > 1)
        {
            throw new UsageException("--images: the runs were evaluated on different features; --data says which the images are of");
        }

        IReadOnlyList<string> problems = [];
        var output = Output ?? Path.Combine(folders[0], "report.html");
        void Write()
        {
            IReadOnlyList<ReportedRun> shown = runs;
            MakeThumbnails? thumbnails = sources.Count == 0 ? null : (wanted, write) => ThumbnailSet.Make(
                sources, wanted, ThumbnailOptions(shown), write, context.Stop);
            if (IsFile)
            {
                shown = Data.Any() || Vocabulary is not null
                    ? EvaluateForFile(context, runs)
                    : [.. runs.Select(run => run.WithStoredSamples(ShownLatents))];
                problems = Report.WriteFile(output, shown, ShownLatents!.Value, thumbnails);
            }
            else
            {
                problems = Report.WriteFolder(output, data => shown = Evaluate(context, runs, data), thumbnails);
            }
        }

        if (sources.Count > 0)
        {
            NativeLibraries.Guard("report --images", Write);
        }
        else
        {
            Write();
        }

        context.Notice(problems);
        context.WriteLine($"report {(IsFile ? output : Path.Combine(output, "index.html"))}");
        return ExitCode.Success;
    }

    private void Check(string[] folders)
    {
        if (Output is null && folders.Length > 1)
        {
            throw new UsageException("--out is required with several runs: a folder, or a file name ending in .html");
        }

        if (Single && !IsFile)
        {
            throw new UsageException($"--out: found '{Output}', expected a file name ending in .html with --single");
        }

        if (Best is not null && !IsFile)
        {
            throw new UsageException("--best is for a report of one file (--single); a folder has all latents");
        }

        if (Best <= 0)
        {
            throw new UsageException($"--best must be positive, but is {Best}");
        }

        if (Samples is <= 0 or > LatentSamples.MaxCount)
        {
            throw new UsageException($"--samples must be from 1 to {LatentSamples.MaxCount}, but is {Samples}");
        }

        if (ThumbnailSize is < 16 or > 1024)
        {
            throw new UsageException($"--thumbnail must be from 16 to 1024, but is {ThumbnailSize}");
        }

        if (ImageColumn is not null && !Images.Any())
        {
            throw new UsageException("--image-column needs --images");
        }

        FeatureOptions.CheckVocabulary(Vocabulary, VocabularyColumn);

        string[] inputs = [.. Data, .. Images, .. new[] { Vocabulary, LabelsFile }.OfType<string>()];
        if (IsFile)
        {
            OutputFile.Check(Output, [Page], inputs);
            return;
        }

        if (Path.GetExtension(Output!) is [_, .. var extension] && extension.Length > 0 && extension.All(char.IsAsciiLetter)
            && !Directory.Exists(Output))
        {
            throw new UsageException($"--out: found '{Output}', expected a folder or a file name ending in .html");
        }

        Report.CheckFolder(Output!);
        var output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Output!));
        if (inputs.Concat(folders).Any(input => Path.GetFullPath(input) == output
            || Path.GetFullPath(input).StartsWith(output + Path.DirectorySeparatorChar, StringComparison.Ordinal)))
        {
            throw new UsageException($"--out: {Output} holds what the command reads, so it cannot be written too");
        }
    }

    private IReadOnlyList<ReportedRun> EvaluateForFile(CliContext context, IReadOnlyList<ReportedRun> runs)
    {
        var folder = Directory.CreateTempSubdirectory("monoloss-report-").FullName;
        try
        {
            return Evaluate(context, runs, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The runs on the features that were asked for, or on those of their last evaluation where these can still be read.</summary>
    private IReadOnlyList<ReportedRun> Evaluate(CliContext context, IReadOnlyList<ReportedRun> runs, string dataFolder)
    {
        using var device = OpenDevice();
        var collector = new ReportCollector(context, device);
        var evaluated = runs.Index()
            .Select(run => Evaluate(context, collector, run.Item, Path.Combine(dataFolder, $"{run.Index}"))).ToList();
        return collector.CompareDecoders(evaluated, Vocabulary, VocabularyColumn);
    }

    private ReportedRun Evaluate(CliContext context, ReportCollector collector, ReportedRun run, string folder)
    {
        string[] paths = [.. Data];
        string? labels = LabelsFile;
        var name = string.Join(", ", paths.Select(path => Path.GetFileName(Path.TrimEndingDirectorySeparator(path))));
        if (paths.Length == 0)
        {
            (paths, var splitLabels) = LastSplit(run.Results);
            (labels, name) = (labels ?? splitLabels, run.Set);
        }

        if (paths.Length == 0)
        {
            context.Notice([$"{run.Folder}: was not evaluated, so latents have no figures; --data says on what"]);
            return run.WithStoredSamples(ShownLatents);
        }

        try
        {
            return collector.Evaluate(
                run,
                paths,
                name,
                new FeatureSetOptions
                {
                    Normalize = RowScaling.UnitRows(Rows) ?? run.Results.Model.UnitRows,
                    FeaturesColumn = FeaturesColumn,
                    LabelColumn = LabelColumn,
                    LabelsFile = labels,
                },
                Samples ?? LatentSamples.UsualCount,
                folder);
        }
        catch (DataException exception) when (!Data.Any())
        {
            context.Notice([$"{run.Folder}: no histograms and labels of latents, as its {name} split cannot be read: {exception.Message}"]);
            return run.WithStoredSamples(ShownLatents);
        }
    }

    /// <summary>The files of the split that a run was evaluated on last, and their labels.</summary>
    private static (string[] Paths, string? Labels) LastSplit(TrainingResults results)
    {
        var training = results.Training;
        return results.Splits.LastOrDefault().Key switch
        {
            null => ([], null),
            "test" => ([.. training.Test], training.TestLabelsFile),
            "val" => ([.. training.Validation], training.ValidationLabelsFile),
            _ => ([.. training.Train], training.LabelsFile),
        };
    }

    /// <summary>Features of patches are shown on what the network saw of the image.</summary>
    private ThumbnailOptions ThumbnailOptions(IReadOnlyList<ReportedRun> runs)
    {
        var isPatches = runs.Any(run => run.Samples.Any(samples => samples.Any(sample => sample.Position is not null)));
        var rows = runs.Where(run => run.Details is not null).Select(run => run.Rows).Distinct().ToList();
        return new ThumbnailOptions
        {
            Size = ThumbnailSize,
            Rows = rows.Count == 1 ? rows[0] : null,
            NeedsIds = isPatches,
            Crop = isPatches && runs.Select(run => run.Preprocessing).FirstOrDefault(text => text is not null) is { } description
                ? Preprocessor.FromDescription(description)
                : null,
        };
    }
}
