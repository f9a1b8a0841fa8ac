using System.Globalization;
using System.Text;

namespace MonoLoss.Cli;

/// <summary>
/// Standard output or standard error of the process. A stream that is closed, whose terminal went away, or whose disk is full must not
/// end a training run: what cannot be written is dropped, and <see cref="Failure"/> says why.
/// </summary>
internal sealed class StandardStream : TextWriter
{
    private readonly Lock _lock = new();
    private TextWriter _writer = Null;

    /// <summary>Takes over a stream.</summary>
    /// <param name="descriptor">The number that Unix has for it.</param>
    /// <param name="open">Opens it.</param>
    public StandardStream(int descriptor, Func<TextWriter> open)
    {
        if (IsClosed(descriptor))
        {
            Failure = "it is closed";
        }
        else
        {
            Try(() => _writer = open());
        }
    }

    /// <summary>Why the first write that failed did; null if none has.</summary>
    public string? Failure { get; private set; }

    /// <inheritdoc/>
    public override Encoding Encoding => _writer.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Try(() => _writer.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Try(() => _writer.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Try(() => _writer.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Try(() => _writer.WriteLine(value));

    /// <inheritdoc/>
    public override void Flush() => Try(() => _writer.Flush());

    /// <summary>
    /// Whether the process was started without the stream. On Linux its number then belongs to something of the runtime's own, a pipe or
    /// memory that holds code, and writing to that could do anything.
    /// </summary>
    private static bool IsClosed(int descriptor)
    {
        if (!OperatingSystem.IsLinux() || !Directory.Exists("/proc/self/fd"))
        {
            return false;
        }

        try
        {
            return Target(descriptor) switch
            {
                null => true,
                var target when target.StartsWith("anon_inode:", StringComparison.Ordinal)
                    || target.Contains("memfd:", StringComparison.Ordinal) => true,
                var target when target.StartsWith("pipe:", StringComparison.Ordinal) => HasReader(target) || !CanWrite(descriptor),
                _ => !CanWrite(descriptor),
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Without an answer, writing itself will tell.
            return false;
        }
    }

    private static string? Target(int descriptor) => new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget;

    /// <summary>Whether this process itself reads from a pipe, which is then the runtime's own.</summary>
    private static bool HasReader(string pipe) => Directory.EnumerateFileSystemEntries("/proc/self/fd")
        .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))
        .Any(descriptor => descriptor > 0 && Target(descriptor) == pipe && !CanWrite(descriptor));

    private static bool CanWrite(int descriptor)
    {
        const string Key = "flags:";
        const int AccessMode = 3;
        var path = $"/proc/self/fdinfo/{descriptor}";
        return !File.Exists(path)
            || File.ReadLines(path).FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal)) is not { } flags
            || (Convert.ToInt64(flags[Key.Length..].Trim(), 8) & AccessMode) != 0;
    }

    private void Try(Action write)
    {
        lock (_lock)
        {
            if (Failure is not null)
            {
                return;
            }

            try
            {
                write();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                Failure = exception.Message;
            }
        }
    }
}
