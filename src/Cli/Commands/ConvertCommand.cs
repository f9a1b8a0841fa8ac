using CommandLine;
using MonoLoss.Data;

namespace MonoLoss.Cli;

/// <summary>Writes features in any format that is read as one Parquet file.</summary>
[Verb("convert", HelpText = "Write features of any format as one Parquet file that streams well.")]
internal sealed class ConvertCommand : Command
{
    private static readonly string[] Formats = [".parquet"];

    [Section("Input")]
    [Positional]
    [Option("source", Required = true, MetaValue = "PATH…", HelpText = "Features: " + FeatureOptions.Paths)]
    public IEnumerable<string> Sources { get; set; } = [];

    [Option("features-column", MetaValue = "NAME", HelpText = FeatureOptions.ColumnHelp)]
    public string? FeaturesColumn { get; set; }

    [Option("label-column", MetaValue = "NAME", HelpText = FeatureOptions.LabelHelp)]
    public string? LabelColumn { get; set; }

    [Option("labels", MetaValue = "FILE", HelpText = FeatureOptions.LabelsFileHelp)]
    public string? LabelsFile { get; set; }

    [Option("no-labels", HelpText = "Write no labels.")]
    public bool NoLabels { get; set; }

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "FILE", HelpText =
        "The Parquet file: features (lists of float32, as they are), label, and the column of ids or paths if there is one.")]
    public string Output { get; set; } = string.Empty;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        FeatureOptions.CheckLabels(NoLabels, LabelColumn, LabelsFile);
        OutputFile.Check(Output, Formats, []);
        var set = FeatureSet.Open(Sources, new FeatureSetOptions
        {
            FeaturesColumn = FeaturesColumn,
            LabelColumn = LabelColumn,
            LabelsFile = LabelsFile,
            ReadLabels = !NoLabels,
            Normalize = false,
        });
        context.Notice(set.Notices);
        OutputFile.Check(Output, Formats, set.Files);
        var columns = FeatureConverter.Write(set, Output, context.Stop);
        context.WriteLine($"written {Output}: {ProgressFormat.Format(set.Rows)} rows of {ProgressFormat.Format(set.Dimension)} features; "
            + "columns "
            + string.Join(", ", columns));
        return ExitCode.Success;
    }
}
