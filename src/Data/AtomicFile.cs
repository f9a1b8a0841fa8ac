namespace MonoLoss.Data;

/// <summary>
/// A file that appears complete or not at all: it is written under a temporary name beside its target and renamed by <see cref="Commit"/>.
/// If it is disposed before that, the temporary file is deleted and an existing target stays as it was.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private const string Extension = ".tmp";

    private readonly string _temporary;
    private bool _open = true;

    /// <summary>Creates the temporary file.</summary>
    /// <param name="path">The target.</param>
    /// <exception cref="DataException">The file cannot be created.</exception>
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

            var folder = System.IO.Path.GetDirectoryName(full)
                ?? throw new DataException($"{path}: cannot be written: it is not a file name");
            _temporary = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(full)}.{Guid.NewGuid():N}{Extension}");
            Stream = new FileStream(_temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw Failure(exception);
        }
    }

    /// <summary>The path of the target.</summary>
    public string Path { get; }

    /// <summary>The stream to write to.</summary>
    public FileStream Stream { get; }

    /// <summary>
    /// Deletes the temporary files of a target that ended processes have left behind. No other process may be writing the target.
    /// </summary>
    /// <param name="path">The target.</param>
    /// <exception cref="DataException">A file cannot be deleted.</exception>
    public static void DeleteLeftovers(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        var prefix = $".{System.IO.Path.GetFileName(full)}.";
        var all = new EnumerationOptions { AttributesToSkip = 0, MatchType = MatchType.Simple, MatchCasing = MatchCasing.CaseSensitive };
        try
        {
            foreach (var file in Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(full)!, $"{prefix}*{Extension}", all))
            {
                if (Guid.TryParseExact(System.IO.Path.GetFileName(file)[prefix.Length..^Extension.Length], "N", out _))
                {
                    File.Delete(file);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: what is left of an earlier attempt cannot be deleted: {exception.Message}", exception);
        }
    }

    /// <summary>Writes <paramref name="text"/> as UTF-8.</summary>
    /// <exception cref="DataException">The file cannot be written.</exception>
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

    /// <summary>Flushes the file to the disk and renames it to <see cref="Path"/>.</summary>
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

    /// <summary>The exception for the user about a failed write.</summary>
    public DataException Failure(Exception exception)
    {
        // The messages of the others name the temporary file.
        var reason = exception switch
        {
            ArgumentOutOfRangeException => "the file is larger than allowed",
            DirectoryNotFoundException => "no such folder",
            UnauthorizedAccessException => "permission denied",
            PathTooLongException => "the name is too long",
            _ => exception.Message.Split(" : '")[0],
        };
        return new DataException($"{Path}: cannot be written: {reason}", exception);
    }

    /// <summary>Whether an exception of <see cref="Stream"/> is the fault of the disk and not of the program.</summary>
    /// <remarks>.NET turns EFBIG, the error of a limit on file sizes, into an ArgumentOutOfRangeException.</remarks>
    public static bool IsFailure(Exception exception) =>
        exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    /// <summary>Deletes the temporary file unless it was committed.</summary>
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
            // Buffered data do not matter any more: the file is deleted.
        }

        try
        {
            File.Delete(_temporary);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // This must not hide the failure that led here.
        }
    }
}
