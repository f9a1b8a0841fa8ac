using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using Parquet.Meta;
using Snappier;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// Decompresses the bodies of pages. The libraries decompress; what is checked here is that a damaged page can neither claim more memory
/// than its compressed bytes could fill nor end in anything but a <see cref="CorruptException"/>.
/// </summary>
internal sealed unsafe class Codec : IDisposable
{
    private const int FirstPart = 1 << 20;
    private const int StartSize = 1 << 16;
    private const int MaxStartWindowLog = 23;

    private Decompressor? _zstandard;

    /// <summary>Decompresses exactly <paramref name="size"/> bytes to the start of a buffer.</summary>
    /// <param name="codec">The codec.</param>
    /// <param name="compressed">The compressed bytes.</param>
    /// <param name="buffer">Where they go; grown as needed.</param>
    /// <param name="size">Number of bytes expected.</param>
    /// <exception cref="CorruptException">The data are damaged or of another length, or the codec is not supported.</exception>
    public void Decompress(CompressionCodec codec, ReadOnlyMemory<byte> compressed, NativeBytes buffer, int size)
    {
        var source = compressed.Span;
        if (source.IsEmpty || size > (source.Length + 1L) * MaxRatio(codec))
        {
            throw new CorruptException($"a page of {source.Length} compressed bytes cannot hold {size} bytes");
        }

        if (codec is CompressionCodec.GZIP or CompressionCodec.BROTLI)
        {
            Inflate(codec, source, buffer, size);
            return;
        }

        var read = -1;
        try
        {
            if (!IsSize(codec, source, size))
            {
                throw new CorruptException($"{Name(codec)} data do not hold the {size} bytes expected");
            }

            buffer.Grow(size);
            var target = buffer.Span[..size];
            read = codec switch
            {
                CompressionCodec.SNAPPY => DecompressSnappy(compressed, buffer.Memory[..size]),
                CompressionCodec.LZ4_RAW => LZ4Codec.Decode(source, target),
                CompressionCodec.LZ4 => DecompressHadoop(source, target),
                _ => (_zstandard ??= new Decompressor()).Unwrap(source, target),
            };
        }
        catch (Exception exception) when (exception is InvalidDataException or ArgumentException or InvalidOperationException
            or ZstdException or IndexOutOfRangeException or OverflowException)
        {
            throw new CorruptException($"{Name(codec)} data are damaged");
        }

        if (read != size)
        {
            throw new CorruptException($"{Name(codec)} data are damaged or do not hold the {size} bytes expected");
        }
    }

    /// <summary>Decompresses the start of a page without the work for the rest of it.</summary>
    /// <param name="codec">The codec.</param>
    /// <param name="start">The first compressed bytes.</param>
    /// <param name="compressedSize">Number of compressed bytes.</param>
    /// <param name="buffer">Where the start goes; grown as needed.</param>
    /// <param name="size">Number of bytes of the page once decompressed.</param>
    /// <returns>How many bytes of the start are in the buffer; 0 if the codec cannot do this or the data are damaged.</returns>
    public static int DecompressStart(
        CompressionCodec codec, ReadOnlyMemory<byte> start, int compressedSize, NativeBytes buffer, int size)
    {
        if (start.IsEmpty)
        {
            return 0;
        }

        if (codec is CompressionCodec.GZIP or CompressionCodec.BROTLI or CompressionCodec.ZSTD)
        {
            return ReadStart(codec, start.Span, buffer, Math.Min(size, StartSize));
        }

        if (codec != CompressionCodec.SNAPPY || size > (compressedSize + 1L) * MaxRatio(codec))
        {
            return 0;
        }

        // Input that is cut off yields at least one byte for every five: an element takes at most five bytes beside its literal.
        const int MaxElement = 5;
        const int MaxSizeField = 5;
        var certain = Math.Clamp((start.Length - MaxSizeField - MaxElement) / MaxElement, 0, size);
        try
        {
            if (!IsSize(codec, start.Span, size))
            {
                return 0;
            }

            buffer.Grow(size);
            buffer.Span[..certain].Clear();
            return DecompressSnappy(start, buffer.Memory[..size]);
        }
        catch (InvalidDataException)
        {
            return start.Length < compressedSize ? certain : 0;
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or IndexOutOfRangeException
            or OverflowException)
        {
            return 0;
        }
    }

    /// <summary>Frees the decompressor's memory.</summary>
    public void Dispose() => _zstandard?.Dispose();

    // What a compressed byte can become at most: by the formats of Snappy (three bytes copy 64), LZ4 and Zstandard (a run of 128 KiB).
    // Deflate and Brotli have no such limit that would help; their output is allocated as it comes.
    private static long MaxRatio(CompressionCodec codec) => codec switch
    {
        CompressionCodec.SNAPPY => 22,
        CompressionCodec.LZ4 or CompressionCodec.LZ4_RAW => 256,
        CompressionCodec.ZSTD => 1 << 16,
        CompressionCodec.GZIP or CompressionCodec.BROTLI => int.MaxValue,
        _ => throw new CorruptException($"{codec} compression is not supported"),
    };

