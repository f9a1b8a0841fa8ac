using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// Walks the runs of Parquet's hybrid encoding of small integers: runs of one value, and groups of eight packed ones.
/// </summary>
internal ref struct RunReader(ReadOnlySpan<byte> data, int bitWidth)
{
    private ReadOnlySpan<byte> _rest = data;

    /// <summary>How many values the run has (of packed ones, the last may be padding).</summary>
    public long Count { get; private set; }

    /// <summary>Whether the run's values are packed; otherwise all are <see cref="Value"/>.</summary>
    public bool IsPacked { get; private set; }

    /// <summary>The value of a run.</summary>
    public int Value { get; private set; }

    /// <summary>The packed values.</summary>
    public ReadOnlySpan<byte> Packed { get; private set; }

    /// <summary>Bytes not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>Steps to the next run.</summary>
    /// <returns>False at the end of the data.</returns>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var header = Varint.Read(ref _rest);
        IsPacked = (header & 1) != 0;
        var count = header >> 1;
        if (IsPacked)
        {
            // The last run may be cut after the bytes that hold values.
            var groups = (long)Math.Min(count, int.MaxValue);
            var bytes = (int)Math.Min(groups * bitWidth, _rest.Length);
            Packed = _rest[..bytes];
            _rest = _rest[bytes..];
            Count = bitWidth == 0 ? groups * 8 : Packed.Length * 8L / bitWidth;
            return true;
        }

        var size = (bitWidth + 7) / 8;
        if (size > _rest.Length)
        {
            throw new EndOfDataException("run-length data");
        }

        Value = 0;
        for (var i = 0; i < size; i++)
        {
            Value |= _rest[i] << (8 * i);
        }

        if (bitWidth < 32 && (uint)Value >> bitWidth != 0)
        {
            throw new CorruptException("run-length data with a value out of range");
        }

        _rest = _rest[size..];
        Count = (long)Math.Min(count, int.MaxValue);
        return true;
    }

    /// <summary>Checks that there are so many values, so that memory can be had for them without trusting a header.</summary>
    /// <exception cref="CorruptException">There are fewer.</exception>
    public static void EnsureHolds(ReadOnlySpan<byte> data, int bitWidth, long count)
    {
        var runs = new RunReader(data, bitWidth);
        while (count > 0)
        {
            if (!runs.Next())
            {
                throw new EndOfDataException("run-length data");
            }

            count -= runs.Count;
        }
    }

    /// <summary>Decodes repetition or definition levels.</summary>
    /// <returns>The bytes that follow.</returns>
    public static ReadOnlySpan<byte> DecodeLevels(ReadOnlySpan<byte> data, int bitWidth, Span<byte> target)
    {
        var runs = new RunReader(data, bitWidth);
        Span<int> block = stackalloc int[256];
        while (!target.IsEmpty)
        {
            if (!runs.Next())
            {
                throw new EndOfDataException("the levels of a page");
            }

            var count = (int)Math.Min(runs.Count, target.Length);
            if (!runs.IsPacked)
            {
                target[..count].Fill((byte)runs.Value);
            }
            else
            {
                for (var i = 0; i < count; i += block.Length)
                {
                    var part = block[..Math.Min(block.Length, count - i)];
                    BitPacking.Unpack(runs.Packed, bitWidth, i, part);
                    for (var j = 0; j < part.Length; j++)
                    {
                        target[i + j] = (byte)part[j];
                    }
                }
            }

            target = target[count..];
        }

        return runs.Rest;
    }
}

internal static class Varint
{
    public static ulong Read(ref ReadOnlySpan<byte> data)
    {
        ulong value = 0;
        for (var i = 0; i < 10; i++)
        {
            if (i >= data.Length)
            {
                throw new EndOfDataException("encoded data");
            }

            value |= (ulong)(data[i] & 0x7f) << (7 * i);
            if (data[i] < 0x80)
            {
                data = data[(i + 1)..];
                return value;
            }
        }

        throw new CorruptException("encoded data with an integer of too many bytes");
    }

    public static long ReadZigZag(ref ReadOnlySpan<byte> data)
    {
        var value = Read(ref data);
        return (long)(value >> 1) ^ -(long)(value & 1);
    }
}

/// <summary>Integers packed without gaps, lowest bit first.</summary>
internal static class BitPacking
{
    /// <summary>Unpacks values of up to 32 bits.</summary>
    /// <param name="packed">At least the bytes that hold them.</param>
    /// <param name="bitWidth">Bits of a value.</param>
    /// <param name="start">Index of the first value wanted.</param>
    /// <param name="target">Where they go.</param>
    public static void Unpack(ReadOnlySpan<byte> packed, int bitWidth, long start, Span<int> target)
    {
        var mask = bitWidth == 32 ? uint.MaxValue : (1u << bitWidth) - 1;
        var bit = start * bitWidth;
        ref var first = ref MemoryMarshal.GetReference(packed);
        for (var i = 0; i < target.Length; i++, bit += bitWidth)
        {
            var at = (int)(bit >> 3);
            var word = packed.Length - at >= 8
                ? Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, at))
                : ReadTail(packed, at);
            target[i] = (int)((uint)(word >> (int)(bit & 7)) & mask);
        }
    }

    /// <summary>Unpacks values of up to 64 bits from the start.</summary>
    public static void Unpack(ReadOnlySpan<byte> packed, int bitWidth, Span<long> target)
    {
        var mask = bitWidth == 64 ? ulong.MaxValue : (1ul << bitWidth) - 1;
        long bit = 0;
        for (var i = 0; i < target.Length; i++, bit += bitWidth)
        {
            var at = (int)(bit >> 3);
            var shift = (int)(bit & 7);
            var word = ReadTail(packed, at) >> shift;
            if (shift + bitWidth > 64)
            {
                word |= (ulong)packed[at + 8] << (64 - shift);
            }

            target[i] = (long)(word & mask);
        }
    }

    private static ulong ReadTail(ReadOnlySpan<byte> packed, int at)
    {
        if (packed.Length - at >= 8)
        {
            return MemoryMarshal.Read<ulong>(packed[at..]);
        }

        ulong word = 0;
        for (var i = at; i < packed.Length; i++)
        {
            word |= (ulong)packed[i] << (8 * (i - at));
        }

        return word;
    }
}
