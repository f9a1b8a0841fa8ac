using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MonoLoss.Data.Parquet;

/// <summary>LZ4's block format, bare and in Hadoop's framing.</summary>
internal static unsafe class Lz4
{
    /// <summary>Decompresses one bare block of exactly <paramref name="target"/>'s length.</summary>
    /// <exception cref="CorruptException">The data are damaged or of another length.</exception>
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        fixed (byte* sourceStart = source, targetStart = target)
        {
            var input = sourceStart;
            var inputEnd = sourceStart + source.Length;
            var output = targetStart;
            var outputEnd = targetStart + target.Length;
            while (input < inputEnd)
            {
                var token = *input++;
                var literal = ReadLength(token >> 4, ref input, inputEnd);
                if (literal > inputEnd - input || literal > outputEnd - output)
                {
                    throw new EndOfDataException("LZ4 data");
                }

                Unsafe.CopyBlockUnaligned(output, input, (uint)literal);
                input += literal;
                output += literal;
                if (input == inputEnd)
                {
                    break;
                }

                if (inputEnd - input < 2)
                {
                    throw new EndOfDataException("LZ4 data");
                }

                long offset = Unsafe.ReadUnaligned<ushort>(input);
                input += 2;
                var count = ReadLength(token & 15, ref input, inputEnd) + 4;
                if (offset == 0 || offset > output - targetStart || count > outputEnd - output)
                {
                    throw new CorruptException("LZ4 data with an invalid copy");
                }

                Snappy.CopyMatch(output, offset, count, outputEnd);
                output += count;
            }

            if (output != outputEnd)
            {
                throw new EndOfDataException("LZ4 data");
            }
        }
    }

    /// <summary>Decompresses what is called LZ4 without "raw": Hadoop's frames of blocks, or, by some writers, a bare block.</summary>
    public static void DecompressHadoop(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!IsHadoop(source, target.Length))
        {
            Decompress(source, target);
            return;
        }

        while (!source.IsEmpty)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(source);
            var compressed = BinaryPrimitives.ReadInt32BigEndian(source[4..]);
            Decompress(source.Slice(8, compressed), target[..length]);
            source = source[(8 + compressed)..];
            target = target[length..];
        }
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

            var length = BinaryPrimitives.ReadInt32BigEndian(source);
            var compressed = BinaryPrimitives.ReadInt32BigEndian(source[4..]);
            if (length < 0 || compressed < 0 || compressed > source.Length - 8)
            {
                return false;
            }

            total += length;
            source = source[(8 + compressed)..];
        }

        return total == expected;
    }

    private static long ReadLength(int length, ref byte* input, byte* inputEnd)
    {
        long total = length;
        if (length < 15)
        {
            return total;
        }

        byte part;
        do
        {
            if (input == inputEnd)
            {
                throw new EndOfDataException("LZ4 data");
            }

            part = *input++;
            total += part;
        }
        while (part == 255);
        return total;
    }
}
