using MonoLoss.Data;

namespace MonoLoss.Cli;

/// <summary>Native libraries that only some commands need.</summary>
internal static class NativeLibraries
{
    /// <summary>Runs what needs them.</summary>
    /// <param name="command">The command, for the message.</param>
    /// <param name="action">What to run.</param>
    /// <exception cref="DataException">A library is missing here, or is for another platform.</exception>
    public static void Guard(string command, Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (Missing(exception) is { } missing)
        {
            throw new DataException(
                $"{command} needs the native libraries of SkiaSharp and ONNX Runtime, which cannot be loaded here: {missing}", exception);
        }
    }

    /// <summary>Why an exception says that a library cannot be loaded.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <returns>One line without a full stop; null if it says something else.</returns>
    public static string? Missing(Exception exception) =>
        // Advice on how to trace the loading of libraries follows.
        Cause(exception)?.Message.Split(". ", 2)[0].Split('\n')[0].TrimEnd('.', ' ', '\r');

    // Static constructors of the libraries' wrappers hide the cause.
    private static Exception? Cause(Exception exception) => exception switch
    {
        DllNotFoundException or BadImageFormatException or EntryPointNotFoundException => exception,
        TypeInitializationException { InnerException: { } inner } => Cause(inner),
        _ => null,
    };
}
