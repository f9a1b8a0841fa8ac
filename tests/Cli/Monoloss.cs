using System.Diagnostics;
using System.Runtime.CompilerServices;
using MonoLoss.Cli;
using MonoLoss.Data.Parquet;
using MonoLoss.Models;
using MonoLoss.Tests.Data;
using Spectre.Console;

namespace MonoLoss.Tests.Cli;

/// <summary>The outcome of a command: exit code and streams.</summary>
internal sealed record Outcome(int Exit, string Output, string Error)
{
    /// <summary>Lines on stderr other than that an option has no effect: tests of all models give each the same options.</summary>
    public IEnumerable<string> Failures => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Where(line => !line.Contains(" has no effect on ", StringComparison.Ordinal));

    /// <summary>Checks that the command succeeded with nothing on stderr (<see cref="Failures"/>).</summary>
    public Outcome Succeeded()
    {
        Assert.True(Exit == ExitCode.Success && !Failures.Any(), $"exit code {Exit}: {Error}");
        return this;
    }

    /// <summary>Checks that the command rejected its input: exit code 2 and one line on stderr that contains these words.</summary>
    public void Refused(params string[] words)
    {
        Assert.True(Exit == ExitCode.BadInput, $"exit code {Exit}: {Error}{Output}");
        Assert.StartsWith("monoloss: ", Error, StringComparison.Ordinal);
        Assert.Equal(Error.Length - 1, Error.IndexOf('\n'));
        Assert.All(words, word => Assert.Contains(word, Error, StringComparison.Ordinal));
    }
}

/// <summary>Runs the command line, in this process or in a new one.</summary>
internal static class Monoloss
{
    // The tests also run from a plain folder, with a runtime that need not be installed.
    private static string Host =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    public static Outcome Run(params string[] args) => Run(new StringWriter(), args, CancellationToken.None);

    /// <summary>Runs until a line of output starts with a text (white space counts as one space), then asks the process to stop.</summary>
    public static Outcome RunUntil(string line, params string[] args)
    {
        using var stop = new CancellationTokenSource();
        return Run(new StoppingWriter(line, stop), args, stop.Token);
    }

    /// <summary>Starts the program; output is redirected.</summary>
    /// <param name="shell">Shell commands before it, in the same process; null for none.</param>
    /// <param name="args">Its arguments.</param>
    public static Process Start(string? shell, params string[] args) => StartIn(AppContext.BaseDirectory, shell, args);

    /// <summary>Starts the program of another folder.</summary>
    /// <inheritdoc cref="Start"/>
    public static Process StartIn(string folder, string? shell, params string[] args)
    {
        var start = new ProcessStartInfo(shell is null ? Host : "bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        if (shell is not null)
        {
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add($"{shell}; exec \"$0\" \"$@\"");
            start.ArgumentList.Add(Host);
        }

        // Otherwise the runtime maps its code from a file, to which a limit on file sizes applies too.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.ArgumentList.Add(Path.Combine(folder, "monoloss.dll"));
        foreach (var arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        return Process.Start(start)!;
    }

    /// <summary>Waits for a process to end.</summary>
    public static Outcome Finish(Process process)
    {
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, error.Result);
    }

    /// <summary>Runs with output to a terminal, escape sequences included.</summary>
    /// <param name="width">The terminal's columns.</param>
    /// <param name="args">The command line.</param>
    public static Outcome RunOnTerminal(int width, params string[] args)
    {
        var output = new StringWriter();
        return Run(output, args, CancellationToken.None, new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.Standard,
            Interactive = InteractionSupport.Yes,
            Out = new Terminal(output, width),
        });
    }

    private static Outcome Run(StringWriter output, string[] args, CancellationToken stop, AnsiConsoleSettings? settings = null)
    {
        var console = AnsiConsole.Create(settings ?? new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        var error = new StringWriter { NewLine = "\n" };
        return new Outcome(Application.Run(args, new CliContext(console, error, stop)), output.ToString(), error.ToString());
    }

    private sealed class Terminal(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => true;

        public int Width => width;

        public int Height => 24;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }

    private sealed class StoppingWriter(string start, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (string.Join(' ', value!.Split(' ', StringSplitOptions.RemoveEmptyEntries)).StartsWith(start, StringComparison.Ordinal))
            {
                stop.Cancel();
            }
        }
    }
}

/// <summary>Small feature files, and the files of runs on them.</summary>
internal static class RunFiles
{
    /// <summary>Rows clustered around a few directions, the same every time.</summary>
    public static float[] Features(int rows, int dimension, int seed = 1)
    {
        const int Directions = 5;
        var random = new Random(seed);
        var directions = Enumerable.Range(0, Directions * dimension).Select(_ => (random.NextSingle() * 2) - 1).ToArray();
        return [.. Enumerable.Range(0, rows * dimension).Select(i =>
            directions[(i / dimension % Directions * dimension) + (i % dimension)] + (random.NextSingle() * 0.6f) - 0.3f)];
    }

    /// <summary>Writes a file of features with labels.</summary>
    public static string Write(string path, float[] features, int dimension, int rowGroupRows = 65536)
    {
        var labels = Enumerable.Range(0, features.Length / dimension).Select(i => (long)(i % 5)).ToArray();
        ParquetWriter.Write(
            path,
            [ParquetData.FloatLists("features", features, dimension), ParquetData.Create("label", labels)],
            new ParquetWriterOptions { RowGroupRows = rowGroupRows });
        return path;
    }

    /// <summary>Writes 640 rows of 16 floats in row groups of 100.</summary>
    public static string Write(TempFolder folder, string name = "features.parquet") =>
        Write(folder[name], Features(640, 16), 16, rowGroupRows: 100);

    /// <summary>Reads metrics.parquet without samples per second, which differs between runs.</summary>
    public static IEnumerable<StepMetrics> Steps(string run) =>
        MetricsFiles.ReadSteps(Path.Combine(run, "metrics.parquet")).Select(row => row with { SamplesPerSecond = 0 });

    /// <summary>Checks that two runs ended in the same bits.</summary>
    public static void AssertSame(string expected, string actual, bool evaluations = true)
    {
        Assert.Equal(Steps(expected), Steps(actual));
        foreach (var file in new[] { "sae_weights.safetensors", "training_state.safetensors", "latents.parquet" }
            .Concat(evaluations ? ["evals.parquet"] : []))
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(expected, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, file))),
                file);
        }
    }
}

/// <summary>A fact that needs signals and a shell.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class UnixFactAttribute : FactAttribute
{
    /// <summary>Skips the test on Windows.</summary>
    public UnixFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = OperatingSystem.IsWindows() ? "Windows has no signals" : null;
}

/// <summary>A theory that needs signals and a shell.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class UnixTheoryAttribute : TheoryAttribute
{
    /// <summary>Skips the test on Windows.</summary>
    public UnixTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = OperatingSystem.IsWindows() ? "Windows has no shell" : null;
}
