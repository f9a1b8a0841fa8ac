using System.IO.Hashing;
using System.Numerics;
using System.Runtime.InteropServices;
using Parquet.Meta;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// Reads the pages of a column chunk one after another. One reader serves many chunks and keeps its buffers: the bytes of a page as they
/// are in the file, and those bytes decompressed. Levels are never kept, only handed out a part at a time.
/// </summary>
/// <param name="readAhead">Bytes to read at a time where pages are smaller.</param>
internal sealed class PageReader(int readAhead = PageReader.DefaultReadAhead) : IDisposable
{
    /// <summary>Bytes read at a time for a single column.</summary>
    public const int DefaultReadAhead = 1 << 20;

    private const int FirstHeaderGuess = 1 << 12;
    private const int MaxHeader = 1 << 26;
    private const int LevelBlock = 4096;
    private const int StartSize = 1 << 18;

    private readonly NativeBytes _window = new();
    private readonly NativeBytes _page = new();
    private readonly Codec _codecs = new();
    private int _start;
    private int _end;
    private FileBytes? _file;
    private ParquetColumn? _column;
    private CompressionCodec _codec;
    private long _position;
    private long _unread;
    private long _valuesLeft;
    private bool _valuesInWindow;
    private int _valuesStart;
    private int _valuesLength;
    private int _levelsLeft;
    private LevelReader _repetition;
    private LevelReader _definition;

    /// <summary>Values of the page, nulls and empty lists included.</summary>
    public int Count { get; private set; }

    /// <summary>How the values are encoded.</summary>
    public Encoding Encoding { get; private set; }

    /// <summary>The encoded values. Valid until the next page.</summary>
    public ReadOnlySpan<byte> Values => (_valuesInWindow ? _window : _page).Span.Slice(_valuesStart, _valuesLength);

