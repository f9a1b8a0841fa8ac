using CommandLine;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Turns latents back into features.</summary>
[Verb("decode", HelpText = "Turn latents that encode wrote, edited or not, back into features.")]
internal sealed class DecodeCommand : DeviceCommand
{
    private static readonly string[] Formats = [".parquet"];

    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR", HelpText = FeatureOptions.RunHelp)]
    public string RunPath { get; set; } = string.Empty;

    [Option("latents", Required = true, MetaValue = "FILE", HelpText =
        "Parquet file with the columns of encode: indices, values, and scale, mean and deviation where encode wrote them.")]
    public string Latents { get; set; } = string.Empty;

    [Option("rows", MetaValue = "KIND", HelpText = RowScaling.Help + " [as the model wants them]")]
    public string? Rows { get; set; }

    [Section("Output")]
    [Option("out", Required = true, MetaValue = "FILE", HelpText = "Parquet file with the column features.")]
    public string Output { get; set; } = string.Empty;

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        OutputFile.Check(Output, Formats, [Latents]);
        var source = ModelSource.Open(RunPath);
        using var device = OpenDevice();
        using var model = source.Load(device, RowScaling.UnitRows(Rows));
        Encoder.Decode(model, Latents, new StepOptions().BatchSize, Output, _ => context.Stop.ThrowIfCancellationRequested());
        context.WriteLine($"features {Output}");
        return ExitCode.Success;
    }
}
