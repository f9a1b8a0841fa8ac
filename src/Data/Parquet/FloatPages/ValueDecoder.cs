using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MonoLoss.Data.Parquet;

/// <summary>Decodes the values (no nulls) of whole pages.</summary>
/// <typeparam name="T">What they are decoded to.</typeparam>
internal abstract class ValueDecoder<T>
{
    private T[] _dictionary = [];

    /// <summary>Bytes of a value in plain encoding when any part of a page can be decoded by itself, otherwise 0.</summary>
    public virtual int PlainSize => 0;

    /// <summary>Takes a dictionary page; an empty one at the start of a column chunk.</summary>
    public void SetDictionary(ReadOnlySpan<byte> data, int count)
    {
        EnsureHolds(PageEncoding.Plain, data, count);
        _dictionary = count == 0 ? [] : new T[count];
        DecodeValues(PageEncoding.Plain, data, _dictionary);
    }

    /// <summary>Checks, as far as is cheap, that a page has so many values: memory is taken for them after that.</summary>
    public void EnsureHolds(PageEncoding encoding, ReadOnlySpan<byte> data, int count)
    {
        if (count == 0)
        {
            return;
        }

        if (encoding is PageEncoding.PlainDictionary or PageEncoding.RleDictionary)
        {
            var indexes = Indexes(data, out var bitWidth);
            RunReader.EnsureHolds(indexes, bitWidth, count);
        }
        else
        {
            EnsureHoldsValues(encoding, data, count);
        }
    }

    /// <summary>Decodes a page's values.</summary>
    /// <param name="encoding">Their encoding.</param>
    /// <param name="data">The page after its levels.</param>
    /// <param name="target">As many as the page has.</param>
    /// <exception cref="CorruptException">The page is damaged or its encoding is not supported.</exception>
    public void Decode(PageEncoding encoding, ReadOnlySpan<byte> data, Span<T> target)
    {
        if (target.IsEmpty)
        {
            return;
        }

        if (encoding is PageEncoding.PlainDictionary or PageEncoding.RleDictionary)
        {
            DecodeDictionary(data, target);
        }
        else
        {
            DecodeValues(encoding, data, target);
        }
    }

    protected abstract void EnsureHoldsValues(PageEncoding encoding, ReadOnlySpan<byte> data, int count);

    protected abstract void DecodeValues(PageEncoding encoding, ReadOnlySpan<byte> data, Span<T> target);

    protected static CorruptException Unsupported(PageEncoding encoding) => new($"encoding {encoding} is not supported for this type");

    private static ReadOnlySpan<byte> Indexes(ReadOnlySpan<byte> data, out int bitWidth)
    {
        if (data.IsEmpty)
        {
            throw new EndOfDataException("a dictionary-encoded page");
        }

        bitWidth = data[0];
        return bitWidth <= 32 ? data[1..] : throw new CorruptException("a dictionary-encoded page with indexes of more than 32 bits");
    }

    private void DecodeDictionary(ReadOnlySpan<byte> data, Span<T> target)
    {
        var runs = new RunReader(Indexes(data, out var bitWidth), bitWidth);
        Span<int> block = stackalloc int[256];
        var dictionary = _dictionary;
        while (!target.IsEmpty)
        {
            if (!runs.Next())
            {
                throw new EndOfDataException("a dictionary-encoded page");
            }

            var count = (int)Math.Min(runs.Count, target.Length);
            if (!runs.IsPacked)
            {
                if (count > 0)
                {
                    target[..count].Fill((uint)runs.Value < (uint)dictionary.Length ? dictionary[runs.Value] : throw NoSuchIndex());
                }
            }
            else
            {
                for (var i = 0; i < count; i += block.Length)
                {
                    var part = block[..Math.Min(block.Length, count - i)];
                    BitPacking.Unpack(runs.Packed, bitWidth, i, part);
                    var values = target.Slice(i, part.Length);
                    for (var j = 0; j < values.Length; j++)
                    {
                        var index = part[j];
                        values[j] = (uint)index < (uint)dictionary.Length ? dictionary[index] : throw NoSuchIndex();
                    }
                }
            }

            target = target[count..];
        }
    }

    private CorruptException NoSuchIndex() =>
        new($"a page refers to a value that is not among the {_dictionary.Length} of its dictionary");
}

