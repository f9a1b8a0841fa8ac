using CommandLine;

namespace MonoLoss.Bench;

/// <summary>Every measurement that README's performance section rests on.</summary>
[Verb("report", HelpText = "Runs gemm, steps, compare and monoscore and prints, in Markdown, every figure that the project is held to.")]
internal sealed class ReportCommand : MeasuringCommand
{
    /// <summary>The Python to use.</summary>
    [Option("python", HelpText = "A python3 that has torch; the first on the PATH that does if not given.")]
    public string? Python { get; set; }

    /// <summary>The plot to write.</summary>
    [Option("out", HelpText = "Where to write the plot of MonoScore's cost (SVG).")]
    public string? Out { get; set; }

    /// <inheritdoc/>
    internal override void Measure(Scoreboard scoreboard)
    {
        // Before an hour of measuring, not after it.
        var python = Peer.FindPython(Python);
        var compare = WithSameOptions(new CompareCommand());
        compare.Python = python;
        var monoScore = WithSameOptions(new MonoScoreCommand());
        monoScore.Out = Out;
        foreach (var (title, command) in new (string, MeasuringCommand)[]
        {
            // First, while the process has no other memory that its peak would show.
            ("MonoScore", monoScore),
            ("Products", WithSameOptions(new GemmCommand())),
            ("Training steps", WithSameOptions(new StepsCommand())),
            ("Against PyTorch", compare),
        })
        {
            Console.WriteLine($"\n### {title}");
            command.Measure(scoreboard);
        }

        Console.WriteLine("\n### What was to be reached");
    }
}
