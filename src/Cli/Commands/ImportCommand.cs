using CommandLine;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Makes a run folder of an autoencoder that another tool wrote.</summary>
[Verb("import", HelpText = "Make a run folder of an autoencoder from SAELens, sparsify, dictionary_learning, saev or the official code.")]
internal sealed class ImportCommand : Command
{
    [Section("Input")]
    [Positional]
    [Option("source", Required = true, MetaValue = "SRC", HelpText = "Folder of the autoencoder as its tool wrote it.")]
    public string Source { get; set; } = string.Empty;

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [as the tool does]")]
    public string? Rows { get; set; }

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "DIR", HelpText = "The run folder.")]
    public string Output { get; set; } = string.Empty;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        var folder = new RunFolder(Output);
        if (folder.HasRun)
        {
            throw new UsageException($"--out: {Output} already contains a run");
        }

        var foreign = ForeignFormats.Read(Source);
        var config = RowScaling.UnitRows(Rows) is { } unitRows ? foreign.Config with { UnitRows = unitRows } : foreign.Config;
        folder.Import(foreign, config);
        context.WriteLine($"read    {foreign.Description}: {ProgressFormat.Format(config.Latents)} latents of "
            + $"{ProgressFormat.Format(config.Dimension)} features, {(config.UnitRows ? "rows of unit length" : "rows as they are")}");
        foreach (var remark in foreign.Remarks)
        {
            context.WriteLine($"note    {remark}");
        }

        context.WriteLine($"run folder {Output}");
        return ExitCode.Success;
    }
}
