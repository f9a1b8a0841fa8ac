using System.Buffers.Binary;
using K4os.Compression.LZ4.Streams;
using MonoLoss.Data.Parquet;
using ZstdSharp;

namespace MonoLoss.Data;

/// <summary>How the buffers of a record batch are compressed.</summary>
internal enum ArrowCodec
{
    /// <summary>Frames of LZ4.</summary>
    Lz4 = 0,

    /// <summary>Zstandard.</summary>
    Zstd = 1,

    /// <summary>Not at all.</summary>
    None = -1,
}

/// <summary>
/// The bytes of a buffer in a record batch, read mostly forward. A compressed one is decompressed as it is read, and from its start again
/// if it is read backward by more than a little; 64 KiB of it are in memory.
/// </summary>
internal sealed class ArrowBuffer : IDisposable
{
    private const int ChunkSize = 1 << 16;
    private const int Carried = 64;

    private readonly FileBytes _file;
    private readonly ArrowCodec _codec;
    private readonly long _start;
    private readonly long _stored;
    private Stream? _stream;
    private byte[] _chunk = [];
    private long _chunkStart;
    private int _chunkLength;

    /// <summary>Describes a buffer.</summary>
    /// <param name="file">The file, open; it stays the caller's.</param>
    /// <param name="start">Offset of the buffer.</param>
    /// <param name="length">Its length in the file.</param>
    /// <param name="codec">How it is compressed.</param>
    /// <exception cref="CorruptException">Its length cannot be.</exception>
    public ArrowBuffer(FileBytes file, long start, long length, ArrowCodec codec)
    {
        (_file, _start, _stored, _codec, Length) = (file, start, length, codec, length);
        if (codec == ArrowCodec.None || length == 0)
        {
            _codec = ArrowCodec.None;
            return;
        }

        // The length that it decompresses to comes first; −1 says that it is not compressed.
        Span<byte> prefix = stackalloc byte[sizeof(long)];
        if (length < prefix.Length)
        {
            throw new CorruptException("a compressed buffer has no length");
        }

        file.Read(prefix, start);
        var unpacked = BinaryPrimitives.ReadInt64LittleEndian(prefix);
        (_start, _stored) = (start + prefix.Length, length - prefix.Length);
        if (unpacked == -1)
        {
            (_codec, Length) = (ArrowCodec.None, _stored);
            return;
        }

        // Zeros compress well, features do not: nothing near this is right.
        const long MostExpansion = 1 << 14;
        const long Always = 1 << 20;
        Length = unpacked >= 0 && unpacked <= Always + (_stored * MostExpansion)
            ? unpacked
            : throw new CorruptException($"a buffer of {_stored} bytes cannot decompress to {unpacked}");
    }

    /// <summary>Number of bytes, decompressed.</summary>
    public long Length { get; }

    /// <summary>Reads bytes.</summary>
    /// <exception cref="CorruptException">There are not so many, or they are damaged.</exception>
    public void Read(Span<byte> target, long position)
    {
        if (position < 0 || target.Length > Length - position)
        {
            throw new EndOfDataException("a buffer");
        }

        if (_codec == ArrowCodec.None)
        {
            _file.Read(target, _start + position);
            return;
        }

        if (position < _chunkStart)
        {
            Restart();
        }

        while (!target.IsEmpty)
        {
            var inChunk = position - _chunkStart;
            if (inChunk >= _chunkLength)
            {
                NextChunk();
                continue;
            }

            var count = (int)Math.Min(target.Length, _chunkLength - inChunk);
            _chunk.AsSpan((int)inChunk, count).CopyTo(target);
            target = target[count..];
            position += count;
        }
    }

    /// <summary>Frees the decoder.</summary>
    public void Dispose() => _stream?.Dispose();

    private void Restart()
    {
        _stream?.Dispose();
        (_stream, _chunkStart, _chunkLength) = (null, 0, 0);
    }

    // A little of what was read stays: values that rows share with those before are read twice.
    private void NextChunk()
    {
        if (_chunk.Length == 0)
        {
            _chunk = new byte[ChunkSize];
        }

        var source = _stream is null ? new ByteSourceStream(new FileRange(_file, _start, _stored)) : null;
        _stream ??= _codec == ArrowCodec.Zstd ? new DecompressionStream(source!, leaveOpen: false) : LZ4Stream.Decode(source!);
        var kept = Math.Min(Carried, _chunkLength);
        _chunk.AsSpan(_chunkLength - kept, kept).CopyTo(_chunk);
        _chunkStart += _chunkLength - kept;
        try
        {
            var read = _stream.Read(_chunk.AsSpan(kept));
            _chunkLength = kept + (read > 0 ? read : throw new EndOfDataException("a compressed buffer"));
        }
        catch (Exception exception) when (exception is not (CorruptException or IOException))
        {
            // What the decoders throw for damaged data.
            throw new CorruptException($"a compressed buffer is damaged: {exception.Message}");
        }
    }
}
