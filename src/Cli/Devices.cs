using CommandLine;
using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>Lists the devices that --device may name.</summary>
[Verb("devices", HelpText = "List the devices to compute on.")]
internal sealed class Devices : Command
{
    /// <inheritdoc/>
    public override int Run(Context context)
    {
        var table = new Table().AddColumns("device", "description");
        foreach (var name in DeviceChoice.Names)
        {
            using var device = DeviceChoice.Open(name, threads: 0);
            table.AddRow(Markup.Escape(name), Markup.Escape(device.Description));
        }

        context.Write(table);
        return ExitCode.Success;
    }
}
