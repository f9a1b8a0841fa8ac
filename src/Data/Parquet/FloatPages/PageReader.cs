using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MonoLoss.Data.Parquet;

/// <summary>Reads the pages of a column chunk one after another. One reader serves many chunks, and keeps its buffers.</summary>
internal sealed class PageReader
{
    private const int ReadAhead = 1 << 20;
    private const int FirstHeaderGuess = 1 << 14;
    private const int MaxHeader = 1 << 26;

    private byte[] _window = [];
    private int _start;
    private int _end;
    private byte[] _page = [];
    private byte[] _repetition = [];
    private byte[] _definition = [];
    private SafeFileHandle? _file;
    private ParquetColumn? _column;
    private ParquetCompression _codec;
    private long _position;
    private long _unread;
    private long _valuesLeft;
    private bool _valuesInWindow;
    private int _valuesStart;
    private int _valuesLength;

    /// <summary>Values of the page, nulls and empty lists included.</summary>
    public int Count { get; private set; }

    /// <summary>Values that are there.</summary>
    public int Present { get; private set; }

    /// <summary>How the values are encoded.</summary>
    public PageEncoding Encoding { get; private set; }

    /// <summary>Repetition levels; empty for a flat column.</summary>
    public ReadOnlySpan<byte> Repetition => _column!.MaxRepetition > 0 ? _repetition.AsSpan(0, Count) : default;

    /// <summary>Definition levels; empty for a column without nulls and lists.</summary>
    public ReadOnlySpan<byte> Definition => _column!.MaxDefinition > 0 ? _definition.AsSpan(0, Count) : default;

    /// <summary>The encoded values. Valid until the next page.</summary>
    public ReadOnlySpan<byte> Values => (_valuesInWindow ? _window : _page).AsSpan(_valuesStart, _valuesLength);

    /// <summary>Starts a chunk.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="column">The column.</param>
    /// <param name="chunk">The column's data in a row group.</param>
    /// <param name="size">How many bytes may be read from the chunk's start.</param>
    public void Open(SafeFileHandle file, ParquetColumn column, ColumnChunk chunk, long size)
    {
        if (chunk.Problem is not null)
        {
            throw new CorruptException(chunk.Problem);
        }

        _file = file;
        _column = column;
        _codec = chunk.Codec;
        _position = chunk.Start;
        _unread = size;
        _valuesLeft = chunk.Values;
        _start = _end = 0;
        Count = Present = 0;
    }

    /// <summary>Reads the next data page; hands a dictionary that comes before it to the decoder.</summary>
    /// <returns>False after the last page.</returns>
    /// <exception cref="CorruptException">The page is damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public bool Next<T>(ValueDecoder<T> decoder)
    {
        while (_valuesLeft > 0)
        {
            var header = ReadHeader();
            var body = Take(header.CompressedSize);
            if (header.Crc is { } crc && crc != Crc32.Compute(Window(body, header.CompressedSize)))
            {
                throw new CorruptException("a page does not match its checksum");
            }

            switch (header.Type)
            {
                case PageType.Dictionary:
                    decoder.SetDictionary(Decompress(header, body, 0), header.Values);
                    break;
                case PageType.Data or PageType.DataV2:
                    if (header.Values > _valuesLeft)
                    {
                        throw new CorruptException("the pages hold more values than the footer says");
                    }

                    _valuesLeft -= header.Values;
                    Count = header.Values;
                    Encoding = header.Encoding;
                    if (header.Type == PageType.Data)
                    {
                        ReadV1(header, body);
                    }
                    else
                    {
                        ReadV2(header, body);
                    }

                    decoder.EnsureHolds(Encoding, Values, Present);
                    return true;
                default:
                    break;
            }
        }

        return false;
    }

    private ReadOnlySpan<byte> Window(int start, int length) => _window.AsSpan(start, length);

    private void ReadV1(in PageHeader header, int body)
    {
        var rest = Decompress(header, body, 0);
        var all = rest.Length;
        rest = ReadLevels(rest, header.RepetitionEncoding, _column!.MaxRepetition, ref _repetition);
        rest = ReadLevels(rest, header.DefinitionEncoding, _column.MaxDefinition, ref _definition);
        _valuesStart += all - rest.Length;
        _valuesLength = rest.Length;
        CountPresent();
    }

    private void ReadV2(in PageHeader header, int body)
    {
        var levels = (long)header.RepetitionLength + header.DefinitionLength;
        if (levels > header.CompressedSize || levels > header.UncompressedSize)
        {
            throw new CorruptException("a page has an invalid header");
        }

        ReadLevels(Window(body, header.RepetitionLength), _column!.MaxRepetition, ref _repetition);
        ReadLevels(Window(body + header.RepetitionLength, header.DefinitionLength), _column.MaxDefinition, ref _definition);
        Decompress(header, body, (int)levels);
        CountPresent();
    }

