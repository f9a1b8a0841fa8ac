using System.IO.Compression;

namespace MonoLoss.Data.Parquet;

/// <summary>Compresses and decompresses the bodies of pages.</summary>
internal static unsafe class Codec
{
    private const int Chunk = 1 << 20;

    /// <summary>Decompresses exactly <paramref name="size"/> bytes.</summary>
    /// <param name="codec">The codec.</param>
    /// <param name="source">Compressed bytes.</param>
    /// <param name="buffer">Where to put them; made larger if need be, but not on the word of a damaged header alone.</param>
    /// <param name="start">Where in <paramref name="buffer"/>; what is before stays.</param>
    /// <param name="size">How many bytes are expected.</param>
    /// <exception cref="CorruptException">The data are damaged or of another length, or the codec is not supported.</exception>
    public static void Decompress(ParquetCompression codec, ReadOnlySpan<byte> source, ref byte[] buffer, int start, int size)
    {
        // What a byte can become at most: by the formats of Snappy (three bytes copy 64), LZ4 and Zstandard (a run of 128 KiB).
        var ratio = codec switch
        {
            ParquetCompression.None => 1L,
            ParquetCompression.Snappy => 22,
            ParquetCompression.Lz4 or ParquetCompression.Lz4Raw => 256,
            ParquetCompression.Zstd => 1 << 16,
            ParquetCompression.Gzip or ParquetCompression.Brotli => long.MaxValue / int.MaxValue,
            _ => throw new CorruptException($"{codec} compression is not supported"),
        };
        if (size > (source.Length + 1L) * ratio)
        {
            throw new CorruptException($"a page of {source.Length} compressed bytes cannot hold {size}");
        }

        if (codec is ParquetCompression.Gzip or ParquetCompression.Brotli)
        {
            Inflate(codec, source, ref buffer, start, size);
            return;
        }

        Grow(ref buffer, start + size, start);
        var target = buffer.AsSpan(start, size);
        switch (codec)
        {
            case ParquetCompression.None:
                if (source.Length != size)
                {
                    throw new CorruptException($"an uncompressed page of {source.Length} bytes where {size} were expected");
                }

                source.CopyTo(target);
                break;
            case ParquetCompression.Snappy:
                Snappy.Decompress(source, target);
                break;
            case ParquetCompression.Lz4Raw:
                Lz4.Decompress(source, target);
                break;
            case ParquetCompression.Lz4:
                Lz4.DecompressHadoop(source, target);
                break;
            default:
                Zstandard.Decompress(source, target);
                break;
        }
    }

    /// <summary>Compresses.</summary>
    /// <param name="codec">None, Snappy, Gzip or Zstd.</param>
    /// <param name="source">What to compress.</param>
    /// <param name="buffer">Where to put it; made larger if need be.</param>
    /// <returns>The bytes written.</returns>
    public static int Compress(ParquetCompression codec, ReadOnlySpan<byte> source, ref byte[] buffer)
    {
        switch (codec)
        {
            case ParquetCompression.None:
                Grow(ref buffer, source.Length, 0);
                source.CopyTo(buffer);
                return source.Length;
            case ParquetCompression.Snappy:
                Grow(ref buffer, Snappy.MaxCompressedLength(source.Length), 0);
                return Snappy.Compress(source, buffer);
            case ParquetCompression.Zstd:
                Grow(ref buffer, Zstandard.MaxCompressedLength(source.Length), 0);
                return Zstandard.Compress(source, buffer);
            case ParquetCompression.Gzip:
                using (var bytes = new MemoryStream())
                {
                    using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true))
                    {
                        gzip.Write(source);
                    }

                    buffer = bytes.GetBuffer();
                    return (int)bytes.Length;
                }

            default:
                throw new CorruptException($"{codec} compression is not supported for writing");
        }
    }

    /// <summary>Makes a buffer at least so large, keeping its first bytes.</summary>
    public static void Grow(ref byte[] buffer, int size, int keep)
    {
        if (buffer.Length >= size)
        {
            return;
        }

        var larger = GC.AllocateUninitializedArray<byte>(size);
        buffer.AsSpan(0, keep).CopyTo(larger);
        buffer = larger;
    }

    private static void Inflate(ParquetCompression codec, ReadOnlySpan<byte> source, ref byte[] buffer, int start, int size)
    {
        fixed (byte* bytes = source)
        {
            using var input = new UnmanagedMemoryStream(bytes, source.Length);
            // GZipStream goes on to the next member of a stream by itself.
            using Stream stream = codec == ParquetCompression.Gzip
                ? new GZipStream(input, CompressionMode.Decompress)
                : new BrotliStream(input, CompressionMode.Decompress);
            var read = 0;
            try
            {
                while (read < size)
                {
                    Grow(ref buffer, start + (int)Math.Min(size, Math.Max(Chunk, 2L * read)), start + read);
                    var part = stream.Read(buffer.AsSpan(start + read, Math.Min(size, buffer.Length - start) - read));
                    if (part == 0)
                    {
                        throw new EndOfDataException($"{codec} data");
                    }

                    read += part;
                }

                if (stream.ReadByte() >= 0)
                {
                    throw new CorruptException($"{codec} data of more than the {size} bytes expected");
                }
            }
            catch (Exception exception) when (exception is InvalidDataException or InvalidOperationException or IOException)
            {
                throw new CorruptException($"{codec} data are damaged");
            }
        }
    }
}
