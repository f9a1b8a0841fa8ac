using System.Text.Json;
using System.Text.Json.Nodes;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Evaluates a trained autoencoder on features.</summary>
[Verb("eval", HelpText = "Evaluate a trained autoencoder on Parquet features.")]
internal sealed class EvalCommand : Command
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = "The run folder.")]
    public string RunPath { get; set; } = string.Empty;

    [Option("data", Required = true, MetaValue = "PATH…", HelpText = "Parquet files, folders or patterns.")]
    public IEnumerable<string> Data { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = "Column of features [as in training]")]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column of class labels [as in training]")]
    public string? LabelColumn { get; set; }

    [Option("batch-size", MetaValue = "B", HelpText = "Rows at a time; batch_topk selects within them [as in training]")]
    public int? BatchSize { get; set; }

    [Section("Machine")]
    [Option("device", Default = "auto", MetaValue = "NAME", HelpText =
        DeviceFactory.Names + "; monoloss devices lists them")]
    public string DeviceName { get; set; } = string.Empty;

    [Option("tf32", HelpText = "Round the factors of dense products to TF32: faster on NVIDIA GPUs (compute capability 8.0 on).")]
    public bool Tf32 { get; set; }

    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Threads; 0: one a core")]
    public int Threads { get; set; }

    [Section("Output")]
    [Option("json", HelpText = "Print JSON instead of a table.")]
    public bool PrintJson { get; set; }

    [Option("out", MetaValue = "FILE", HelpText = "Write the figures to FILE.json, or those of every latent to FILE.parquet.")]
    public string? Output { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (BatchSize <= 0)
        {
            throw new UsageException($"--batch-size must be positive, not {BatchSize}");
        }

        var kind = Path.GetExtension(Output);
        if (Output is not null && kind is not (".json" or ".parquet"))
        {
            throw new UsageException($"--out: found '{Output}', expected a name that ends in .json or .parquet");
        }

        var folder = new RunFolder(RunPath);
        var (config, training) = folder.ReadConfig();
        var set = FeatureSet.Open(Data, new FeatureSetOptions
        {
            FeaturesColumn = FeaturesColumn ?? training?.FeaturesColumn,
            LabelColumn = LabelColumn ?? training?.LabelColumn,
        });
        if (set.Dimension != config.Dimension)
        {
            throw new DataException($"{set.Files[0]}: column '{set.FeaturesColumn}': its features have {set.Dimension} dimensions, "
                + $"those of {folder.Config} {config.Dimension}");
        }

        using var device = DeviceFactory.Open(DeviceName, Threads, Tf32);
        using var model = SparseAutoencoder.Create(device, config);
        folder.ReadWeights(model);
        var batchSize = BatchSize ?? training?.BatchSize ?? new TrainingOptions { Train = [], Output = string.Empty }.BatchSize;
        var result = Trainer.Evaluate(model, set, batchSize, _ => context.Stop.ThrowIfCancellationRequested());
        var json = JsonSerializer.SerializeToNode(EvaluationSummary.Of(result), Json)!.AsObject();
        json.Insert(0, "rows", JsonValue.Create(result.Rows));
        switch (kind)
        {
            case ".json":
                AtomicFile.WriteAllText(Output!, json.ToJsonString(Json) + "\n");
                break;
            case ".parquet":
                MetricsFiles.WriteLatents(Output!, result.Latents, set.Classes, set.LabelsAreIntegers);
                break;
        }

        if (PrintJson)
        {
            context.WriteLine(json.ToJsonString(Json));
        }
        else
        {
            ResultTable.Write(context, "run", [(RunPath, EvaluationSummary.Of(result))]);
        }

        return ExitCode.Success;
    }
}
