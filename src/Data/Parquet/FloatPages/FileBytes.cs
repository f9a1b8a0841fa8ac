using Microsoft.Win32.SafeHandles;

namespace MonoLoss.Data.Parquet;

/// <summary>The bytes of a file, on disk or in memory.</summary>
internal sealed class FileBytes : IDisposable
{
    private readonly SafeFileHandle? _handle;
    private readonly ReadOnlyMemory<byte> _memory;

    private FileBytes(string path, SafeFileHandle? handle, ReadOnlyMemory<byte> memory)
    {
        (Path, _handle, _memory) = (path, handle, memory);
        Length = handle is null ? memory.Length : RandomAccess.GetLength(handle);
    }

    /// <summary>The path, as given.</summary>
    public string Path { get; }

    /// <summary>Number of bytes.</summary>
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">There is no such file, or it cannot be opened.</exception>
    public static FileBytes Open(string path)
    {
        try
        {
            return IsEmpty(path)
                ? InMemory(path, default)
                : new FileBytes(path, File.OpenHandle(path, options: FileOptions.SequentialScan), default);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataException($"{path}: no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            throw new DataException($"{path}: cannot be opened: {exception.Message}", exception);
        }
    }

    /// <summary>The content, if it is in memory.</summary>
    public ReadOnlyMemory<byte> Memory => _memory;

    /// <summary>A file whose content is in memory.</summary>
    public static FileBytes InMemory(string name, ReadOnlyMemory<byte> content) => new(name, null, content);

    /// <summary>Opens the same file once more.</summary>
    /// <exception cref="DataException">It cannot be opened, or has another length now.</exception>
    public FileBytes Reopen()
    {
        if (_handle is null)
        {
            return this;
        }

        var again = Open(Path);
        if (again.Length != Length)
        {
            again.Dispose();
            throw new DataException($"{Path}: the file has changed since it was opened");
        }

        return again;
    }

    /// <summary>Fills <paramref name="target"/>.</summary>
    /// <exception cref="CorruptException">The file ends before.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public void Read(Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            int read;
            if (_handle is not null)
            {
                read = RandomAccess.Read(_handle, target, offset);
            }
            else
            {
                read = (int)Math.Clamp(_memory.Length - offset, 0, target.Length);
                _memory.Span.Slice((int)offset, read).CopyTo(target);
            }

            if (read == 0)
            {
                throw new EndOfDataException("the file");
            }

            target = target[read..];
            offset += read;
        }
    }

    // Pipes, sockets and devices have no length either. Opening one could wait for ever, so that nothing without a length is opened.
    private static bool IsEmpty(string path)
    {
        var file = new FileInfo(path);
        var target = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo;
        return File.Exists(path) && (target is null || !target.Exists || target.Length == 0);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle?.Dispose();
}
