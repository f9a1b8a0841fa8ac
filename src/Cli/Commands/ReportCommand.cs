using CommandLine;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Makes the report of complete runs again, from the files of their folders.</summary>
[Verb("report", HelpText = "Write the HTML report of a complete run, or of several side by side.")]
internal sealed class ReportCommand : Command
{
    [Section("Input")]
    [Option("run", Required = true, MetaValue = "DIR…", HelpText = "Run folders, in the order of the report.")]
    public IEnumerable<string> Runs { get; set; } = [];

    [Section("Output")]
    [Option("out", MetaValue = "FILE", HelpText = "The HTML file, ending in .html [report.html in the folder of a single run]")]
    public string? Output { get; set; }

    /// <inheritdoc/>
    public override int Run(CliContext context)
    {
        string[] folders = [.. Runs];
        if (Output is null && folders.Length > 1)
        {
            throw new UsageException("--out is required with several runs: the HTML file");
        }

        OutputFile.Check(Output, [".html"], []);
        var output = Output ?? Path.Combine(folders[0], "report.html");
        Report.Write(output, [.. folders.Select(folder => (folder, new RunFolder(folder).ReadCompleted()))]);
        context.WriteLine($"report {output}");
        return ExitCode.Success;
    }
}
