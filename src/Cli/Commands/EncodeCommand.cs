using CommandLine;
using MonoLoss.Data;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Writes the latents of features.</summary>
[Verb("encode", HelpText = "Write the latents of features: which fire in each row, and how strongly.")]
internal sealed class EncodeCommand : DeviceCommand
{
    private static readonly string[] Formats = [".parquet"];

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = FeatureOptions.RunHelp)]
    public string RunPath { get; set; } = string.Empty;

    [Option("data", Required = true, MetaValue = "PATH…", HelpText = "Features: " + FeatureOptions.Paths)]
    public IEnumerable<string> Data { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = "Column with the features [as in training]")]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = "Column with class labels, which is copied [as in training]")]
    public string? LabelColumn { get; set; }

    [Option("labels", MetaValue = "FILE", HelpText = FeatureOptions.LabelsFileHelp)]
    public string? LabelsFile { get; set; }

    [Option("no-labels", HelpText = "Leave labels out.")]
    public bool NoLabels { get; set; }

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [as the model wants them]")]
    public string? Rows { get; set; }

    [Option("select", Default = "threshold", MetaValue = "KIND", HelpText =
        "How batch_topk selects: threshold = by its stored threshold, row by row; batch = the k per row that are largest in a batch")]
    public string Select { get; set; } = string.Empty;

    [Option("batch-size", MetaValue = "B", HelpText = "Rows per batch [as in training]")]
    public int? BatchSize { get; set; }

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "FILE", HelpText =
        "Parquet file with the columns indices and values (a list per row), and the id and label columns of the features.")]
    public string Output { get; set; } = string.Empty;

    [Option("reconstruction", MetaValue = "FILE", HelpText =
        "Also write the reconstructions, in the scale of the features, to this Parquet file.")]
    public string? Reconstruction { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (Select is not ("threshold" or "batch"))
        {
            throw new UsageException($"--select: found '{Select}', expected threshold or batch");
        }

        if (BatchSize <= 0)
        {
            throw new UsageException($"--batch-size must be positive, but is {BatchSize}");
        }

        FeatureOptions.CheckLabels(NoLabels, LabelColumn, LabelsFile);
        var source = ModelSource.Open(RunPath);
        var set = FeatureOptions.OpenFor(context, source, RunPath, Data, new FeatureSetOptions
        {
            Normalize = false,
            FeaturesColumn = FeaturesColumn,
            LabelColumn = LabelColumn,
            LabelsFile = LabelsFile,
            ReadLabels = !NoLabels,
        });
        OutputFile.Check(Output, Formats, set.Files);
        OutputFile.Check(Reconstruction, Formats, [.. set.Files, Output]);
        using var device = OpenDevice();
        using var model = source.Load(device, RowScaling.UnitRows(Rows));
        model.SelectsByThreshold = Select == "threshold" && model.SelectsFromBatch;
        Encoder.Encode(
            model, set, BatchSize ?? source.Training?.BatchSize ?? new StepOptions().BatchSize, Output, Reconstruction,
            _ => context.Stop.ThrowIfCancellationRequested());
        var files = Reconstruction is null ? Output : $"{Output}, {Reconstruction}";
        context.WriteLine($"{ProgressFormat.Format(set.Rows)} rows, {files}");
        return ExitCode.Success;
    }
}
