using System.Buffers.Binary;
using System.Numerics;

namespace MonoLoss.Data.Parquet;

/// <summary>How a Parquet file is written.</summary>
public sealed record ParquetWriterOptions
{
    /// <summary>None, Snappy, Gzip or Zstd.</summary>
    public ParquetCompression Compression { get; init; } = ParquetCompression.Snappy;

    /// <summary>Rows of a row group, in <see cref="ParquetWriter.Write"/>.</summary>
    public int RowGroupRows { get; init; } = 65536;

    /// <summary>Texts to keep beside the data.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>What the file is said to be written by.</summary>
    public string CreatedBy { get; init; } = BuildInfo.CreatedBy;
}

/// <summary>
/// Writes a Parquet file, row group by row group. The file appears under its name only when it is complete: without
/// <see cref="Complete"/>, disposing leaves what was there before.
/// </summary>
/// <example><code>
/// ParquetWriter.Write("out.parquet", [ParquetData.Create("step", steps), ParquetData.FloatLists("features", floats, 256)]);
/// </code></example>
public sealed class ParquetWriter : IDisposable
{
    private const int PageBytes = 1 << 20;

    private readonly AtomicFile _file;
    private readonly ParquetWriterOptions _options;
    private readonly List<(long Rows, List<Chunk> Chunks)> _groups = [];
    private IReadOnlyList<ParquetData>? _schema;
    private byte[] _compressed = [];
    private long _position;
    private bool _complete;

