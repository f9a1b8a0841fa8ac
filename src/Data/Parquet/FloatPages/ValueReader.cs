using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Encoding = Parquet.Meta.Encoding;

namespace MonoLoss.Data.Parquet;

/// <summary>Takes the dictionary of a column chunk.</summary>
internal interface IDictionaryReader
{
    /// <summary>Takes a dictionary page.</summary>
    /// <param name="data">Values in PLAIN encoding.</param>
    /// <param name="count">Number of values.</param>
    /// <exception cref="CorruptException">The page is damaged.</exception>
    void SetDictionary(ReadOnlySpan<byte> data, int count);
}

/// <summary>
/// Decodes the values of pages, which have no nulls, a part at a time: no page is ever decoded as a whole. The page is passed to every
/// call, so that the decoder can outlive the span.
/// </summary>
/// <typeparam name="T">The type they are decoded to.</typeparam>
internal abstract class ValueReader<T> : IDictionaryReader
{
    private const int BlockSize = 1024;

    private readonly int[] _indexes = new int[BlockSize];
    private T[] _dictionary = [];
    private int _dictionaryCount;
    private bool _usesDictionary;
    private RunReader _runs;

    /// <summary>Starts a column chunk, whose dictionary is not known yet.</summary>
    public void Reset() => _dictionaryCount = 0;

    /// <inheritdoc/>
    public void SetDictionary(ReadOnlySpan<byte> data, int count)
    {
        StartValues(Encoding.PLAIN, data, count);
        if (_dictionary.Length < count)
        {
            _dictionary = new T[count];
        }

        ReadValues(data, _dictionary.AsSpan(0, count));
        _dictionaryCount = count;
    }

    /// <summary>Starts a page.</summary>
    /// <param name="encoding">The encoding of its values.</param>
    /// <param name="page">The page after its levels.</param>
    /// <param name="count">Number of its values.</param>
    /// <exception cref="CorruptException">The page is damaged or its encoding is not supported.</exception>
    public void Start(Encoding encoding, ReadOnlySpan<byte> page, int count)
    {
        _usesDictionary = encoding is Encoding.PLAIN_DICTIONARY or Encoding.RLE_DICTIONARY;
        if (!_usesDictionary)
        {
            StartValues(encoding, page, count);
        }
        else if (count > 0)
        {
            var bitWidth = page.IsEmpty ? throw new EndOfDataException("a dictionary-encoded page") : page[0];
            _runs = bitWidth <= 32
                ? new RunReader(1, bitWidth)
                : throw new CorruptException("a dictionary-encoded page with indexes of more than 32 bits");
        }
    }

    /// <summary>Reads the next values of the page.</summary>
    /// <param name="page">The page after its levels.</param>
    /// <param name="target">Receives the values; at most as many as are left.</param>
    /// <exception cref="CorruptException">The page is damaged.</exception>
    public void Read(ReadOnlySpan<byte> page, Span<T> target)
    {
        if (!_usesDictionary)
        {
            ReadValues(page, target);
            return;
        }

        var dictionary = _dictionary.AsSpan(0, _dictionaryCount);
        while (!target.IsEmpty)
        {
            var indexes = _indexes.AsSpan(0, Math.Min(BlockSize, target.Length));
            _runs.Read(page, indexes);
            for (var i = 0; i < indexes.Length; i++)
            {
                var index = indexes[i];
                target[i] = (uint)index < (uint)dictionary.Length
                    ? dictionary[index]
                    : throw new CorruptException($"a page refers to value {(uint)index} of a dictionary of {dictionary.Length}");
            }

            target = target[indexes.Length..];
        }
    }

    /// <summary>Starts a page that uses no dictionary.</summary>
    /// <inheritdoc cref="Start"/>
    protected internal abstract void StartValues(Encoding encoding, ReadOnlySpan<byte> page, int count);

    /// <summary>Reads the next values of a page that uses no dictionary.</summary>
    /// <inheritdoc cref="Read"/>
    protected internal abstract void ReadValues(ReadOnlySpan<byte> page, Span<T> target);
}

