using CommandLine;

namespace MonoLoss.Bench;

/// <summary>Runs every measurement behind the published speeds.</summary>
[Verb("report", HelpText = "Runs gemm, steps, compare and monoscore and prints all results and targets in Markdown.")]
internal sealed class ReportCommand : MeasuringCommand
{
    /// <summary>The Python to use.</summary>
    [Option("python", HelpText = "A Python that can import torch [the first python3 on the PATH that can]")]
    public string? Python { get; set; }

    /// <summary>The file for the plot; null for none.</summary>
    [Option("out", HelpText = "Write a plot of MonoScore's cost to this file (SVG).")]
    public string? Out { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        // Fail before an hour of measuring, not after it.
        var python = Peer.FindPython(Python);
        var compare = WithSameOptions(new CompareCommand());
        compare.Python = python;
        var monoScore = WithSameOptions(new MonoScoreCommand());
        monoScore.Out = Out;
        foreach (var (title, command) in new (string, MeasuringCommand)[]
        {
            // First, before other work raises the process's peak memory.
            ("MonoScore", monoScore),
            ("Products", WithSameOptions(new GemmCommand())),
            ("Training steps", WithSameOptions(new StepsCommand())),
            ("Against PyTorch", compare),
        })
        {
            Console.WriteLine($"\n### {title}");
            command.Measure(scoreboard);
        }

        Console.WriteLine("\n### Targets");
    }
}
