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
        [typeof(TrainCommand), typeof(EvalCommand), typeof(ScoreCommand), typeof(DemoCommand), typeof(DevicesCommand)];

    /// <summary>Runs a command line.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, CliContext context)
    {
        var command = Array.Find(Commands, type => HelpPage.Name(type) == args.FirstOrDefault());
        try
        {
            return Run(command, Normalize(args), context);
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

    private static bool IsExpected(Exception exception) => exception is
        UsageException or DataException or ConfigurationException or DeviceException
            or IOException or UnauthorizedAccessException or OutOfMemoryException;

    /// <summary>--name=value as two arguments, and -h as --help; --help anywhere asks for help only.</summary>
    private static string[] Normalize(string[] args)
    {
        if (args.Skip(1).Any(arg => arg is "--help" or "-h"))
        {
            return ["help", args[0]];
        }

        return [.. args.SelectMany(arg => arg == "-h" ? ["--help"]
            : arg.StartsWith("--", StringComparison.Ordinal) && arg.IndexOf('=') is > 0 and var equals
                ? [arg[..equals], arg[(equals + 1)..]]
            : new[] { arg })];
    }

    private static int Run(Type? command, string[] args, CliContext context)
    {
        if (command is not null && args[0] != "help")
        {
            Options.CheckValues(command, args[1..]);
        }

        using var parser = new Parser(settings =>
        {
            settings.HelpWriter = null;
            settings.AllowMultiInstance = true;
            settings.ParsingCulture = CultureInfo.InvariantCulture;
        });
        return parser.ParseArguments(args, Commands).MapResult(
            (Command parsed) => parsed.UnexpectedArguments.FirstOrDefault() is { } unexpected
                ? throw new UsageException(
                    $"{HelpPage.Name(command!)}: unexpected argument '{unexpected}'; see monoloss {HelpPage.Name(command!)} --help")
                : parsed.Run(context),
            errors => Answer(errors.First(), command, args, context));
    }

    /// <summary>Prints the help that was asked for, or reports what the parser rejected.</summary>
    private static int Answer(Error error, Type? command, string[] args, CliContext context)
    {
        switch (error)
        {
            case HelpVerbRequestedError { Type: { } topic }:
                HelpPage.WriteCommand(context, topic);
                return ExitCode.Success;
            case HelpVerbRequestedError when args.Length > 1:
                throw UnknownCommand(args[1]);
            case HelpVerbRequestedError or NoVerbSelectedError:
                HelpPage.WriteOverview(context, Commands);
                return ExitCode.Success;
            case VersionRequestedError:
                context.WriteLine($"monoloss {BuildInfo.Version}");
                return ExitCode.Success;
            case BadVerbSelectedError unknown:
                throw UnknownCommand(unknown.Token);
            default:
                throw new UsageException($"{HelpPage.Name(command!)}: {Options.Describe(error, command!, args)}");
        }
    }

    private static UsageException UnknownCommand(string name)
    {
        var names = Array.ConvertAll(Commands, HelpPage.Name);
        return new UsageException($"unknown command '{name}'{Options.Suggest(name, names)}; expected one of {string.Join(", ", names)}");
    }
}