    private static string Name(CompressionCodec codec) => codec switch
    {
        CompressionCodec.SNAPPY => "Snappy",
        CompressionCodec.ZSTD => "Zstandard",
        CompressionCodec.GZIP => "gzip",
        CompressionCodec.BROTLI => "Brotli",
        _ => "LZ4",
    };

    // Snappy data tell their size, frames of Zstandard at least a bound: the page's header alone does not decide how much is allocated.
    private static bool IsSize(CompressionCodec codec, ReadOnlySpan<byte> source, int size) => codec switch
    {
        CompressionCodec.SNAPPY => Snappy.GetUncompressedLength(source) == size,
        CompressionCodec.ZSTD => Decompressor.GetDecompressedSize(source) >= (ulong)size,
        _ => true,
    };

    // If the output is a span, the library decompresses to another buffer first and copies.
    private static int DecompressSnappy(ReadOnlyMemory<byte> source, Memory<byte> target)
    {
        var writer = new PageWriter(target);
        Snappy.Decompress(new ReadOnlySequence<byte>(source), writer);
        return writer.Written;
    }

    // The codec LZ4 (without RAW): frames of Hadoop, each with its two lengths, or, by some writers, a bare block.
    private static int DecompressHadoop(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!IsHadoop(source, target.Length))
        {
            return LZ4Codec.Decode(source, target);
        }

        var total = 0;
        while (!source.IsEmpty)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(source);
            var compressed = BinaryPrimitives.ReadInt32BigEndian(source[4..]);
            if (length > 0 && LZ4Codec.Decode(source.Slice(8, compressed), target.Slice(total, length)) != length)
            {
                return -1;
            }

            source = source[(8 + compressed)..];
            total += length;
        }

        return total;
    }

    private static bool IsHadoop(ReadOnlySpan<byte> source, int expected)
    {
        long total = 0;
        while (!source.IsEmpty)
        {
            if (source.Length < 8)
            {
                return false;
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(source);
            var compressed = BinaryPrimitives.ReadUInt32BigEndian(source[4..]);
            total += length;
            if (compressed > source.Length - 8 || total > expected)
            {
                return false;
            }

            source = source[(8 + (int)compressed)..];
        }

        return total == expected;
    }

    private static int ReadStart(CompressionCodec codec, ReadOnlySpan<byte> source, NativeBytes buffer, int size)
    {
        var read = 0;
        fixed (byte* bytes = source)
        {
            try
            {
                using var input = new UnmanagedMemoryStream(bytes, source.Length);
                using Stream stream = codec switch
                {
                    CompressionCodec.GZIP => new GZipStream(input, CompressionMode.Decompress),
                    CompressionCodec.BROTLI => new BrotliStream(input, CompressionMode.Decompress),
                    _ => new DecompressionStream(input),
                };
                (stream as DecompressionStream)?.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxStartWindowLog);
                buffer.Grow(size);
                for (int part; read < size && (part = stream.Read(buffer.Span[read..size])) > 0;)
                {
                    read += part;
                }
            }
            catch (Exception exception) when (exception is InvalidDataException or InvalidOperationException or IOException
                or ZstdException)
            {
                // The rest was cut off, or the data are damaged: what came before counts.
            }
        }

        return read;
    }

    private static void Inflate(CompressionCodec codec, ReadOnlySpan<byte> source, NativeBytes buffer, int size)
    {
        fixed (byte* bytes = source)
        {
            using var input = new UnmanagedMemoryStream(bytes, source.Length);
            // GZipStream continues with the next member of a stream by itself.
            using Stream stream = codec == CompressionCodec.GZIP
                ? new GZipStream(input, CompressionMode.Decompress)
                : new BrotliStream(input, CompressionMode.Decompress);
            var read = 0;
            try
            {
                while (read < size)
                {
                    if (read == buffer.Length || buffer.Length == 0)
                    {
                        buffer.Grow((int)Math.Min(size, Math.Max(FirstPart, 2L * read)), read);
                    }

                    var part = stream.Read(buffer.Span[read..Math.Min(size, buffer.Length)]);
                    if (part == 0)
                    {
                        throw new EndOfDataException($"{Name(codec)} data");
                    }

                    read += part;
                }

                if (stream.ReadByte() >= 0)
                {
                    throw new CorruptException($"{Name(codec)} data hold more than the {size} bytes expected");
                }
            }
            catch (Exception exception) when (exception is InvalidDataException or InvalidOperationException or IOException)
            {
                throw new CorruptException($"{Name(codec)} data are damaged");
            }
        }
    }

    private sealed class PageWriter(Memory<byte> page) : IBufferWriter<byte>
    {
        public int Written { get; private set; }

        public void Advance(int count) => Written += count;

        public Memory<byte> GetMemory(int sizeHint = 0) => page[Written..];

        public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