    /// <summary>Starts a chunk.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="column">The column.</param>
    /// <param name="chunk">The column's data in a row group.</param>
    /// <param name="size">Bytes that may be read from the chunk's start.</param>
    /// <exception cref="CorruptException">The chunk cannot be read.</exception>
    public void Open(FileBytes file, ParquetColumn column, ColumnChunk chunk, long size)
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
        Count = _levelsLeft = 0;
    }

    /// <summary>Reads the next data page.</summary>
    /// <param name="dictionary">Takes a dictionary that comes before the page; null if values are not wanted.</param>
    /// <returns>False after the last page.</returns>
    /// <exception cref="CorruptException">The page is damaged.</exception>
    /// <exception cref="IOException">The page cannot be read.</exception>
    public bool Next(IDictionaryReader? dictionary)
    {
        while (_valuesLeft > 0)
        {
            var header = ReadHeader();
            var body = Take(header.CompressedSize);
            if (header.Crc is { } crc && crc != Crc32.HashToUInt32(_window.Span.Slice(body, header.CompressedSize)))
            {
                throw new CorruptException("a page does not match its checksum");
            }

            switch (header.Type)
            {
                case PageType.DICTIONARY_PAGE:
                    Decompress(header, body, 0);
                    dictionary?.SetDictionary(Values, header.Values);
                    break;
                case PageType.DATA_PAGE or PageType.DATA_PAGE_V2:
                    if (header.Values > _valuesLeft)
                    {
                        throw new CorruptException("the pages hold more values than the footer says");
                    }

                    _valuesLeft -= header.Values;
                    Count = _levelsLeft = header.Values;
                    Encoding = header.Encoding;
                    if (header.Type == PageType.DATA_PAGE)
                    {
                        ReadV1(header, body);
                    }
                    else
                    {
                        ReadV2(header, body);
                    }

                    return true;
                default:
                    break;
            }
        }

        return false;
    }

    /// <summary>
    /// Counts the values of the first row of a chunk of lists from the first bytes of its first page. Nothing else is checked. Open the
    /// reader again before reading pages.
    /// </summary>
    /// <returns>The number of values; 0 if the second row does not start within these bytes, or they are damaged.</returns>
    /// <exception cref="IOException">The page cannot be read.</exception>
    public int PeekFirstRow()
    {
        try
        {
            var header = ReadHeader();
            while (header.Type is not (PageType.DATA_PAGE or PageType.DATA_PAGE_V2))
            {
                Skip(header.CompressedSize);
                header = ReadHeader();
            }

            return StartLevels(header) ? CountFirstRow(header.Values) : 0;
        }
        catch (CorruptException)
        {
            return 0;
        }
    }

    /// <summary>Reads the next levels of the page.</summary>
    /// <param name="repetition">Room for repetition levels; all 0 for a flat column.</param>
    /// <param name="definition">As much room for definition levels; all 0 for a column without nulls and lists.</param>
    /// <returns>How many were read: 0 at the end of the page.</returns>
    /// <exception cref="CorruptException">The levels are damaged.</exception>
    public int NextLevels(Span<byte> repetition, Span<byte> definition)
    {
        var count = Math.Min(_levelsLeft, repetition.Length);
        _levelsLeft -= count;
        _repetition.Read((_repetition.InWindow ? _window : _page).Span, repetition[..count]);
        _definition.Read((_definition.InWindow ? _window : _page).Span, definition[..count]);
        return count;
    }

    /// <summary>The number of values of the page that are not null, for a column without lists.</summary>
    /// <exception cref="CorruptException">The levels are damaged.</exception>
    public int CountPresent()
    {
        // A copy, so that the levels can be read once more.
        var levels = _definition;
        Span<byte> block = stackalloc byte[LevelBlock];
        var present = 0;
        for (var left = _levelsLeft; left > 0;)
        {
            var part = block[..Math.Min(LevelBlock, left)];
            levels.Read((levels.InWindow ? _window : _page).Span, part);
            present += part.Count((byte)_column!.MaxDefinition);
            left -= part.Length;
        }

        return present;
    }

    /// <summary>Frees the buffers.</summary>
    public void Dispose()
    {
        _window.Dispose();
        _page.Dispose();
        _codecs.Dispose();
    }

    // Finds the repetition levels as far as they are within the first bytes of a page.
    private bool StartLevels(in PageHeader header)
    {
        var length = Math.Min(header.CompressedSize, StartSize);
        var start = Take(length);
        var max = _column!.MaxRepetition;
        if (header.Type == PageType.DATA_PAGE_V2)
        {
            _repetition = new LevelReader(true, Encoding.RLE, start, Math.Min(length, header.RepetitionLength), max);
            return true;
        }

        var inWindow = _codec == CompressionCodec.UNCOMPRESSED;
        if (!inWindow)
        {
            length = Codec.DecompressStart(
                _codec, _window.Memory.Slice(start, length), header.CompressedSize, _page, header.UncompressedSize);
            start = 0;
        }

        if (header.RepetitionEncoding != Encoding.RLE || length < sizeof(int))
        {
            return false;
        }

        var size = MemoryMarshal.Read<uint>((inWindow ? _window : _page).Span[start..]);
        _repetition = new LevelReader(
            inWindow, Encoding.RLE, start + sizeof(int), (int)Math.Min(size, length - sizeof(int)), max);
        return true;
    }

    private int CountFirstRow(int values)
    {
        // Small blocks: one that is cut off counts as missing.
        const int BlockSize = 64;
        Span<byte> block = stackalloc byte[BlockSize];
        for (var count = 0; count < values; count += BlockSize)
        {
            var part = block[..Math.Min(BlockSize, values - count)];
            _repetition.Read((_repetition.InWindow ? _window : _page).Span, part);
            if (count == 0)
            {
                if (part[0] != 0)
                {
                    return 0;
                }

                part[0] = 1;
            }

            var next = part.IndexOf((byte)0);
            if (next >= 0)
            {
                return count + next;
            }
        }

        return 0;
    }

    private void ReadV1(in PageHeader header, int body)
    {
        Decompress(header, body, 0);
        _repetition = TakeLevels(header.RepetitionEncoding, _column!.MaxRepetition);
        _definition = TakeLevels(header.DefinitionEncoding, _column.MaxDefinition);
    }

    private void ReadV2(in PageHeader header, int body)
    {
        var levels = (long)header.RepetitionLength + header.DefinitionLength;
        if (levels > header.CompressedSize || levels > header.UncompressedSize)
        {
            throw new CorruptException("a page has an invalid header");
        }

        _repetition = new LevelReader(true, Encoding.RLE, body, header.RepetitionLength, _column!.MaxRepetition);
        _definition = new LevelReader(
            true, Encoding.RLE, body + header.RepetitionLength, header.DefinitionLength, _column.MaxDefinition);
        Decompress(header, body, (int)levels);
    }

    // Finds or decompresses the body (without its first bytes, which are levels) and remembers where it is.
    private void Decompress(in PageHeader header, int body, int skip)
    {
        var compressed = header.CompressedSize - skip;
        var size = header.UncompressedSize - skip;
        _valuesLength = size;
        _valuesInWindow = _codec == CompressionCodec.UNCOMPRESSED || !header.IsCompressed;
        _valuesStart = _valuesInWindow ? body + skip : 0;
        if (_valuesInWindow)
        {
            if (compressed != size)
            {
                throw new CorruptException($"an uncompressed page of {compressed} bytes, expected {size}");
            }
        }
        else if (size > 0)
        {
            // A page of nulls alone may have no compressed data, not even an empty stream of the codec.
            _codecs.Decompress(_codec, _window.Memory.Slice(body + skip, compressed), _page, size);
        }
    }

    // The levels of a V1 page come before its values.
    private LevelReader TakeLevels(Encoding encoding, int max)
    {
        if (max == 0)
        {
            return default;
        }

        var data = Values;
        var prefix = 0;
        long size;
        switch (encoding)
        {
            case Encoding.RLE:
                prefix = sizeof(int);
                size = data.Length >= prefix ? MemoryMarshal.Read<uint>(data) : uint.MaxValue;
                break;
            case Encoding.BIT_PACKED:
                size = (((long)Count * LevelReader.Width(max)) + 7) / 8;
                break;
            default:
                throw new CorruptException($"levels in encoding {encoding} are not supported");
        }

        if (size > data.Length - prefix)
        {
            throw new EndOfDataException("the levels of a page");
        }

        var levels = new LevelReader(_valuesInWindow, encoding, _valuesStart + prefix, (int)size, max);
        _valuesStart += prefix + (int)size;
        _valuesLength -= prefix + (int)size;
        return levels;
    }

    private PageHeader ReadHeader()
    {
        for (var guess = FirstHeaderGuess; ; guess *= 8)
        {
            var available = (int)Math.Min(guess, _unread + _end - _start);
            Fill(available);
            try
            {
                var header = PageHeader.Read(_window.Span.Slice(_start, available), out var length);
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

    private void Skip(int count)
    {
        var kept = _end - _start;
        if (count <= kept)
        {
            _start += count;
            return;
        }

        if (count > _unread + kept)
        {
            throw new EndOfDataException("the column's data");
        }

        _position += count - kept;
        _unread -= count - kept;
        _start = _end = 0;
    }

    private void Fill(int count)
    {
        var kept = _end - _start;
        if (kept >= count)
        {
            return;
        }

        if (count > _unread + kept)
        {
            throw new EndOfDataException("the column's data");
        }

        var size = (int)Math.Min(Math.Max(count, readAhead), _unread + kept);
        _window.Span[_start.._end].CopyTo(_window.Span);
        _window.Grow(size, kept);
        _file!.Read(_window.Span[kept..size], _position);
        _position += size - kept;
        _unread -= size - kept;
        (_start, _end) = (0, size);
    }
}

/// <summary>Decodes the repetition or definition levels of a page a part at a time. The default value reads zeros.</summary>
internal struct LevelReader
{
    private readonly int _start;
    private readonly int _length;
    private readonly int _max;
    private readonly bool _isBitPacked;
    private RunReader _runs;
    private long _bit;

    /// <summary>Starts at the first level.</summary>
    /// <param name="inWindow">Whether the levels are in the page as it is in the file.</param>
    /// <param name="encoding">RLE or BIT_PACKED.</param>
    /// <param name="start">Where the levels start in the buffer.</param>
    /// <param name="length">Their size in bytes.</param>
    /// <param name="max">The largest level.</param>
    public LevelReader(bool inWindow, Encoding encoding, int start, int length, int max)
    {
        (InWindow, _start, _length, _max) = (inWindow, start, length, max);
        _isBitPacked = encoding == Encoding.BIT_PACKED;
        _runs = new RunReader(0, Width(max));
    }

    /// <summary>Whether the levels are in the page as it is in the file.</summary>
    public bool InWindow { get; }

    /// <summary>Bits of a level.</summary>
    public static int Width(int max) => BitOperations.Log2((uint)max) + 1;

    /// <summary>Reads the next levels.</summary>
    /// <param name="buffer">The buffer.</param>
    /// <param name="target">Receives the levels.</param>
    /// <exception cref="CorruptException">The levels are damaged, or there are fewer.</exception>
    public void Read(ReadOnlySpan<byte> buffer, Span<byte> target)
    {
        if (_max == 0)
        {
            target.Clear();
            return;
        }

        var data = buffer.Slice(_start, _length);
        if (_isBitPacked)
        {
            ReadBitPacked(data, target);
        }
        else
        {
            _runs.ReadLevels(data, target);
        }

        if (target.ContainsAnyExceptInRange((byte)0, (byte)_max))
        {
            throw new CorruptException("a page has a level out of range");
        }
    }

    // The deprecated encoding: no runs, and the highest bit first.
    private void ReadBitPacked(ReadOnlySpan<byte> data, Span<byte> target)
    {
        var width = Width(_max);
        foreach (ref var level in target)
        {
            level = 0;
            for (var b = 0; b < width; b++, _bit++)
            {
                level = (byte)((level << 1) | (data[(int)(_bit >> 3)] >> (7 - (int)(_bit & 7)) & 1));
            }
        }
    }
}
