using System.Globalization;
using System.Reflection;
using CommandLine;
using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Cli;

/// <summary>Finds the verb, reads its options, runs it, and turns whatever goes wrong into one line and an exit code.</summary>
internal static class Application
{
    private const string TraceVariable = "MONOLOSS_TRACE";

    // The order of the overview.
    private static readonly Type[] Verbs = [typeof(TrainCommand), typeof(EvalCommand), typeof(ScoreCommand), typeof(DemoCommand), typeof(DevicesCommand)];

    /// <summary>Runs a command line.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, CliContext context)
    {
        try
        {
            return RunCommand(args, context);
        }
        catch (OperationCanceledException) when (context.Stop.IsCancellationRequested)
        {
            return ExitCode.Stopped;
        }
        catch (Exception exception)
        {
            var expected = IsExpected(exception);
            var trace = Environment.GetEnvironmentVariable(TraceVariable) is { Length: > 0 };
            context.Error.WriteLine(expected
                ? $"monoloss: {Message(exception)}"
                : $"monoloss: internal error: {exception.GetType().Name}: {Message(exception)}"
                    + (trace ? string.Empty : $" (set {TraceVariable}=1 to see where)"));
            if (trace)
            {
                context.Error.WriteLine(exception);
            }

            return expected ? ExitCode.BadInput : ExitCode.InternalError;
        }
    }

    private static bool IsExpected(Exception exception) => exception is
        UsageException or DataException or ConfigurationException or DeviceException or IOException or UnauthorizedAccessException or OutOfMemoryException;

    private static string Message(Exception exception) => exception is OutOfMemoryException
        ? "not enough memory: try a smaller --memory, --batch-size or --latents"
        : exception.Message.ReplaceLineEndings(" ");

    private static int RunCommand(string[] args, CliContext context)
    {
        if (args.Length == 0 || args is ["help"] or ["--help"] or ["-h"])
        {
            HelpPage.WriteOverview(context, Verbs);
            return ExitCode.Success;
        }

        if (args is ["--version"] or ["version"])
        {
            context.WriteLine($"monoloss {BuildInfo.Version}");
            return ExitCode.Success;
        }

        var name = args[0] == "help" ? args[1] : args[0];
        var verb = Array.Find(Verbs, type => HelpPage.Name(type) == name)
            ?? throw new UsageException($"there is no command '{name}'{Suggest(name, Verbs.Select(HelpPage.Name))}; "
                + $"expected one of {string.Join(", ", Verbs.Select(HelpPage.Name))}");
        if (args[0] == "help" || args.Skip(1).Any(arg => arg is "--help" or "-h"))
        {
            HelpPage.WriteVerb(context, verb);
            return ExitCode.Success;
        }

        CheckValues(verb, args[1..]);
        return Parse(verb, args[1..]).Run(context);
    }

    private static Command Parse(Type verb, string[] args)
    {
        using var parser = new Parser(settings =>
        {
            settings.HelpWriter = null;
            settings.AutoHelp = false;
            settings.AutoVersion = false;
            settings.AllowMultiInstance = true;
            settings.ParsingCulture = CultureInfo.InvariantCulture;
        });
        Command? command = null;
        Error? error = null;
        parser.ParseArguments([HelpPage.Name(verb), .. ShortNames(verb, args)], Verbs)
            .WithParsed(parsed => command = (Command)parsed)
            .WithNotParsed(errors => error = errors.First());
        if (error is not null)
        {
            throw new UsageException($"{HelpPage.Name(verb)}: {Describe(error, verb, args)}");
        }

        if (command!.UnexpectedArguments.FirstOrDefault() is { } stray)
        {
            throw new UsageException($"{HelpPage.Name(verb)}: '{stray}' belongs to no option; see monoloss {HelpPage.Name(verb)} --help");
        }

        return command;
    }

