namespace MonoLoss.Cli;

/// <summary>How this program is started again.</summary>
internal static class Launcher
{
    private const string Dotnet = "dotnet";

    /// <summary>The program and its first arguments.</summary>
    public static IReadOnlyList<string> Command { get; } = Find();

    /// <summary>Arguments as a line for a POSIX shell.</summary>
    public static string ShellLine(IEnumerable<string> arguments) => string.Join(' ', arguments.Select(Quote));

    private static string[] Find()
    {
        // A single-file program has no assembly on disk.
        var program = typeof(Launcher).Assembly.GetName().Name!;
        var assembly = Path.Combine(AppContext.BaseDirectory, $"{program}.dll");
        var process = Environment.ProcessPath ?? Dotnet;
        var name = Path.GetFileNameWithoutExtension(process);
        return name == program || !File.Exists(assembly) ? [process] : [name == Dotnet ? process : Dotnet, assembly];
    }

    private static string Quote(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "_-./=:,+@%".Contains(c, StringComparison.Ordinal))
            ? text
            : $"'{text.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
