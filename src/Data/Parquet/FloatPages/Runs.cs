using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// Decodes Parquet's hybrid encoding of small integers (runs of one value, and groups of eight packed ones), a part at a time. The data
/// are passed to every call, so that the decoder can outlive the span.
/// </summary>
internal struct RunReader(int start, int bitWidth)
{
    private const int BlockSize = 256;

    private int _position = start;
    private long _left;
    private bool _isPacked;
    private int _value;
    private int _packedStart;
    private int _packedLength;
    private long _used;

    /// <summary>Reads the next values of dictionary indexes.</summary>
    /// <param name="data">The page.</param>
    /// <param name="target">Receives the values.</param>
    /// <exception cref="CorruptException">The data are damaged or hold fewer values.</exception>
    public void Read(ReadOnlySpan<byte> data, Span<int> target)
    {
        while (!target.IsEmpty)
        {
            var count = TakePart(data, target.Length);
            if (_isPacked)
            {
                BitPacking.Unpack(data.Slice(_packedStart, _packedLength), bitWidth, _used, target[..count]);
            }
            else
            {
                target[..count].Fill(_value);
            }

            _used += count;
            target = target[count..];
        }
    }

    /// <summary>Reads the next repetition or definition levels.</summary>
    /// <inheritdoc cref="Read"/>
    public void ReadLevels(ReadOnlySpan<byte> data, Span<byte> target)
    {
        Span<int> block = stackalloc int[BlockSize];
        while (!target.IsEmpty)
        {
            var count = TakePart(data, target.Length);
            if (!_isPacked)
            {
                target[..count].Fill((byte)_value);
            }
            else
            {
                var packed = data.Slice(_packedStart, _packedLength);
                for (var i = 0; i < count; i += block.Length)
                {
                    var part = block[..Math.Min(block.Length, count - i)];
                    BitPacking.Unpack(packed, bitWidth, _used + i, part);
                    for (var j = 0; j < part.Length; j++)
                    {
                        target[i + j] = (byte)part[j];
                    }
                }
            }

            _used += count;
            target = target[count..];
        }
    }

    // Moves to the next run if the last one is used up, and takes as much of it as is wanted.
    private int TakePart(ReadOnlySpan<byte> data, int wanted)
    {
        while (_left == 0)
        {
            NextRun(data);
        }

        var count = (int)Math.Min(_left, wanted);
        _left -= count;
        return count;
    }

    private void NextRun(ReadOnlySpan<byte> data)
    {
        var rest = data[_position..];
        if (rest.IsEmpty)
        {
            throw new EndOfDataException("run-length data");
        }

        var header = Varint.Read(ref rest);
        var count = (long)Math.Min(header >> 1, int.MaxValue);
        _isPacked = (header & 1) != 0;
        _used = 0;
        if (_isPacked)
        {
            // The last run may be cut after the bytes that hold values.
            _packedLength = (int)Math.Min(count * bitWidth, rest.Length);
            _packedStart = data.Length - rest.Length;
            _position = _packedStart + _packedLength;
            _left = bitWidth == 0 ? count * 8 : _packedLength * 8L / bitWidth;
            return;
        }

        var size = (bitWidth + 7) / 8;
        if (size > rest.Length)
        {
            throw new EndOfDataException("run-length data");
        }

        _value = 0;
        for (var i = 0; i < size; i++)
        {
            _value |= rest[i] << (8 * i);
        }

        if (bitWidth < 32 && (uint)_value >> bitWidth != 0)
        {
            throw new CorruptException("run-length data with a value out of range");
        }

        _position = data.Length - rest.Length + size;
        _left = count;
    }
}

/// <summary>Integers of seven bits per byte, lowest first.</summary>
internal static class Varint
{
    /// <summary>Reads an unsigned integer and moves past it.</summary>
    /// <exception cref="CorruptException">The data end within it, or it has more than ten bytes.</exception>
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

    /// <summary>Reads a signed integer in zigzag encoding.</summary>
    /// <inheritdoc cref="Read"/>
    public static long ReadZigZag(ref ReadOnlySpan<byte> data) => ZigZag(Read(ref data));

    /// <summary>Decodes zigzag: 0, −1, 1, −2, … for 0, 1, 2, 3, …</summary>
    public static long ZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);
}

/// <summary>Integers packed without gaps, lowest bit first.</summary>
internal static class BitPacking
{
    /// <summary>Unpacks values of up to 32 bits.</summary>
    /// <param name="packed">At least the bytes that hold the values.</param>
    /// <param name="bitWidth">Bits per value.</param>
    /// <param name="start">Index of the first value wanted.</param>
    /// <param name="target">Receives the values.</param>
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

    /// <summary>Unpacks values of up to 64 bits.</summary>
    /// <inheritdoc cref="Unpack(ReadOnlySpan{byte}, int, long, Span{int})"/>
    public static void Unpack(ReadOnlySpan<byte> packed, int bitWidth, long start, Span<long> target)
    {
        var mask = bitWidth == 64 ? ulong.MaxValue : (1ul << bitWidth) - 1;
        var bit = start * bitWidth;
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
