namespace MonoLoss.Data;

/// <summary>
/// A file that appears whole or not at all: it is written under a temporary name beside its target and takes the target's name in
/// <see cref="Commit"/>. Disposed without that, the temporary file goes and an older file of the name stays as it was.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private readonly string _temporary;
    private bool _open = true;

    /// <summary>Creates the temporary file.</summary>
    /// <param name="path">The target.</param>
    /// <exception cref="DataException">The file cannot be created there.</exception>
    public AtomicFile(string path)
    {
        Path = path;
        try
        {
            var full = System.IO.Path.GetFullPath(path);
            if (Directory.Exists(full))
            {
                throw new DataException($"{path}: cannot be written: it is a folder");
            }

            var folder = System.IO.Path.GetDirectoryName(full) ?? throw new DataException($"{path}: cannot be written: not a file name");
            _temporary = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
            Stream = new FileStream(_temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new DataException($"{path}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>The target.</summary>
    public string Path { get; }

    /// <summary>Where to write.</summary>
    public FileStream Stream { get; }

    /// <summary>Writes <paramref name="text"/> as UTF-8.</summary>
    /// <exception cref="DataException">It cannot be written there.</exception>
    public static void WriteAllText(string path, string text)
    {
        using var file = new AtomicFile(path);
        file.Write(System.Text.Encoding.UTF8.GetBytes(text));
        file.Commit();
    }

    /// <summary>Writes bytes.</summary>
    /// <exception cref="DataException">The disk is full.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Stream.Write(bytes);
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            throw Failure(exception);
        }
    }

    /// <summary>Brings what was written to the disk and renames it to <see cref="Path"/>.</summary>
    /// <exception cref="DataException">The disk is full, or the target cannot be replaced.</exception>
    public void Commit()
    {
        try
        {
            Stream.Flush(flushToDisk: true);
            Stream.Dispose();
            File.Move(_temporary, System.IO.Path.GetFullPath(Path), overwrite: true);
            _open = false;
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            throw Failure(exception);
        }
    }

    /// <summary>What went wrong with writing, as the line for the user.</summary>
    public DataException Failure(Exception exception)
    {
        var reason = exception is ArgumentOutOfRangeException ? "the file is larger than may be" : exception.Message;
        return new DataException($"{Path}: cannot be written: {reason}", exception);
    }

    /// <summary>Whether an exception of <see cref="Stream"/> says that the disk, and not the program, is at fault.</summary>
    /// <remarks>.NET turns EFBIG, what a limit on the size of files gives, into an ArgumentOutOfRangeException.</remarks>
    public static bool IsFailure(Exception exception) =>
        exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    /// <summary>Removes the temporary file if it was not committed.</summary>
    public void Dispose()
    {
        if (!_open)
        {
            return;
        }

        _open = false;
        try
        {
            Stream.Dispose();
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            // What is still buffered does not matter any more: the file goes.
        }

        try
        {
            File.Delete(_temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Not worth hiding the failure that led here.
        }
    }
}