/// <summary>Numbers, stored as they are in memory.</summary>
internal sealed class FixedDecoder<T> : ValueDecoder<T>
    where T : unmanaged
{
    public override int PlainSize => Unsafe.SizeOf<T>();

    protected override void EnsureHoldsValues(PageEncoding encoding, ReadOnlySpan<byte> data, int count)
    {
        if (encoding is PageEncoding.DeltaBinaryPacked or PageEncoding.DeltaByteArray)
        {
            Delta.EnsureHolds(data, count);
        }
        else if (data.Length / Unsafe.SizeOf<T>() < count)
        {
            throw new EndOfDataException("a page");
        }
    }

    protected override void DecodeValues(PageEncoding encoding, ReadOnlySpan<byte> data, Span<T> target)
    {
        EnsureHoldsValues(encoding, data, target.Length);
        switch (encoding)
        {
            case PageEncoding.Plain:
                data[..(target.Length * Unsafe.SizeOf<T>())].CopyTo(MemoryMarshal.AsBytes(target));
                break;
            case PageEncoding.ByteStreamSplit:
                Join(data, target.Length, MemoryMarshal.AsBytes(target));
                break;
            case PageEncoding.DeltaBinaryPacked when typeof(T) == typeof(long) || typeof(T) == typeof(ulong):
                Delta.Decode(ref data, MemoryMarshal.Cast<T, long>(target));
                break;
            case PageEncoding.DeltaBinaryPacked when typeof(T) == typeof(int) || typeof(T) == typeof(uint):
                var wide = new long[target.Length];
                Delta.Decode(ref data, wide);
                var narrow = MemoryMarshal.Cast<T, int>(target);
                for (var i = 0; i < wide.Length; i++)
                {
                    narrow[i] = unchecked((int)wide[i]);
                }

                break;
            case PageEncoding.DeltaByteArray when typeof(T) == typeof(Half):
                // 16-bit floats are byte strings to the format, and some writers choose the encoding by that.
                new BytesDecoder<T>(Unsafe.SizeOf<T>(), bytes => MemoryMarshal.Read<T>(bytes)).Decode(encoding, data, target);
                break;
            default:
                throw Unsupported(encoding);
        }
    }

    // Byte b of value i is at b·count + i.
    private static void Join(ReadOnlySpan<byte> data, int count, Span<byte> target)
    {
        var size = Unsafe.SizeOf<T>();
        for (var b = 0; b < size; b++)
        {
            var stream = data.Slice(b * count, count);
            for (var i = 0; i < stream.Length; i++)
            {
                target[(i * size) + b] = stream[i];
            }
        }
    }
}

/// <summary>How <see cref="ConvertingDecoder{TStored, T, TConversion}"/> gets from one type to another.</summary>
internal interface IConversion<TStored, T>
{
    static abstract T Convert(TStored value);
}

/// <summary>Numbers that are wanted in another type than they are stored in.</summary>
internal sealed class ConvertingDecoder<TStored, T, TConversion> : ValueDecoder<T>
    where TStored : unmanaged
    where TConversion : struct, IConversion<TStored, T>
{
    private readonly FixedDecoder<TStored> _stored = new();
    private TStored[] _values = [];

    public override int PlainSize => _stored.PlainSize;

    protected override void EnsureHoldsValues(PageEncoding encoding, ReadOnlySpan<byte> data, int count) =>
        _stored.EnsureHolds(encoding, data, count);

    protected override void DecodeValues(PageEncoding encoding, ReadOnlySpan<byte> data, Span<T> target)
    {
        EnsureHoldsValues(encoding, data, target.Length);
        if (_values.Length < target.Length)
        {
            _values = new TStored[target.Length];
        }

        var values = _values.AsSpan(0, target.Length);
        _stored.Decode(encoding, data, values);
        for (var i = 0; i < values.Length; i++)
        {
            target[i] = TConversion.Convert(values[i]);
        }
    }
}

internal readonly struct Widen : IConversion<int, long>, IConversion<uint, long>, IConversion<float, double>, IConversion<Half, float>,
    IConversion<Half, double>
{
    public static long Convert(int value) => value;

    public static long Convert(uint value) => value;

    public static double Convert(float value) => value;

    public static float Convert(Half value) => (float)value;

    static double IConversion<Half, double>.Convert(Half value) => (double)value;
}

internal readonly struct Narrow : IConversion<double, float>, IConversion<ulong, long>, IConversion<uint, int>
{
    public static float Convert(double value) => (float)value;

    public static long Convert(ulong value) =>
        value <= long.MaxValue ? (long)value : throw new CorruptException($"{value} does not fit a signed 64-bit integer");

    public static int Convert(uint value) =>
        value <= int.MaxValue ? (int)value : throw new CorruptException($"{value} does not fit a signed 32-bit integer");
}

internal sealed class BooleanDecoder : ValueDecoder<bool>
{
    protected override void EnsureHoldsValues(PageEncoding encoding, ReadOnlySpan<byte> data, int count)
    {
        if (encoding == PageEncoding.Rle)
        {
            RunReader.EnsureHolds(Runs(data), 1, count);
        }
        else if (data.Length * 8L < count)
        {
            throw new EndOfDataException("a page");
        }
    }

