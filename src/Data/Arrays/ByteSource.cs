using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Bytes that can be read from any position, by any number of threads.</summary>
internal abstract class ByteSource
{
    /// <summary>Number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Fills <paramref name="target"/>.</summary>
    /// <exception cref="CorruptException">The bytes end before, or are damaged.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public abstract void Read(Span<byte> target, long offset);
}

/// <summary>Part of a file.</summary>
/// <param name="file">The file, which stays the caller's.</param>
/// <param name="start">Offset of the first byte.</param>
/// <param name="length">Number of bytes.</param>
internal sealed class FileRange(FileBytes file, long start, long length) : ByteSource
{
    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override void Read(Span<byte> target, long offset)
    {
        if (offset < 0 || target.Length > length - offset || start > file.Length - length)
        {
            throw new EndOfDataException("the file");
        }

        file.Read(target, start + offset);
    }
}

/// <summary>A stream over a <see cref="ByteSource"/>, for decoders that want one.</summary>
internal sealed class ByteSourceStream(ByteSource source) : Stream
{
    private long _position;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => source.Length;

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, source.Length - _position);
        source.Read(buffer[..count], _position);
        _position += count;
        return count;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
