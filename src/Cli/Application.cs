using System.Globalization;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Parses the command line, runs the command, and turns every failure into one line and an exit code.</summary>
internal static class Application
{
    private const string TraceVariable = "MONOLOSS_TRACE";

    // In the order in which the overview lists them.
    private static readonly Type[] Commands =
    [
        typeof(ExtractCommand),
        typeof(TrainCommand), typeof(SweepCommand),
        typeof(EvalCommand), typeof(ScoreCommand), typeof(ReportCommand), typeof(CompareCommand),
        typeof(EncodeCommand), typeof(DecodeCommand), typeof(ConvertCommand), typeof(ImportCommand), typeof(ExportCommand),
        typeof(DemoCommand), typeof(DevicesCommand),
    ];

    private static readonly Type[] WritingCommands =
    [
        typeof(TrainCommand), typeof(SweepCommand), typeof(ReportCommand), typeof(EncodeCommand), typeof(DecodeCommand),
        typeof(ConvertCommand),
        typeof(ImportCommand), typeof(ExportCommand), typeof(ExtractCommand), typeof(DemoCommand),
    ];

    /// <summary>Runs a command line.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, CliContext context)
    {
        var command = Find(args.FirstOrDefault(string.Empty));
        try
        {
            return Run(command, args, context);
        }
        catch (OperationCanceledException) when (context.Stop.IsCancellationRequested)
        {
            return ExitCode.Stopped;
        }
        catch (Exception exception)
        {
            var expected = IsExpected(exception);
            var trace = Environment.GetEnvironmentVariable(TraceVariable) is { Length: > 0 };
            var message = Options.Message(exception, command);
            context.Error.WriteLine(expected
                ? $"monoloss: {message}"
                : $"monoloss: internal error: {exception.GetType().Name}: {message}"
                    + (trace ? string.Empty : $" (set {TraceVariable}=1 for the stack trace)"));
            if (trace)
            {
                context.Error.WriteLine(exception);
            }

            return expected ? ExitCode.BadInput : ExitCode.InternalError;
        }
    }

    /// <summary>Whether a command's result is in files, so that what it prints may be lost.</summary>
    public static bool WritesFiles(string[] args) =>
        Find(args.FirstOrDefault(string.Empty)) is { } command
        && WritingCommands.Contains(command) && !args.Contains(SweepCommand.ListFlag);

    private static bool IsExpected(Exception exception) => exception is
        UsageException or DataException or ConfigurationException or DeviceException
            or IOException or UnauthorizedAccessException or OutOfMemoryException;

    private static int Run(Type? command, string[] args, CliContext context)
    {
        if (args.Length == 0 || args[0] == "help" || args.Any(arg => arg is "--help" or "-h"))
        {
            return Help(args, context);
        }

        if (args[0] == "version" || args.Contains("--version"))
        {
            context.WriteLine($"monoloss {BuildInfo.Version}");
            return ExitCode.Success;
        }

        if (command is null)
        {
            throw UnknownCommand(args[0]);
        }

        return Parse(command, args[1..]).Run(context);
    }

    /// <summary>Reads the arguments of a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="args">The arguments after its name.</param>
    /// <returns>The command with its options.</returns>
    /// <exception cref="UsageException">They are not such arguments.</exception>
    public static Command Parse(Type command, IReadOnlyList<string> args)
    {
        var name = HelpPage.Name(command);
        using var parser = new Parser(settings =>
        {
            settings.HelpWriter = null;
            settings.AllowMultiInstance = true;
            settings.ParsingCulture = CultureInfo.InvariantCulture;
        });
        return parser.ParseArguments([name, .. Arguments.Normalize(command, args)], Commands).MapResult(
            (Command parsed) => parsed,
            errors => throw new UsageException($"{name}: {Options.Describe(errors, command)}"));
    }

    /// <summary>The page of the command that is named before --help or after help, else the overview.</summary>
    private static int Help(string[] args, CliContext context)
    {
        var topic = Array.Find(args, arg => arg is not ("help" or "version") && !arg.StartsWith('-'));
        if (topic is null || (args[0] != topic && args[0] is not ("help" or "--help" or "-h")))
        {
            HelpPage.WriteOverview(context, Commands);
        }
        else
        {
            HelpPage.WriteCommand(context, Find(topic) ?? throw UnknownCommand(topic));
        }

        return ExitCode.Success;
    }

    private static Type? Find(string name) => Array.Find(Commands, type => HelpPage.Name(type) == name);

    private static UsageException UnknownCommand(string name)
    {
        var names = Array.ConvertAll(Commands, HelpPage.Name);
        return new UsageException($"unknown command '{name}'{Options.Suggest(name, names)}; expected one of {string.Join(", ", names)}");
    }
}