/// <summary>Numbers, decoded to the type they are stored in.</summary>
internal sealed class NumberReader<T> : ValueReader<T>
    where T : unmanaged
{
    private const int BlockSize = 1024;

    private BytesReader<T>? _bytes;
    private long[] _block = [];
    private Encoding _encoding;
    private DeltaReader _delta;
    private int _count;
    private int _next;

    /// <inheritdoc/>
    protected internal override void StartValues(Encoding encoding, ReadOnlySpan<byte> page, int count)
    {
        (_encoding, _count, _next) = (encoding, count, 0);
        switch (encoding)
        {
            case Encoding.PLAIN or Encoding.BYTE_STREAM_SPLIT:
                if (page.Length / Unsafe.SizeOf<T>() < count)
                {
                    throw new EndOfDataException("a page");
                }

                break;
            case Encoding.DELTA_BINARY_PACKED when typeof(T) == typeof(int) || typeof(T) == typeof(uint)
                || typeof(T) == typeof(long) || typeof(T) == typeof(ulong):
                _delta = new DeltaReader(page, 0, count);
                if (_block.Length == 0)
                {
                    _block = new long[BlockSize];
                }

                break;
            case Encoding.DELTA_BYTE_ARRAY when typeof(T) == typeof(Half) || typeof(T) == typeof(Int128):
                // To the format, 16-bit floats and 128-bit integers are byte strings, and some writers choose the encoding by that.
                _bytes ??= new BytesReader<T>(Unsafe.SizeOf<T>(), bytes => MemoryMarshal.Read<T>(bytes));
                _bytes.StartValues(encoding, page, count);
                break;
            default:
                throw new CorruptException($"encoding {encoding} is not supported for this type");
        }
    }

    /// <inheritdoc/>
    protected internal override void ReadValues(ReadOnlySpan<byte> page, Span<T> target)
    {
        switch (_encoding)
        {
            case Encoding.PLAIN:
                var size = Unsafe.SizeOf<T>();
                page.Slice(_next * size, target.Length * size).CopyTo(MemoryMarshal.AsBytes(target));
                break;
            case Encoding.BYTE_STREAM_SPLIT:
                Join(page, MemoryMarshal.AsBytes(target));
                break;
            case Encoding.DELTA_BYTE_ARRAY:
                _bytes!.ReadValues(page, target);
                break;
            default:
                ReadDelta(page, target);
                break;
        }

        _next += target.Length;
    }

    private void ReadDelta(ReadOnlySpan<byte> page, Span<T> target)
    {
        while (!target.IsEmpty)
        {
            var block = _block.AsSpan(0, Math.Min(BlockSize, target.Length));
            _delta.Read(page, block);
            for (var i = 0; i < block.Length; i++)
            {
                // The lower bytes: 32-bit differences may have been added up with more bits.
                target[i] = Unsafe.As<long, T>(ref block[i]);
            }

            target = target[block.Length..];
        }
    }

    // Byte b of value i is at b·count + i.
    private void Join(ReadOnlySpan<byte> page, Span<byte> target)
    {
        var size = Unsafe.SizeOf<T>();
        for (var b = 0; b < size; b++)
        {
            var stream = page.Slice((b * _count) + _next, target.Length / size);
            for (var i = 0; i < stream.Length; i++)
            {
                target[(i * size) + b] = stream[i];
            }
        }
    }
}

/// <summary>Numbers, decoded to another type than they are stored in.</summary>
internal sealed class ConvertingReader<TStored, T>(Func<TStored, T> convert) : ValueReader<T>
    where TStored : unmanaged
{
    private readonly NumberReader<TStored> _stored = new();
    private readonly TStored[] _block = new TStored[1024];

    /// <inheritdoc/>
    protected internal override void StartValues(Encoding encoding, ReadOnlySpan<byte> page, int count) =>
        _stored.StartValues(encoding, page, count);

    /// <inheritdoc/>
    protected internal override void ReadValues(ReadOnlySpan<byte> page, Span<T> target)
    {
        while (!target.IsEmpty)
        {
            var block = _block.AsSpan(0, Math.Min(_block.Length, target.Length));
            _stored.ReadValues(page, block);
            for (var i = 0; i < block.Length; i++)
            {
                target[i] = convert(block[i]);
            }

            target = target[block.Length..];
        }
    }
}

/// <summary>Booleans: a bit each, or in runs.</summary>
/// <param name="make">Makes a value of a boolean.</param>
internal sealed class BooleanReader<T>(Func<bool, T> make) : ValueReader<T>
{
    private readonly int[] _block = new int[1024];
    private bool _inRuns;
    private RunReader _bits;
    private int _next;

    /// <inheritdoc/>
    protected internal override void StartValues(Encoding encoding, ReadOnlySpan<byte> page, int count)
    {
        _inRuns = encoding == Encoding.RLE;
        _next = 0;
        if (_inRuns)
        {
            // The size of the runs comes first; they end with the page.
            _bits = page.Length >= sizeof(int) || count == 0 ? new RunReader(sizeof(int), 1) : throw new EndOfDataException("a page");
        }
        else if (encoding != Encoding.PLAIN)
        {
            throw new CorruptException($"encoding {encoding} is not supported for this type");
        }
        else if (page.Length < (count + 7L) / 8)
        {
            throw new EndOfDataException("a page");
        }
    }

