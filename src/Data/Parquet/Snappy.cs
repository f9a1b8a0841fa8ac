using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace MonoLoss.Data.Parquet;

/// <summary>Snappy's block format (google/snappy, format_description.txt).</summary>
internal static unsafe class Snappy
{
    private const int BlockSize = 1 << 16;
    private const int HashBits = 14;

    /// <summary>The most bytes that <see cref="Compress"/> can need.</summary>
    public static int MaxCompressedLength(int length) => checked(32 + length + (length / 6));

    /// <summary>Decompresses exactly <paramref name="target"/>'s length.</summary>
    /// <exception cref="CorruptException">The data are damaged or of another length.</exception>
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        var at = 0;
        var length = ReadLength(source, ref at);
        if (length != target.Length)
        {
            throw new CorruptException($"Snappy data of {length} bytes where {target.Length} were expected");
        }

        fixed (byte* sourceStart = source, targetStart = target)
        {
            var input = sourceStart + at;
            var inputEnd = sourceStart + source.Length;
            var output = targetStart;
            var outputEnd = targetStart + target.Length;
            while (input < inputEnd)
            {
                var tag = *input++;
                long count;
                long offset;
                if ((tag & 3) == 0)
                {
                    count = (tag >> 2) + 1;
                    if (count > 60)
                    {
                        var bytes = (int)count - 60;
                        if (inputEnd - input < bytes)
                        {
                            throw new EndOfDataException("Snappy data");
                        }

                        count = 0;
                        for (var i = 0; i < bytes; i++)
                        {
                            count |= (long)input[i] << (8 * i);
                        }

                        count++;
                        input += bytes;
                    }

                    if (count > inputEnd - input || count > outputEnd - output)
                    {
                        throw new EndOfDataException("Snappy data");
                    }

                    Unsafe.CopyBlockUnaligned(output, input, (uint)count);
                    input += count;
                    output += count;
                    continue;
                }

                var extra = (tag & 3) == 3 ? 4 : tag & 3;
                if (inputEnd - input < extra)
                {
                    throw new EndOfDataException("Snappy data");
                }

                switch (extra)
                {
                    case 1:
                        count = ((tag >> 2) & 7) + 4;
                        offset = (tag >> 5 << 8) | *input;
                        break;
                    case 2:
                        count = (tag >> 2) + 1;
                        offset = Unsafe.ReadUnaligned<ushort>(input);
                        break;
                    default:
                        count = (tag >> 2) + 1;
                        offset = Unsafe.ReadUnaligned<uint>(input);
                        break;
                }

                input += extra;
                if (offset == 0 || offset > output - targetStart || count > outputEnd - output)
                {
                    throw new CorruptException("Snappy data with an invalid copy");
                }

                CopyMatch(output, offset, count, outputEnd);
                output += count;
            }

            if (output != outputEnd)
            {
                throw new EndOfDataException("Snappy data");
            }
        }
    }

    /// <summary>Repeats bytes already written; source and target may overlap, as a run does.</summary>
    public static void CopyMatch(byte* output, long offset, long count, byte* outputEnd)
    {
        var from = output - offset;
        if (offset >= 8 && outputEnd - output >= count + 8)
        {
            for (long i = 0; i < count; i += 8)
            {
                Unsafe.WriteUnaligned(output + i, Unsafe.ReadUnaligned<ulong>(from + i));
            }

            return;
        }

        for (long i = 0; i < count; i++)
        {
            output[i] = from[i];
        }
    }

    /// <summary>Compresses.</summary>
    /// <param name="source">What to compress.</param>
    /// <param name="target">At least <see cref="MaxCompressedLength"/> bytes.</param>
    /// <returns>The bytes written.</returns>
    public static int Compress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        var written = 0;
        var rest = (uint)source.Length;
        while (rest >= 0x80)
        {
            target[written++] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        target[written++] = (byte)rest;
        var table = new ushort[1 << HashBits];
        for (var start = 0; start < source.Length; start += BlockSize)
        {
            table.AsSpan().Clear();
            var block = source.Slice(start, Math.Min(BlockSize, source.Length - start));
            written += CompressBlock(block, target[written..], table);
        }

        return written;
    }

    private static int CompressBlock(ReadOnlySpan<byte> source, Span<byte> target, ushort[] table)
    {
        const int Margin = 15;
        var written = 0;
        var literal = 0;
        var at = 1;
        // The longer nothing is found, the bigger the steps: features hardly compress and should not cost time.
        var misses = 32;
        while (at < source.Length - Margin)
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(source[at..]);
            var hash = (int)(word * 0x1e35a7bd >> (32 - HashBits));
            var candidate = (int)table[hash];
            table[hash] = (ushort)at;
            if (candidate >= at || BinaryPrimitives.ReadUInt32LittleEndian(source[candidate..]) != word)
            {
                at += misses++ >> 5;
                continue;
            }

            written += WriteLiteral(source[literal..at], target[written..]);
            var length = 4 + source[(at + 4)..].CommonPrefixLength(source[(candidate + 4)..]);
            written += WriteCopy(at - candidate, length, target[written..]);
            at += length;
            literal = at;
            misses = 32;
        }

        return written + WriteLiteral(source[literal..], target[written..]);
    }

    private static int WriteLiteral(ReadOnlySpan<byte> literal, Span<byte> target)
    {
        if (literal.IsEmpty)
        {
            return 0;
        }

        var last = literal.Length - 1;
        var header = 1;
        if (last < 60)
        {
            target[0] = (byte)(last << 2);
        }
        else
        {
            var bytes = (BitOperations.Log2((uint)last) / 8) + 1;
            target[0] = (byte)((59 + bytes) << 2);
            for (var i = 0; i < bytes; i++)
            {
                target[header++] = (byte)(last >> (8 * i));
            }
        }

        literal.CopyTo(target[header..]);
        return header + literal.Length;
    }

    private static int WriteCopy(int offset, int length, Span<byte> target)
    {
        var written = 0;
        while (length > 0)
        {
            // A copy is 64 bytes at most; none may be left shorter than the four that the one-byte form needs.
            var count = length is > 64 and < 68 ? 60 : Math.Min(length, 64);
            target[written] = (byte)((count - 1) << 2 | 2);
            BinaryPrimitives.WriteUInt16LittleEndian(target[(written + 1)..], (ushort)offset);
            written += 3;
            length -= count;
        }

        return written;
    }

    private static uint ReadLength(ReadOnlySpan<byte> source, ref int at)
    {
        ulong length = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            if (at >= source.Length)
            {
                throw new EndOfDataException("Snappy data");
            }

            var part = source[at++];
            length |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return length <= uint.MaxValue ? (uint)length : throw new CorruptException("Snappy data of an invalid length");
            }
        }

        throw new CorruptException("Snappy data of an invalid length");
    }
}