    /// <summary>What the parser lets pass: an option without its value at the end of the line, and one that is given twice.</summary>
    private static void CheckValues(Type verb, string[] args)
    {
        var options = HelpPage.Options(verb).ToDictionary(option => HelpPage.Flag(option.Attribute));
        foreach (var (flag, (property, attribute)) in options)
        {
            var places = Enumerable.Range(0, args.Length).Where(i => args[i] == flag).ToList();
            if (property.PropertyType != typeof(bool)
                && places.Exists(i => i + 1 == args.Length || options.ContainsKey(args[i + 1].Split('=')[0])))
            {
                throw new UsageException($"{HelpPage.Name(verb)}: {flag} needs a value: {attribute.MetaValue}");
            }

            var given = places.Count + args.Count(arg => arg.StartsWith($"{flag}=", StringComparison.Ordinal));
            if (given > 1 && property.PropertyType != typeof(IEnumerable<string>))
            {
                throw new UsageException($"{HelpPage.Name(verb)}: {flag} is given {given} times");
            }
        }
    }

    /// <summary>The parser takes names of one letter as -k only: --k and --k=5 are rewritten to that.</summary>
    private static IEnumerable<string> ShortNames(Type verb, string[] args)
    {
        var letters = HelpPage.Options(verb).Select(option => option.Attribute).Where(option => option.ShortName.Length > 0).ToList();
        foreach (var arg in args)
        {
            if (letters.Find(option => arg == HelpPage.Flag(option)) is { } letter)
            {
                yield return $"-{letter.ShortName}";
            }
            else if (letters.Find(option => arg.StartsWith($"{HelpPage.Flag(option)}=", StringComparison.Ordinal)) is { } assigned)
            {
                yield return $"-{assigned.ShortName}";
                yield return arg[(arg.IndexOf('=') + 1)..];
            }
            else
            {
                yield return arg;
            }
        }
    }

    private static string Describe(Error error, Type verb, string[] args)
    {
        if (error is UnknownOptionError unknown)
        {
            var name = Array.Find(args, arg => arg.TrimStart('-').Split('=')[0] == unknown.Token)?.Split('=')[0] ?? unknown.Token;
            return $"there is no option {name}{Suggest(name, HelpPage.Options(verb).Select(option => HelpPage.Flag(option.Attribute)))}; "
                + $"see monoloss {HelpPage.Name(verb)} --help";
        }

        if (error is not NamedError named)
        {
            return $"the command line cannot be understood ({error.Tag}); see monoloss {HelpPage.Name(verb)} --help";
        }

        var (property, attribute) = HelpPage.Options(verb).First(option =>
            option.Attribute.LongName == named.NameInfo.LongName && option.Attribute.ShortName == named.NameInfo.ShortName);
        var flag = HelpPage.Flag(attribute);
        return error switch
        {
            MissingRequiredOptionError => $"{flag} is missing: {attribute.HelpText}",
            _ => $"{flag}: found '{GivenValue(flag, args)}', expected {Expected(property)}",
        };
    }

    private static string Expected(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return type == typeof(int) || type == typeof(long) ? "a whole number" : type == typeof(double) ? "a number" : "another value";
    }

    private static string GivenValue(string flag, string[] args)
    {
        var at = Array.FindLastIndex(args, arg => arg == flag || arg.StartsWith($"{flag}=", StringComparison.Ordinal));
        var equals = at < 0 ? -1 : args[at].IndexOf('=');
        return equals >= 0 ? args[at][(equals + 1)..] : at >= 0 && at + 1 < args.Length ? args[at + 1] : string.Empty;
    }

    private static string Suggest(string found, IEnumerable<string> names)
    {
        var (name, distance) = names.Select(name => (name, EditDistance(found, name))).MinBy(pair => pair.Item2);
        return distance <= Math.Max(1, (found.Length + 1) / 3) ? $" (did you mean {name}?)" : string.Empty;
    }

    /// <summary>Levenshtein's distance.</summary>
    private static int EditDistance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