    /// <summary>Starts a file.</summary>
    /// <exception cref="DataException">It cannot be created.</exception>
    public ParquetWriter(string path, ParquetWriterOptions? options = null)
    {
        _options = options ?? new ParquetWriterOptions();
        if (_options.Compression is not (
            ParquetCompression.None or ParquetCompression.Snappy or ParquetCompression.Gzip or ParquetCompression.Zstd))
        {
            throw new DataException($"{path}: cannot be written: {_options.Compression} compression is not supported for writing");
        }

        _file = new AtomicFile(path);
        try
        {
            Append("PAR1"u8);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="columns">Columns of as many rows each.</param>
    /// <param name="options">How.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<ParquetData> columns, ParquetWriterOptions? options = null)
    {
        using var writer = new ParquetWriter(path, options);
        var rows = CountRows(columns);
        var most = Math.Max(1, writer._options.RowGroupRows);
        writer.WriteRowGroup([.. columns.Select(column => column.Slice(0, Math.Min(most, rows)))]);
        for (var start = most; start < rows; start += most)
        {
            var (first, count) = (start, Math.Min(most, rows - start));
            writer.WriteRowGroup([.. columns.Select(column => column.Slice(first, count))]);
        }

        writer.Complete();
    }

    /// <summary>Writes a row group. The first one, which may have no rows, decides names and types.</summary>
    /// <param name="columns">Columns of as many rows each, the same columns every time.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public void WriteRowGroup(IReadOnlyList<ParquetData> columns)
    {
        ObjectDisposedException.ThrowIf(_complete, this);
        var rows = CountRows(columns);
        _schema ??= columns;
        if (!_schema.Select(column => column.Signature).SequenceEqual(columns.Select(column => column.Signature)))
        {
            throw new ArgumentException("the columns differ from those of the first row group", nameof(columns));
        }

        if (rows > 0)
        {
            try
            {
                _groups.Add((rows, [.. columns.Select(column => WriteColumn(column, rows))]));
            }
            catch (CorruptException exception)
            {
                throw new DataException($"{_file.Path}: cannot be written: {exception.Message}", exception);
            }
        }
    }

    /// <summary>Writes the footer and gives the file its name.</summary>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_complete, this);
        if (_schema is null)
        {
            throw new InvalidOperationException("a file needs a row group, of no rows if need be, to know its columns from");
        }

        var footer = Footer(_schema);
        Append(footer.Written);
        Span<byte> tail = stackalloc byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(tail, footer.Written.Length);
        "PAR1"u8.CopyTo(tail[4..]);
        Append(tail);
        _file.Commit();
        _complete = true;
    }

    /// <summary>Drops the file if it is not complete.</summary>
    public void Dispose() => _file.Dispose();

    private static int CountRows(IReadOnlyList<ParquetData> columns)
    {
        if (columns.Count == 0)
        {
            throw new ArgumentException("there are no columns", nameof(columns));
        }

        if (columns.Select(column => column.Name).Distinct().Count() != columns.Count)
        {
            throw new ArgumentException("two columns have the same name", nameof(columns));
        }

        return columns.All(column => column.Rows == columns[0].Rows)
            ? columns[0].Rows
            : throw new ArgumentException("the columns differ in their number of rows", nameof(columns));
    }

    private Chunk WriteColumn(ParquetData column, int rows)
    {
        var chunk = new Chunk { Start = _position };
        var page = new PageBuilder();
        for (var start = 0; start < rows;)
        {
            page.Clear();
            var end = start;
            while (end < rows && page.Size < PageBytes)
            {
                var more = Math.Min(column.RowsPerStep, rows - end);
                column.Append(page, end, more);
                end += more;
            }

            WritePage(page, column, chunk);
            start = end;
        }

        return chunk;
    }

    private void WritePage(PageBuilder page, ParquetData column, Chunk chunk)
    {
        var body = page.Finish(column.MaxRepetition, column.MaxDefinition);
        var size = Codec.Compress(_options.Compression, body, ref _compressed);
        var header = new ThriftWriter();
        header.StructElement();
        header.I32(1, (int)PageType.Data);
        header.I32(2, body.Length);
        header.I32(3, size);
        header.I32(4, unchecked((int)Crc32.Compute(_compressed.AsSpan(0, size))));
        header.Struct(5);
        header.I32(1, page.Levels);
        header.I32(2, (int)PageEncoding.Plain);
        header.I32(3, (int)PageEncoding.Rle);
        header.I32(4, (int)PageEncoding.Rle);
        header.End();
        header.End();
        Append(header.Written);
        Append(_compressed.AsSpan(0, size));
        chunk.Values += page.Levels;
        chunk.CompressedSize = _position - chunk.Start;
        chunk.UncompressedSize += header.Written.Length + body.Length;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        _file.Write(bytes);
        _position += bytes.Length;
    }

    private ThriftWriter Footer(IReadOnlyList<ParquetData> schema)
    {
        var footer = new ThriftWriter();
        footer.StructElement();
        footer.I32(1, 1);
        footer.List(2, ThriftType.Struct, 1 + schema.Sum(column => column.SchemaElements));
        footer.StructElement();
        footer.Text(4, "schema");
        footer.I32(5, schema.Count);
        footer.End();
        foreach (var column in schema)
        {
            column.WriteSchema(footer);
        }

        footer.I64(3, _groups.Sum(group => group.Rows));
        footer.List(4, ThriftType.Struct, _groups.Count);
        foreach (var (rows, chunks) in _groups)
        {
            footer.StructElement();
            footer.List(1, ThriftType.Struct, chunks.Count);
            for (var i = 0; i < chunks.Count; i++)
            {
                WriteChunk(footer, chunks[i], schema[i]);
            }

            footer.I64(2, chunks.Sum(chunk => chunk.UncompressedSize));
            footer.I64(3, rows);
            footer.End();
        }

        if (_options.Metadata.Count > 0)
        {
            footer.List(5, ThriftType.Struct, _options.Metadata.Count);
            foreach (var (key, value) in _options.Metadata)
            {
                footer.StructElement();
                footer.Text(1, key);
                footer.Text(2, value);
                footer.End();
            }
        }

        footer.Text(6, _options.CreatedBy);
        footer.End();
        return footer;
    }

    private void WriteChunk(ThriftWriter footer, Chunk chunk, ParquetData column)
    {
        footer.StructElement();
        footer.I64(2, chunk.Start);
        footer.Struct(3);
        footer.I32(1, (int)column.Type);
        footer.List(2, ThriftType.I32, 2);
        footer.I32Element((int)PageEncoding.Plain);
        footer.I32Element((int)PageEncoding.Rle);
        footer.List(3, ThriftType.Binary, column.Path.Count);
        foreach (var name in column.Path)
        {
            footer.TextElement(name);
        }

        footer.I32(4, (int)_options.Compression);
        footer.I64(5, chunk.Values);
        footer.I64(6, chunk.UncompressedSize);
        footer.I64(7, chunk.CompressedSize);
        footer.I64(9, chunk.Start);
        footer.End();
        footer.End();
    }

    private sealed class Chunk
    {
        public long Start;
        public long Values;
        public long CompressedSize;
        public long UncompressedSize;
    }
}

/// <summary>Gathers the levels and values of a data page.</summary>
internal sealed class PageBuilder
{
    private byte[] _repetition = [];
    private byte[] _definition = [];
    private byte[] _values = [];
    private byte[] _body = [];

