using System.IO.Compression;
using System.IO.Hashing;

namespace MonoLoss.Data;

/// <summary>
/// A deflated entry of a zip archive. A small one is unpacked in memory; a large one, when it is first read, to a temporary file without a
/// name, which is gone with the process whatever happens to it.
/// </summary>
/// <remarks>
/// Deflated data can only be read from the start. Training reads blocks of rows in random order, by several threads and once an epoch, and
/// an array in Fortran order needs all of its bytes for any row: each would unpack the whole array again and again. A temporary file costs
/// the array's size on disk once (TMPDIR says where), and the CRC-32 is checked before any value is used.
/// </remarks>
internal sealed class UnpackedEntry(ZipFile zip, ZipEntry entry) : ByteSource, IDisposable
{
    private const int InMemory = 1 << 20;
    private const int BlockBytes = 1 << 17;
    private const int Deflate = 8;

    // No deflated byte makes more.
    private const long MaxRatio = 1032;

    private readonly Lock _gate = new();
    private readonly WeakReference<byte[]> _content = new([]);
    private FileStream? _file;

    /// <inheritdoc/>
    public override long Length => entry.Size;

    /// <summary>Reads from the start without unpacking all.</summary>
    /// <returns>Bytes read, fewer than wanted at the end.</returns>
    public int Peek(Span<byte> target)
    {
        using var stream = OpenStream();
        return stream.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
    }

    /// <inheritdoc/>
    public override void Read(Span<byte> target, long offset)
    {
        if (offset < 0 || target.Length > Length - offset)
        {
            throw new EndOfDataException($"zip entry '{entry.Name}'");
        }

        if (Length <= InMemory)
        {
            Content().AsSpan((int)offset, target.Length).CopyTo(target);
            return;
        }

        var handle = Unpacked().SafeFileHandle;
        while (!target.IsEmpty)
        {
            var read = RandomAccess.Read(handle, target, offset);
            if (read == 0)
            {
                throw new EndOfDataException($"the temporary file of zip entry '{entry.Name}'");
            }

            target = target[read..];
            offset += read;
        }
    }

    /// <summary>Deletes the temporary file.</summary>
    public void Dispose() => _file?.Dispose();

    // The collector may take the bytes back: then they are unpacked again, which for so few is quick.
    private byte[] Content()
    {
        if (_content.TryGetTarget(out var bytes) && bytes.Length == Length)
        {
            return bytes;
        }

        bytes = new byte[Length];
        Unpack(new MemoryStream(bytes));
        _content.SetTarget(bytes);
        return bytes;
    }

    private FileStream Unpacked()
    {
        lock (_gate)
        {
            if (_file is not null)
            {
                return _file;
            }

            var file = CreateTemporary();
            try
            {
                Unpack(file);
                file.Flush();
            }
            catch (Exception exception)
            {
                file.Dispose();
                if (exception is IOException)
                {
                    throw new CorruptException(
                        $"it is compressed, and its {Length} bytes cannot be unpacked to {Path.GetTempPath()}: {exception.Message}; set "
                        + "TMPDIR to a folder with room, or save it without compression");
                }

                throw;
            }

            return _file = file;
        }
    }

    private static FileStream CreateTemporary()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var path = Path.Combine(Path.GetTempPath(), $"monoloss-{Guid.NewGuid():N}.tmp");
        try
        {
            var file = new FileStream(path, options);
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(path);
            }

            return file;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CorruptException(
                $"it is compressed, and no temporary file can be made: {exception.Message.TrimEnd('.')}; set TMPDIR to a writable folder, "
                + "or save it without compression");
        }
    }

    private DeflateStream OpenStream()
    {
        if (entry.Method != Deflate)
        {
            throw new CorruptException(
                $"its zip entry '{entry.Name}' is compressed by method {entry.Method}; read are stored and deflated ones (0 and 8)");
        }

        if (Length / MaxRatio > entry.PackedSize)
        {
            throw new CorruptException($"its zip entry '{entry.Name}' is said to hold {Length} bytes in {entry.PackedSize}");
        }

        return new DeflateStream(new ByteSourceStream(zip.Packed(entry)), CompressionMode.Decompress);
    }

    private void Unpack(Stream target)
    {
        using var stream = OpenStream();
        var buffer = new byte[BlockBytes];
        var crc = new Crc32();
        long total = 0;
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            total += read;
            if (total > Length)
            {
                break;
            }

            crc.Append(buffer.AsSpan(0, read));
            target.Write(buffer, 0, read);
        }

        if (total != Length || crc.GetCurrentHashAsUInt32() != entry.Crc)
        {
            throw new CorruptException($"its zip entry '{entry.Name}' is damaged: its size or its CRC-32 is wrong");
        }
    }
}
