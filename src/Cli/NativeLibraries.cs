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
                $"{command} needs the native libraries of SkiaSharp and ONNX Runtime, which cannot be loaded here: "
                    + missing.Message.Split('\n')[0].Trim(),
                exception);
        }
    }

    // Static constructors of the libraries' wrappers hide the cause.
    private static Exception? Missing(Exception exception) => exception switch
    {
        DllNotFoundException or BadImageFormatException or EntryPointNotFoundException => exception,
        TypeInitializationException { InnerException: { } inner } => Missing(inner),
        _ => null,
    };
}