    /// <summary>How many levels, which is what the format calls values.</summary>
    public int Levels { get; private set; }

    /// <summary>Bytes of the values so far.</summary>
    public int Size { get; private set; }

    public void Clear() => Levels = Size = 0;

    /// <summary>Adds levels.</summary>
    public void AddLevels(byte repetition, byte definition, int count = 1)
    {
        Reserve(ref _repetition, Levels, count).Fill(repetition);
        Reserve(ref _definition, Levels, count).Fill(definition);
        Levels += count;
    }

    /// <summary>Room for values.</summary>
    public Span<byte> AddValues(int bytes)
    {
        var room = Reserve(ref _values, Size, bytes);
        Size += bytes;
        return room;
    }

    /// <summary>The page without its header: levels, then values.</summary>
    public ReadOnlySpan<byte> Finish(int maxRepetition, int maxDefinition)
    {
        var length = 0;
        AppendLevels(_repetition.AsSpan(0, Levels), maxRepetition, ref length);
        AppendLevels(_definition.AsSpan(0, Levels), maxDefinition, ref length);
        _values.AsSpan(0, Size).CopyTo(Reserve(ref _body, length, Size));
        return _body.AsSpan(0, length + Size);
    }

    // Runs of eight and more equal levels as such, what is between them in packed groups of eight.
    private void AppendLevels(ReadOnlySpan<byte> levels, int max, ref int length)
    {
        if (max == 0)
        {
            return;
        }

        var width = BitOperations.Log2((uint)max) + 1;
        var start = length;
        Reserve(ref _body, length, sizeof(int));
        length += sizeof(int);
        for (var at = 0; at < levels.Length;)
        {
            var run = RunLength(levels[at..]);
            if (run >= 8)
            {
                AppendVarint((uint)run << 1, ref length);
                Reserve(ref _body, length, 1)[0] = levels[at];
                length++;
                at += run;
                continue;
            }

            var end = at;
            while (end < levels.Length && RunLength(levels[end..]) < 8)
            {
                end += 8;
            }

            AppendVarint((uint)((end - at) / 8 << 1 | 1), ref length);
            for (; at < end; at += 8)
            {
                var group = Reserve(ref _body, length, width);
                group.Clear();
                for (var i = 0; i < 8 && at + i < levels.Length; i++)
                {
                    for (var b = 0; b < width; b++)
                    {
                        var bit = (i * width) + b;
                        group[bit >> 3] |= (byte)((levels[at + i] >> b & 1) << (bit & 7));
                    }
                }

                length += width;
            }

            at = Math.Min(at, levels.Length);
        }

        BinaryPrimitives.WriteInt32LittleEndian(_body.AsSpan(start), length - start - sizeof(int));
    }

    private static int RunLength(ReadOnlySpan<byte> levels)
    {
        var end = levels.IndexOfAnyExcept(levels[0]);
        return end < 0 ? levels.Length : end;
    }

    private void AppendVarint(uint value, ref int length)
    {
        do
        {
            var part = (byte)(value & 0x7f);
            value >>= 7;
            Reserve(ref _body, length, 1)[0] = (byte)(value == 0 ? part : part | 0x80);
            length++;
        }
        while (value != 0);
    }

    private static Span<byte> Reserve(ref byte[] buffer, int used, int more)
    {
        if (buffer.Length < used + more)
        {
            Codec.Grow(ref buffer, Math.Max(checked(used + more), (int)Math.Min(2L * buffer.Length, Array.MaxLength)), used);
        }

        return buffer.AsSpan(used, more);
    }
}