    /// <inheritdoc/>
    protected internal override void ReadValues(ReadOnlySpan<byte> page, Span<T> target)
    {
        while (!target.IsEmpty)
        {
            var block = _block.AsSpan(0, Math.Min(_block.Length, target.Length));
            if (_inRuns)
            {
                _bits.Read(page, block);
            }
            else
            {
                BitPacking.Unpack(page, 1, _next, block);
            }

            for (var i = 0; i < block.Length; i++)
            {
                target[i] = make(block[i] != 0);
            }

            _next += block.Length;
            target = target[block.Length..];
        }
    }
}

/// <summary>Makes a value of bytes.</summary>
internal delegate T FromBytes<out T>(ReadOnlySpan<byte> bytes);

/// <summary>Byte strings.</summary>
/// <param name="size">The size of all, in bytes, or 0 if each has its own.</param>
/// <param name="make">Makes a value of the bytes.</param>
internal sealed class BytesReader<T>(int size, FromBytes<T> make) : ValueReader<T>
{
    private readonly long[] _prefix = new long[1];
    private readonly long[] _suffix = new long[1];
    private Encoding _encoding;
    private DeltaReader _prefixes;
    private DeltaReader _lengths;
    private int _count;
    private int _position;
    private byte[] _value = [];
    private int _valueLength;

    /// <inheritdoc/>
    protected internal override void StartValues(Encoding encoding, ReadOnlySpan<byte> page, int count)
    {
        _encoding = encoding;
        _position = _valueLength = 0;
        switch (encoding)
        {
            case Encoding.PLAIN:
                if (page.Length / (size > 0 ? size : sizeof(int)) < count)
                {
                    throw new EndOfDataException("a page");
                }

                break;
            case Encoding.BYTE_STREAM_SPLIT when size > 0:
                _count = page.Length / size >= count ? count : throw new EndOfDataException("a page");
                if (_value.Length < size)
                {
                    _value = new byte[size];
                }

                break;
            case Encoding.DELTA_LENGTH_BYTE_ARRAY or Encoding.DELTA_BYTE_ARRAY:
                var start = 0;
                if (encoding == Encoding.DELTA_BYTE_ARRAY)
                {
                    _prefixes = new DeltaReader(page, 0, count);
                    var prefixes = _prefixes;
                    start = prefixes.Skip(page);
                }

                _lengths = new DeltaReader(page, start, count);
                var lengths = _lengths;
                _position = lengths.Skip(page);
                break;
            default:
                throw new CorruptException($"encoding {encoding} is not supported for this type");
        }
    }

    /// <inheritdoc/>
    protected internal override void ReadValues(ReadOnlySpan<byte> page, Span<T> target)
    {
        foreach (ref var value in target)
        {
            value = make(Next(page));
        }
    }

    private ReadOnlySpan<byte> Next(ReadOnlySpan<byte> page)
    {
        switch (_encoding)
        {
            case Encoding.PLAIN when size > 0:
                return Take(page, size);
            case Encoding.PLAIN:
                return Take(page, MemoryMarshal.Read<int>(Take(page, sizeof(int))));
            case Encoding.BYTE_STREAM_SPLIT:
                // Byte b of value i is at b·count + i.
                for (var b = 0; b < size; b++)
                {
                    _value[b] = page[(b * _count) + _position];
                }

                _position++;
                return _value.AsSpan(0, size);
            case Encoding.DELTA_LENGTH_BYTE_ARRAY:
                _lengths.Read(page, _suffix);
                return Take(page, _suffix[0]);
            default:
                return NextIncremental(page);
        }
    }

    // A value is a prefix of the one before it, and a suffix.
    private ReadOnlySpan<byte> NextIncremental(ReadOnlySpan<byte> page)
    {
        _prefixes.Read(page, _prefix);
        _lengths.Read(page, _suffix);
        var prefix = _prefix[0];
        if (prefix < 0 || prefix > _valueLength)
        {
            throw new CorruptException("delta-encoded data with a prefix longer than the value before");
        }

        var suffix = Take(page, _suffix[0]);
        var length = prefix + suffix.Length;
        if (size > 0 ? length != size : length > FlatColumn.LongestText)
        {
            throw new CorruptException($"a value of {length} bytes, expected {(size > 0 ? $"{size}" : "fewer")}");
        }

        if (_value.Length < length)
        {
            Array.Resize(ref _value, Math.Max((int)length, 2 * _value.Length));
        }

        suffix.CopyTo(_value.AsSpan((int)prefix));
        _valueLength = (int)length;
        return _value.AsSpan(0, _valueLength);
    }

    private ReadOnlySpan<byte> Take(ReadOnlySpan<byte> page, long count)
    {
        if (count < 0 || count > page.Length - _position)
        {
            throw new EndOfDataException("a page");
        }

        _position += (int)count;
        return page.Slice(_position - (int)count, (int)count);
    }
}
