using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Evaluates a trained autoencoder on features.</summary>
[Verb("eval", HelpText = "Evaluate a trained autoencoder on features.")]
internal sealed class EvalCommand : DeviceCommand
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    private static readonly string[] Formats = [".json", ".parquet"];
    private static readonly string[] SamplesFormats = [".parquet"];

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = FeatureOptions.RunHelp)]
    public string RunPath { get; set; } = string.Empty;

    [Option("data", Required = true, MetaValue = "PATH…", HelpText = "Features: " + FeatureOptions.Paths)]
    public IEnumerable<string> Data { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = "Column with the features [as in training]")]
    public string? FeaturesColumn { get; set; }

    [Option("similarity-column", MetaValue = "NAME", HelpText =
        "Column of another model's embeddings that MonoScore compares [as in training]")]
    public string? SimilarityColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column with class labels [as in training]")]
    public string? LabelColumn { get; set; }

    [Option("labels", MetaValue = "FILE", HelpText = FeatureOptions.LabelsFileHelp)]
    public string? LabelsFile { get; set; }

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [as the model wants them]")]
    public string? Rows { get; set; }

    [Option("no-labels", HelpText = "Do not look for labels: no class purity.")]
    public bool NoLabels { get; set; }

    [Option("undefined", Default = "zero", MetaValue = "KIND", HelpText = UndefinedScore.Help)]
    public string Undefined { get; set; } = string.Empty;

    [Option("batch-size", MetaValue = "B", HelpText = "Rows per batch; batch_topk selects its latents per batch [as in training]")]
    public int? BatchSize { get; set; }

    [Option("threshold", HelpText =
        "Select latents by the stored threshold, as the model is used on single rows, instead of per batch (batch_topk).")]
    public bool Threshold { get; set; }

    [Section("Output")]
    [Option("json", HelpText = "Print JSON instead of a table.")]
    public bool PrintJson { get; set; }

    [Option("out", MetaValue = "FILE", HelpText =
        "Also write the results to FILE: a summary if it ends in .json, one row per latent if in .parquet.")]
    public string? Output { get; set; }

    [Option("vocabulary", MetaValue = "FILE", HelpText = FeatureOptions.VocabularyHelp
        + " in --out FILE.parquet, else in the run folder's latents.parquet")]
    public string? Vocabulary { get; set; }

    [Option("vocabulary-column", MetaValue = "NAME", HelpText = FeatureOptions.VocabularyColumnHelp)]
    public string? VocabularyColumn { get; set; }

    [Option("samples", MetaValue = "N", HelpText =
        "Also write N top, N middle and N bottom samples of every latent [0: none]")]
    public int Samples { get; set; }

    [Option("samples-out", MetaValue = "FILE", HelpText =
        "The Parquet file of the samples [samples.parquet in the run folder, in place of those of its last evaluation]")]
    public string? SamplesOutput { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (Samples is < 0 or > LatentSamples.MaxCount)
        {
            throw new UsageException($"--samples must be from 0 to {LatentSamples.MaxCount}, but is {Samples}");
        }

        if (SamplesOutput is not null && Samples == 0)
        {
            throw new UsageException("--samples-out needs --samples N: how many");
        }

        FeatureOptions.CheckVocabulary(Vocabulary, VocabularyColumn);

        if (BatchSize <= 0)
        {
            throw new UsageException($"--batch-size must be positive, but is {BatchSize}");
        }

        FeatureOptions.CheckLabels(NoLabels, LabelColumn, LabelsFile);

        var folder = new RunFolder(RunPath);
        OutputFile.Check(Output, Formats, folder.Files);
        OutputFile.Check(SamplesOutput, SamplesFormats, folder.Files.Where(file => file != folder.Samples), "--samples-out");
        var undefined = UndefinedScore.Parse(Undefined);
        var source = ModelSource.Open(RunPath);
        var (config, training) = (source.Config, source.Training);
        var set = FeatureOptions.OpenFor(context, source, RunPath, Data, new FeatureSetOptions
        {
            Normalize = RowScaling.UnitRows(Rows) ?? config.UnitRows,
            FeaturesColumn = FeaturesColumn,
            SimilarityColumn = SimilarityColumn ?? training?.SimilarityColumn,
            LabelColumn = LabelColumn,
            LabelsFile = LabelsFile,
            ReadLabels = !NoLabels,
        });
        IReadOnlyList<string> inputs = Vocabulary is null ? set.Files : [.. set.Files, Vocabulary];
        var format = OutputFile.Check(Output, Formats, inputs);
        using var claim = new RunLock(RunPath);
        var samplesPath = Samples > 0 ? SamplesPath(claim, inputs) : null;
        var namesPath = Vocabulary is not null && format != ".parquet" ? NamesPath(claim, folder, inputs) : null;
        var vocabulary = Vocabulary is null ? null : FeatureOptions.OpenVocabulary(
            context,
            Vocabulary,
            VocabularyColumn,
            FeaturesColumn ?? training?.FeaturesColumn ?? set.FeaturesColumn,
            config.Dimension);
        using var device = OpenDevice();
        using var model = source.Load(device);
        if (Threshold && !model.SelectsFromBatch)
        {
            throw new UsageException($"--threshold is for batch_topk, which selects from the batch: {RunPath} selects its latents the same "
                + "way in any case");
        }

        model.SelectsByThreshold = Threshold;
        var batchSize = BatchSize ?? training?.BatchSize ?? new StepOptions().BatchSize;
        var samples = samplesPath is null ? null : new LatentSamples(config.Latents, Samples);
        var result = Evaluation.Run(model, set, batchSize, _ => context.Stop.ThrowIfCancellationRequested(), undefined, samples);
        if (result.HasTooManyLabels)
        {
            context.Notice(["no class purity: latents fire for too many classes to count"]);
        }

        if (vocabulary is not null)
        {
            result = result.WithNames(vocabulary.NamesOf(model, stop: context.Stop));
        }

        var summary = EvaluationSummary.Of(result);
        var json = JsonSerializer.SerializeToNode(summary, Json)!.AsObject();
        json.Insert(0, "rows", JsonValue.Create(result.Rows));
        switch (format)
        {
            case ".json":
                AtomicFile.WriteAllText(Output!, json.ToJsonString(Json) + "\n");
                break;
            case ".parquet":
                MetricsFiles.WriteLatents(Output!, result.Latents, set.Classes, set.ClassNumbers, set.HasClassNames);
                break;
        }

        if (namesPath is not null)
        {
            MetricsFiles.ReplaceNames(namesPath, [.. result.Latents.Select(latent => latent.Names)]);
        }

        if (samples is not null && SamplesFile.Write(samplesPath!, samples, set) is { } notice)
        {
            context.Notice([notice]);
        }

        if (PrintJson)
        {
            context.WriteLine(json.ToJsonString(Json));
        }
        else
        {
            ResultTable.Write(context, "run", [(Threshold ? TrainingResults.NameByThreshold(RunPath) : RunPath, summary)]);
        }

        return ExitCode.Success;
    }

    /// <summary>The run's latents.parquet, once it is clear that names can be written to it.</summary>
    private string NamesPath(RunLock claim, RunFolder folder, IReadOnlyList<string> inputs)
    {
        if (!File.Exists(folder.Latents))
        {
            throw new UsageException($"--vocabulary: {RunPath} has no latents.parquet to write names to; use --out FILE.parquet");
        }

        claim.ClaimExisting();
        MetricsFiles.ReadLatents(folder.Latents);
        OutputFile.Check(folder.Latents, SamplesFormats, SamplesOutput is null ? inputs : [.. inputs, SamplesOutput], "--vocabulary");
        return folder.Latents;
    }

    /// <summary>The file of the samples, once it is clear that it can be written.</summary>
    private string SamplesPath(RunLock claim, IReadOnlyList<string> inputs)
    {
        if (SamplesOutput is null)
        {
            if (!Directory.Exists(RunPath))
            {
                throw new UsageException($"--samples-out is required: {RunPath} is not a folder");
            }

            // A run that is in training writes this file at its end.
            claim.ClaimExisting();
        }

        var path = SamplesOutput ?? new RunFolder(RunPath).Samples;
        OutputFile.Check(path, SamplesFormats, Output is null ? inputs : [.. inputs, Output], "--samples-out");
        return path;
    }
}
