using CommandLine;
using MonoLoss.Kernels;

namespace MonoLoss.Cli;

/// <summary>The exit codes of the program.</summary>
internal static class ExitCode
{
    /// <summary>The command succeeded.</summary>
    public const int Success = 0;

    /// <summary>The program has a bug.</summary>
    public const int InternalError = 1;

    /// <summary>The options or the input files are invalid.</summary>
    public const int BadInput = 2;

    /// <summary>Interrupted by Ctrl-C (128 + SIGINT).</summary>
    public const int Stopped = 130;
}

/// <summary>A command of the program, with its options as properties.</summary>
internal abstract class Command
{
    /// <summary>
    /// The library's settings with their default values. An option whose property has the name and type of one of theirs sets that one,
    /// and has its default.
    /// </summary>
    public virtual IReadOnlyList<object> DefaultSettings => [];

    /// <summary>Runs the command.</summary>
    /// <returns>The exit code of the process.</returns>
    public abstract int Run(CliContext context);
}

/// <summary>A command that computes on a device of the user's choice.</summary>
internal abstract class DeviceCommand : Command
{
    /// <summary>The device's name.</summary>
    [Section("Device")]
    [Option("device", Default = "auto", MetaValue = "NAME", HelpText = DeviceFactory.Names + "; monoloss devices lists those available")]
    public string DeviceName { get; set; } = string.Empty;

    /// <summary>Whether dense products may round to TF32.</summary>
    [Option("tf32", HelpText =
        "Round the inputs of dense matrix products to TF32: faster, on NVIDIA GPUs of compute capability 8.0 or higher.")]
    public bool Tf32 { get; set; }

    /// <summary>The number of CPU threads.</summary>
    [Option("threads", Default = 0, MetaValue = "N", HelpText = "Number of CPU threads (0 = one per core); does not affect results")]
    public int Threads { get; set; }

    /// <summary>Opens the device.</summary>
    /// <exception cref="DeviceException">It cannot be opened.</exception>
    protected Device OpenDevice() => DeviceFactory.Open(DeviceName, Threads, Tf32);
}

/// <summary>
/// Marks the option of a command whose value may be given without its name; the values, if it takes a list. A command has one at most.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PositionalAttribute : Attribute;

/// <summary>Starts a section of a command's help page at this option.</summary>
/// <param name="title">The section's title.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SectionAttribute(string title) : Attribute
{
    /// <summary>The section's title.</summary>
    public string Title { get; } = title;
}

/// <summary>The command line is invalid. The message is one line for the user.</summary>
/// <param name="message">What was found and what was expected.</param>
internal sealed class UsageException(string message) : Exception(message);
