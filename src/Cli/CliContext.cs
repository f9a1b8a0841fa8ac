using Spectre.Console;

namespace MonoLoss.Cli;

/// <summary>What a command talks to.</summary>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
/// <param name="Stop">Asks the command to end.</param>
internal sealed record CliContext(IAnsiConsole Output, TextWriter Error, CancellationToken Stop)
{
    /// <summary>Wide enough for every table: what is redirected to a file must not be wrapped at an imagined screen's edge.</summary>
    private const int RedirectedWidth = 160;

    /// <summary>Whether output is a terminal that can redraw lines.</summary>
    public bool IsTerminal { get; } = Output.Profile is { Out.IsTerminal: true, Capabilities: { Ansi: true, Interactive: true } };

    /// <summary>Writes a line of plain text, unwrapped.</summary>
    public void WriteLine(string line = "") => Output.Profile.Out.Writer.WriteLine(line);

    /// <summary>Writes a table; without a frame of box characters where output is no terminal.</summary>
    public void Write(Table table)
    {
        if (!IsTerminal)
        {
            Output.Profile.Width = RedirectedWidth;
        }

        Output.Write(table.Border(IsTerminal ? TableBorder.Rounded : TableBorder.Simple));
    }
}
