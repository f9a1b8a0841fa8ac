using CommandLine;
using MonoLoss.Kernels;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>Lists the devices that --device may name.</summary>
[Verb("devices", HelpText = "List the devices to compute on.")]
internal sealed class DevicesCommand : Command
{
    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        var table = new Table().AddColumns("device", "description", "memory", "missing");
        foreach (var device in DeviceFactory.List())
        {
            table.AddRow(
                Markup.Escape(device.Name),
                Markup.Escape(device.Description),
                device.MemoryBytes > 0 ? DeviceMemory.Format(device.MemoryBytes) : string.Empty,
                Markup.Escape(device.Missing ?? string.Empty));
        }

        context.Write(table);
        return ExitCode.Success;
    }
}