    protected override void DecodeValues(PageEncoding encoding, ReadOnlySpan<byte> data, Span<bool> target)
    {
        EnsureHoldsValues(encoding, data, target.Length);
        switch (encoding)
        {
            case PageEncoding.Plain:
                for (var i = 0; i < target.Length; i++)
                {
                    target[i] = (data[i >> 3] >> (i & 7) & 1) != 0;
                }

                break;
            case PageEncoding.Rle:
                RunReader.DecodeLevels(Runs(data), 1, MemoryMarshal.AsBytes(target));
                break;
            default:
                throw Unsupported(encoding);
        }
    }

    private static ReadOnlySpan<byte> Runs(ReadOnlySpan<byte> data)
    {
        if (data.Length < 4 || MemoryMarshal.Read<uint>(data) > data.Length - 4)
        {
            throw new EndOfDataException("a page");
        }

        return data.Slice(4, MemoryMarshal.Read<int>(data));
    }
}

internal delegate T FromBytes<out T>(ReadOnlySpan<byte> bytes);

/// <summary>Byte strings.</summary>
/// <param name="length">The length of all, or 0 if each has its own.</param>
/// <param name="make">What is made of the bytes.</param>
internal sealed class BytesDecoder<T>(int length, FromBytes<T> make) : ValueDecoder<T>
{
    protected override void EnsureHoldsValues(PageEncoding encoding, ReadOnlySpan<byte> data, int count)
    {
        switch (encoding)
        {
            case PageEncoding.DeltaLengthByteArray or PageEncoding.DeltaByteArray:
                Delta.EnsureHolds(data, count);
                break;
            default:
                if (data.Length / (length > 0 ? length : 4) < count)
                {
                    throw new EndOfDataException("a page");
                }

                break;
        }
    }

    protected override void DecodeValues(PageEncoding encoding, ReadOnlySpan<byte> data, Span<T> target)
    {
        EnsureHoldsValues(encoding, data, target.Length);
        switch (encoding)
        {
            case PageEncoding.Plain when length > 0:
                for (var i = 0; i < target.Length; i++)
                {
                    target[i] = make(data.Slice(i * length, length));
                }

                break;
            case PageEncoding.Plain:
                for (var i = 0; i < target.Length; i++)
                {
                    var size = data.Length >= 4 ? MemoryMarshal.Read<uint>(data) : uint.MaxValue;
                    if (size > data.Length - 4)
                    {
                        throw new EndOfDataException("a page");
                    }

                    target[i] = make(data.Slice(4, (int)size));
                    data = data[(4 + (int)size)..];
                }

                break;
            case PageEncoding.DeltaLengthByteArray:
                var lengths = Delta.DecodeLengths(ref data, target.Length);
                for (var i = 0; i < target.Length; i++)
                {
                    target[i] = make(Take(ref data, lengths[i]));
                }

                break;
            case PageEncoding.DeltaByteArray:
                DecodeIncremental(data, target);
                break;
            case PageEncoding.ByteStreamSplit when length > 0:
                var value = new byte[length];
                for (var i = 0; i < target.Length; i++)
                {
                    for (var b = 0; b < length; b++)
                    {
                        value[b] = data[(b * target.Length) + i];
                    }

                    target[i] = make(value);
                }

                break;
            default:
                throw Unsupported(encoding);
        }
    }

    // A value is a prefix of the one before and a suffix of its own.
    private void DecodeIncremental(ReadOnlySpan<byte> data, Span<T> target)
    {
        var prefixes = Delta.DecodeLengths(ref data, target.Length);
        var suffixes = Delta.DecodeLengths(ref data, target.Length);
        byte[] value = [];
        var size = 0;
        for (var i = 0; i < target.Length; i++)
        {
            if (prefixes[i] > size)
            {
                throw new CorruptException("delta-encoded data with a prefix longer than the value before");
            }

            var suffix = Take(ref data, suffixes[i]);
            size = checked(prefixes[i] + suffix.Length);
            if (value.Length < size)
            {
                Codec.Grow(ref value, Math.Max(size, (int)Math.Min(2L * value.Length, Array.MaxLength)), prefixes[i]);
            }

            suffix.CopyTo(value.AsSpan(prefixes[i]));
            if (length > 0 && size != length)
            {
                throw new CorruptException($"a value of {size} bytes where {length} were expected");
            }

            target[i] = make(value.AsSpan(0, size));
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> data, int count)
    {
        if (count > data.Length)
        {
            throw new EndOfDataException("a page");
        }

        var taken = data[..count];
        data = data[count..];
        return taken;
    }
}