    // Finds or decompresses the body (without its first bytes, which are levels) and remembers where it is.
    private ReadOnlySpan<byte> Decompress(in PageHeader header, int body, int skip)
    {
        var compressed = header.CompressedSize - skip;
        var size = header.UncompressedSize - skip;
        if (_codec == ParquetCompression.None || !header.IsCompressed)
        {
            if (compressed != size)
            {
                throw new CorruptException($"an uncompressed page of {compressed} bytes where {size} were expected");
            }

            _valuesInWindow = true;
            _valuesStart = body + skip;
        }
        else
        {
            _valuesInWindow = false;
            _valuesStart = 0;
            // A page of nulls alone may have no compressed data, not even an empty stream of the codec.
            if (size > 0)
            {
                Codec.Decompress(_codec, Window(body + skip, compressed), ref _page, 0, size);
            }
        }

        _valuesLength = size;
        return Values;
    }

    private ReadOnlySpan<byte> ReadLevels(ReadOnlySpan<byte> data, PageEncoding encoding, int max, ref byte[] levels)
    {
        if (max == 0)
        {
            return data;
        }

        switch (encoding)
        {
            case PageEncoding.Rle:
                if (data.Length < 4 || MemoryMarshal.Read<uint>(data) > data.Length - 4)
                {
                    throw new EndOfDataException("the levels of a page");
                }

                var size = MemoryMarshal.Read<int>(data);
                ReadLevels(data.Slice(4, size), max, ref levels);
                return data[(4 + size)..];
            case PageEncoding.BitPacked:
                return ReadBitPackedLevels(data, max, ref levels);
            default:
                throw new CorruptException($"levels in encoding {encoding} are not supported");
        }
    }

    private void ReadLevels(ReadOnlySpan<byte> data, int max, ref byte[] levels)
    {
        if (max == 0)
        {
            return;
        }

        var width = BitOperations.Log2((uint)max) + 1;
        RunReader.EnsureHolds(data, width, Count);
        Codec.Grow(ref levels, Count, 0);
        var target = levels.AsSpan(0, Count);
        RunReader.DecodeLevels(data, width, target);
        CheckLevels(target, max);
    }

    // The deprecated encoding: no runs, and the highest bit first.
    private ReadOnlySpan<byte> ReadBitPackedLevels(ReadOnlySpan<byte> data, int max, ref byte[] levels)
    {
        var width = BitOperations.Log2((uint)max) + 1;
        var size = (((long)Count * width) + 7) / 8;
        if (size > data.Length)
        {
            throw new EndOfDataException("the levels of a page");
        }

        Codec.Grow(ref levels, Count, 0);
        var bit = 0L;
        for (var i = 0; i < Count; i++)
        {
            var level = 0;
            for (var b = 0; b < width; b++, bit++)
            {
                level = (level << 1) | (data[(int)(bit >> 3)] >> (7 - (int)(bit & 7)) & 1);
            }

            levels[i] = (byte)level;
        }

        CheckLevels(levels.AsSpan(0, Count), max);
        return data[(int)size..];
    }

    private static void CheckLevels(ReadOnlySpan<byte> levels, int max)
    {
        if (levels.ContainsAnyExceptInRange((byte)0, (byte)max))
        {
            throw new CorruptException("a page has a level out of range");
        }
    }

    private void CountPresent() =>
        Present = _column!.MaxDefinition > 0 ? Definition.Count((byte)_column.MaxDefinition) : Count;

    private PageHeader ReadHeader()
    {
        for (var guess = FirstHeaderGuess; ; guess *= 8)
        {
            var available = (int)Math.Min(guess, _unread + _end - _start);
            Fill(available);
            try
            {
                var header = PageHeader.Read(Window(_start, available), out var length);
                _start += length;
                return header;
            }
            catch (EndOfDataException) when (available == guess && guess < MaxHeader)
            {
                // A header can be long: it may hold the smallest and largest text of the page.
            }
            catch (EndOfDataException)
            {
                throw new EndOfDataException("the column's data");
            }
        }
    }

    // Returns where in the window the bytes are.
    private int Take(int count)
    {
        Fill(count);
        _start += count;
        return _start - count;
    }

    private void Fill(int count)
    {
        if (_end - _start >= count)
        {
            return;
        }

        if (count > _unread + _end - _start)
        {
            throw new EndOfDataException("the column's data");
        }

        var kept = _end - _start;
        var size = (int)Math.Min(Math.Max(count, ReadAhead), _unread + kept);
        if (_window.Length >= size)
        {
            _window.AsSpan(_start, kept).CopyTo(_window);
        }
        else
        {
            var larger = GC.AllocateUninitializedArray<byte>(size);
            _window.AsSpan(_start, kept).CopyTo(larger);
            _window = larger;
        }

        _start = 0;
        _end = kept;
        while (_end < size)
        {
            var read = RandomAccess.Read(_file!, _window.AsSpan(_end, size - _end), _position);
            if (read == 0)
            {
                throw new EndOfDataException("the file");
            }

            _end += read;
            _position += read;
            _unread -= read;
        }
    }
}
