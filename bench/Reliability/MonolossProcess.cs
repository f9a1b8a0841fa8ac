using System.Diagnostics;

namespace MonoLoss.Bench;

/// <summary>How a run of the command ended.</summary>
/// <param name="Exit">The exit code; 137 if it was killed.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record CommandOutcome(int Exit, string Output, string Error)
{
    /// <summary>The first line of standard error.</summary>
    public string FirstError => Error.Split('\n')[0];
}

/// <summary>Runs the built command in processes of its own.</summary>
internal sealed class MonolossProcess
{
    private readonly string _assembly;

    /// <summary>Finds the command.</summary>
    /// <param name="assembly">monoloss.dll; null for the one in the source tree.</param>
    /// <exception cref="BenchException">It has not been built.</exception>
    public MonolossProcess(string? assembly)
    {
        _assembly = assembly ?? Path.Combine(SourceTree(), "src", "Cli", "bin", "Release", "net10.0", "monoloss.dll");
        if (!File.Exists(_assembly))
        {
            throw new BenchException($"{_assembly}: no such file; build the command first, or name it with --command");
        }
    }

    /// <summary>Starts the command; its output is redirected.</summary>
    /// <param name="prefix">A program with its arguments that runs the command, such as a tracer; empty for none.</param>
    /// <param name="args">The command's arguments.</param>
    public Process Start(IReadOnlyList<string> prefix, IEnumerable<string> args)
    {
        string[] all = [.. prefix, "dotnet", _assembly, .. args];
        var start = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // The runtime's own files, so that those of the run are the only ones.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        return Process.Start(start) ?? throw new BenchException($"{all[0]} cannot be started");
    }

    /// <summary>Runs the command to its end.</summary>
    /// <inheritdoc cref="Start"/>
    public CommandOutcome Run(IReadOnlyList<string> prefix, IEnumerable<string> args)
    {
        using var process = Start(prefix, args);
        return Finish(process);
    }

    /// <summary>Waits for a process to end.</summary>
    public static CommandOutcome Finish(Process process)
    {
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new CommandOutcome(process.ExitCode, output, error.Result);
    }

    /// <summary>The folder of MonoLoss.sln above this program.</summary>
    /// <exception cref="BenchException">The program does not lie in the source tree.</exception>
    public static string SourceTree()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "MonoLoss.sln")))
            {
                return folder;
            }
        }

        throw new BenchException("MonoLoss.sln is not above this program: name the command with --command");
    }
}
