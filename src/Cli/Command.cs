using CommandLine;

namespace MonoLoss.Cli;

/// <summary>How a process ended.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>A fault of the program.</summary>
    public const int InternalError = 1;

    /// <summary>Input, files or options are not what they should be.</summary>
    public const int BadInput = 2;

    /// <summary>Stopped by Ctrl-C (128 + SIGINT).</summary>
    public const int Stopped = 130;
}

/// <summary>A verb: its options, and what it does.</summary>
internal abstract class Command
{
    /// <summary>What stands on the command line without an option before it; no verb takes any.</summary>
    [Value(0, Hidden = true)]
    public IEnumerable<string> UnexpectedArguments { get; set; } = [];

    /// <summary>Does it.</summary>
    /// <returns>The process's exit code.</returns>
    public abstract int Run(CliContext context);
}

/// <summary>Begins a section of a verb's help page at an option.</summary>
/// <param name="title">The section's title.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SectionAttribute(string title) : Attribute
{
    /// <summary>The section's title.</summary>
    public string Title { get; } = title;
}

/// <summary>The command line cannot be understood: the message is one line for the user.</summary>
/// <param name="message">What was found and what was expected.</param>
internal sealed class UsageException(string message) : Exception(message);
