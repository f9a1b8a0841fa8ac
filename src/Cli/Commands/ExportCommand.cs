using CommandLine;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Writes an autoencoder in the format of another tool.</summary>
[Verb("export", HelpText = "Write an autoencoder so that SAELens, sparsify, dictionary_learning, saev or the official code can load it.")]
internal sealed class ExportCommand : Command
{
    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = "Run folder of the autoencoder, or a folder of another tool.")]
    public string RunPath { get; set; } = string.Empty;

    [Section("Output")]
    [Option("format", Required = true, MetaValue = "NAME", HelpText = "saelens, sparsify, dictionary-learning, saev or official")]
    public string Format { get; set; } = string.Empty;

    [Option("out", Required = true, MetaValue = "DIR", HelpText = "The folder to write; a model card, README.md, comes with the weights.")]
    public string Output { get; set; } = string.Empty;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        if (!ForeignFormats.Names.Contains(Format))
        {
            throw new UsageException($"--format: found '{Format}', expected {string.Join(", ", ForeignFormats.Names)}");
        }

        if (Directory.Exists(Output) && Directory.EnumerateFileSystemEntries(Output).Any())
        {
            throw new UsageException($"--out: {Output} is not empty");
        }

        var source = ModelSource.Open(RunPath);
        using var device = DeviceFactory.Open("cpu");
        using var model = source.Load(device);
        var run = new RunFolder(RunPath);
        var results = source.Description is null && run.IsComplete ? run.ReadResults() : null;
        var remarks = ForeignFormats.Write(
            Format, model, Output, Provenance.Of(source.Config, source.Training, results?.Splits, source.Origin));
        if (File.Exists(run.Sparsity) && Format == "saelens")
        {
            File.Copy(run.Sparsity, Path.Combine(Output, Path.GetFileName(run.Sparsity)));
        }

        ModelCard.Write(Path.Combine(Output, "README.md"), Format, source, results, remarks);
        foreach (var remark in remarks)
        {
            context.WriteLine($"note    {remark}");
        }

        context.WriteLine($"written {Output} ({Format})");
        return ExitCode.Success;
    }
}
