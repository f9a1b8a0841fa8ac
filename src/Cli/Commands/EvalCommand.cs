using System.Text.Json;
using System.Text.Json.Nodes;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Evaluates a trained autoencoder on features.</summary>
[Verb("eval", HelpText = "Evaluate a trained autoencoder on Parquet features.")]
internal sealed class EvalCommand : DeviceCommand
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = "Run folder of the autoencoder.")]
    public string RunPath { get; set; } = string.Empty;

    [Option("data", Required = true, MetaValue = "PATH…", HelpText = "Features: Parquet files, folders or patterns.")]
    public IEnumerable<string> Data { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = "Column with the features [as in training]")]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column with class labels [as in training]")]
    public string? LabelColumn { get; set; }

    [Option("no-labels", HelpText = "Do not look for labels: no class purity.")]
    public bool NoLabels { get; set; }

    [Option("batch-size", MetaValue = "B", HelpText = "Rows per batch; batch_topk selects its latents per batch [as in training]")]
    public int? BatchSize { get; set; }

    [Section("Output")]
    [Option("json", HelpText = "Print JSON instead of a table.")]
    public bool PrintJson { get; set; }

    [Option("out", MetaValue = "FILE", HelpText =
        "Also write the results to FILE: a summary if it ends in .json, one row per latent if in .parquet.")]
    public string? Output { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (BatchSize <= 0)
        {
            throw new UsageException($"--batch-size must be positive, but is {BatchSize}");
        }

        if (NoLabels && LabelColumn is not null)
        {
            throw new UsageException("--no-labels cannot be combined with --label-column");
        }

        var kind = Path.GetExtension(Output);
        if (Output is not null && kind is not (".json" or ".parquet"))
        {
            throw new UsageException($"--out: found '{Output}', expected a file name ending in .json or .parquet");
        }

        var folder = new RunFolder(RunPath);
        var (config, training) = folder.ReadConfig();
        var set = FeatureSet.Open(Data, new FeatureSetOptions
        {
            FeaturesColumn = FeaturesColumn ?? training?.FeaturesColumn,
            FeatureNames = training?.FeatureNames,
            LabelColumn = LabelColumn ?? training?.LabelColumn,
            ReadLabels = !NoLabels,
        });
        context.Notice(set.Notices);
        if (set.Dimension != config.Dimension)
        {
            throw new DataException($"{set.Files[0]}: column '{set.FeaturesColumn}' has features of dimension {set.Dimension}, "
                + $"but {folder.Config} expects {config.Dimension}");
        }

        using var device = OpenDevice();
        using var model = SparseAutoencoder.Create(device, config);
        folder.ReadWeights(model);
        var batchSize = BatchSize ?? (training ?? new TrainingOptions { Train = [], Output = string.Empty }).BatchSize;
        var result = Evaluation.Run(model, set, batchSize, _ => context.Stop.ThrowIfCancellationRequested());
        if (result.HasTooManyLabels)
        {
            context.Notice(["no class purity: latents fire for too many classes to count"]);
        }

        var summary = EvaluationSummary.Of(result);
        var json = JsonSerializer.SerializeToNode(summary, Json)!.AsObject();
        json.Insert(0, "rows", JsonValue.Create(result.Rows));
        switch (kind)
        {
            case ".json":
                AtomicFile.WriteAllText(Output!, json.ToJsonString(Json) + "\n");
                break;
            case ".parquet":
                MetricsFiles.WriteLatents(Output!, result.Latents, set.Classes, set.ClassNumbers, set.HasClassNames);
                break;
        }

        if (PrintJson)
        {
            context.WriteLine(json.ToJsonString(Json));
        }
        else
        {
            ResultTable.Write(context, "run", [(RunPath, summary)]);
        }

        return ExitCode.Success;
    }
}
