using Spectre.Console;
using Spectre.Console.Rendering;

namespace MonoLoss.Cli;

/// <summary>The console that a command writes to, and the user's request to stop it.</summary>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
/// <param name="Stop">Canceled when the command should end.</param>
internal sealed record CliContext(IAnsiConsole Output, TextWriter Error, CancellationToken Stop)
{
    // Wide enough for every table: redirected output must not be wrapped at the width of a terminal that is not there.
    private const int RedirectedWidth = 1000;

    // In a terminal of a few columns, layout of a column that must not wrap would not end. The terminal wraps the lines then.
    private const int LeastWidth = 60;

    /// <summary>Whether output is a terminal that can redraw lines.</summary>
    public bool IsTerminal { get; } = Output.Profile is { Out.IsTerminal: true, Capabilities: { Ansi: true, Interactive: true } };

    /// <summary>Writes a line of plain text, unwrapped.</summary>
    public void WriteLine(string line = "") => Output.Profile.Out.Writer.WriteLine(line);

    /// <summary>Writes what the user should know to standard error, where it does not mix with results, a line each.</summary>
    public void Notice(IEnumerable<string> notices)
    {
        foreach (var notice in notices)
        {
            Error.WriteLine($"monoloss: {notice}");
        }
    }

    /// <summary>Writes a table, with a frame only on a terminal.</summary>
    public void Write(Table table) => Write(table.Border(IsTerminal ? TableBorder.Rounded : TableBorder.Simple), RedirectedWidth);

    /// <summary>Writes anything that Spectre.Console can lay out, as wide as the terminal.</summary>
    /// <param name="content">What to write.</param>
    /// <param name="width">The width where output is redirected, and the most on a terminal.</param>
    public void Write(IRenderable content, int width)
    {
        var profile = Output.Profile;
        var terminal = profile.Width;
        profile.Width = IsTerminal ? Math.Clamp(terminal, LeastWidth, width) : width;
        Output.Write(content);
        profile.Width = terminal;
    }
}
