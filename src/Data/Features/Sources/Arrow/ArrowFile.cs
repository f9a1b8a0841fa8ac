using System.Buffers.Binary;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>An Arrow IPC file or stream: its columns, and where its record batches are.</summary>
/// <remarks>
/// Apache.Arrow 23 is not used: it reads record batches whole, labels and features alike, none of more than 2 GiB, and believes the lengths
/// in a file: it allocates 13 GB for one of 19 kB with a bit flipped. Here columns are read in part and in bounded memory.
/// </remarks>
internal sealed class ArrowFile
{
    private const int SchemaMessage = 1;
    private const int DictionaryMessage = 2;
    private const int BatchMessage = 3;
    private const int PrefixSize = 8;
    private const int FileStart = 8;
    private const int TailSize = 10;
    private const long MostRows = 1L << 40;
    private const int MostMetadata = 1 << 28;

    private readonly FileBytes _bytes;
    private readonly bool _isFile;
    private readonly List<Message> _dictionaries = [];
    private readonly List<Message> _batches = [];

    private ArrowFile(FileBytes bytes)
    {
        _bytes = bytes;
        Span<byte> start = stackalloc byte[(int)Math.Min(FileStart, bytes.Length)];
        bytes.Read(start, 0);
        _isFile = start.StartsWith("ARROW1"u8);
        if (_isFile)
        {
            ReadFooter();
        }
        else
        {
            FindMessages();
        }

        Hash = FileFingerprint.HashOf(bytes);
    }

    /// <summary>The path, as given.</summary>
    public string Path => _bytes.Path;

    /// <summary>The columns.</summary>
    public IReadOnlyList<ArrowField> Columns { get; private set; } = [];

    /// <summary>The texts kept beside them.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>Number of rows of each record batch.</summary>
    public IReadOnlyList<long> Batches => _batches.ConvertAll(batch => batch.Rows);

    /// <summary>What the file is known by.</summary>
    public ulong Hash { get; }

    /// <summary>Lists the messages of a file and decodes its schema.</summary>
    /// <param name="bytes">The file, closed when this returns.</param>
    /// <exception cref="DataException">It is not Arrow, or damaged.</exception>
    public static ArrowFile Open(FileBytes bytes)
    {
        using (bytes)
        {
            return Guard(bytes.Path, () => new ArrowFile(bytes));
        }
    }

    /// <summary>Opens the file to read batches.</summary>
    public FileBytes Reopen() => _bytes.Reopen();

    /// <summary>Finds the buffers of a record batch.</summary>
    /// <param name="file">The file, open.</param>
    /// <param name="index">Index of the batch.</param>
    /// <exception cref="DataException">It is damaged.</exception>
    public ArrowBatch OpenBatch(FileBytes file, int index) => Guard(Path, () =>
    {
        var message = _batches[index];
        var batch = new ArrowBatch(file, Header(file, message), message.BodyStart, message.Body, Columns);
        foreach (var column in Columns)
        {
            if (batch.LengthOf(column) != message.Rows)
            {
                throw new CorruptException(
                    $"record batch {index}: column '{column.Name}' has {batch.LengthOf(column)} values, expected {message.Rows}");
            }
        }

        return batch;
    });

    /// <summary>Reads the values of a column's dictionary as they are for a record batch.</summary>
    /// <param name="file">The file, open.</param>
    /// <param name="column">The column.</param>
    /// <param name="index">Index of the batch.</param>
    /// <param name="read">Reads values of a column from a batch.</param>
    /// <exception cref="CorruptException">It is missing, or damaged.</exception>
    public List<T> ReadDictionary<T>(FileBytes file, ArrowField column, int index, Func<ArrowBatch, ArrowField, long, int, T[]> read)
    {
        const int Block = 1 << 12;
        var values = new List<T>();
        var field = column with { Dictionary = null, Indices = null };
        var found = false;
        foreach (var message in _dictionaries.Where(message => _isFile || message.Start < _batches[index].Start))
        {
            // The table DictionaryBatch: its number, the values, whether they come after those before.
            var header = Header(file, message);
            if (header.Int64(0) != column.Dictionary)
            {
                continue;
            }

            if (header.Byte(2) == 0)
            {
                values.Clear();
            }

            found = true;
            using var batch = new ArrowBatch(file, header.Table(1), message.BodyStart, message.Body, [field]);
            for (long first = 0; first < batch.LengthOf(field); first += Block)
            {
                values.AddRange(read(batch, field, first, (int)Math.Min(Block, batch.LengthOf(field) - first)));
            }
        }

        return found ? values : throw new CorruptException($"the dictionary of column '{column.Name}' is missing");
    }

    /// <summary>Turns what can be wrong with a file into a line for the user.</summary>
    public static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OverflowException)
        {
            throw new DataException($"{path}: cannot be read as Arrow: {exception.Message}", exception);
        }
    }

    private sealed record Message(long Start, int Metadata, long Body, long Rows)
    {
        public long BodyStart => Start + PrefixSize + Metadata;

        public long End => BodyStart + Body;
    }

    // The footer is the table Footer, before its length and the mark: the schema, and blocks with the places of dictionaries and batches.
    private void ReadFooter()
    {
        const int BlockSize = 24;
        Span<byte> tail = stackalloc byte[TailSize];
        _bytes.Read(tail, Math.Max(0, _bytes.Length - TailSize));
        if (!tail[sizeof(int)..].SequenceEqual("ARROW1"u8))
        {
            throw new CorruptException("it does not end in ARROW1: it is cut off");
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        var end = _bytes.Length - TailSize;
        if (length <= 0 || length > MostMetadata || length > end - FileStart)
        {
            throw new CorruptException($"its footer of {length} bytes does not fit the file");
        }

        var bytes = new byte[length];
        _bytes.Read(bytes, end - length);
        var footer = FlatTable.Root(bytes);
        ReadSchema(footer.Table(1), bytes.Length);
        foreach (var (field, kind) in new[] { (2, DictionaryMessage), (3, BatchMessage) })
        {
            var blocks = footer.Structs(field, BlockSize);
            for (; !blocks.IsEmpty; blocks = blocks[BlockSize..])
            {
                var (start, size) = (BinaryPrimitives.ReadInt64LittleEndian(blocks), BinaryPrimitives.ReadInt32LittleEndian(blocks[8..]));
                if (start < FileStart || size <= PrefixSize || size > MostMetadata || start > end - size)
                {
                    throw new CorruptException($"a message at byte {start} lies outside of the file");
                }

                var message = new byte[size];
                _bytes.Read(message, start);
                if (BinaryPrimitives.ReadInt32LittleEndian(message) != -1
                    || BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(sizeof(int))) != size - PrefixSize)
                {
                    throw new CorruptException($"no message begins at byte {start}");
                }

                var metadata = message[PrefixSize..];
                if (Add(metadata, start, kind).Body != BinaryPrimitives.ReadInt64LittleEndian(blocks[16..]))
                {
                    throw new CorruptException($"a message at byte {start} is not as its footer says");
                }
            }
        }
    }

    private void FindMessages()
    {
        long at = 0;
        Span<byte> prefix = stackalloc byte[PrefixSize];
        while (true)
        {
            if (_bytes.Length - at < PrefixSize)
            {
                throw new CorruptException("it has no mark at its end: it is cut off");
            }

            _bytes.Read(prefix, at);
            var length = BinaryPrimitives.ReadInt32LittleEndian(prefix[4..]);
            if (BinaryPrimitives.ReadInt32LittleEndian(prefix) != -1)
            {
                throw new CorruptException($"no message begins at byte {at}");
            }

            if (length == 0)
            {
                break;
            }

            if (length < 0 || length > MostMetadata || length > _bytes.Length - at - PrefixSize)
            {
                throw new CorruptException($"a message of {length} bytes at byte {at} does not fit the file: it is cut off, or damaged");
            }

            var metadata = new byte[length];
            _bytes.Read(metadata, at + PrefixSize);
            at = Add(metadata, at, null).End;
        }

        if (Columns.Count == 0)
        {
            throw new CorruptException("it has no columns");
        }
    }

    // The table Schema: byte order, columns, and texts as tables of key and value.
    private void ReadSchema(FlatTable schema, int bytes)
    {
        if (schema.Int16(0) != 0)
        {
            throw new CorruptException("its byte order is big-endian");
        }

        Columns = ArrowField.Of(schema, bytes);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < schema.Count(2); i++)
        {
            metadata[schema.TableAt(2, i).Text(0)] = schema.TableAt(2, i).Text(1);
        }

        Metadata = metadata;
    }

    private static FlatTable Header(FileBytes file, Message message)
    {
        var metadata = new byte[message.Metadata];
        file.Read(metadata, message.Start + PrefixSize);
        return FlatTable.Root(metadata).Table(2);
    }

    // The table Message has the fields version, header type, header and length of the body; RecordBatch begins with the number of rows.
    private Message Add(byte[] metadata, long at, int? expected)
    {
        var message = FlatTable.Root(metadata);
        var kind = message.Byte(1);
        var body = message.Int64(3);
        var rows = kind == BatchMessage ? message.Table(2).Int64(0) : 0;
        var found = new Message(at, metadata.Length, body, rows);
        if (body < 0 || body > _bytes.Length - at - PrefixSize - metadata.Length)
        {
            throw new CorruptException($"a message at byte {at} has {body} bytes, more than the file: it is cut off, or damaged");
        }

        if (rows is < 0 or > MostRows)
        {
            throw new CorruptException($"record batch {_batches.Count} has {rows} rows");
        }

        switch (kind)
        {
            case SchemaMessage when Columns.Count == 0 && expected is null:
                ReadSchema(message.Table(2), metadata.Length);
                break;
            case DictionaryMessage when expected == DictionaryMessage || (Columns.Count > 0 && expected is null):
                _dictionaries.Add(found);
                break;
            case BatchMessage when expected == BatchMessage || (Columns.Count > 0 && expected is null):
                _batches.Add(found);
                break;
            default:
                throw new CorruptException($"a message of kind {kind} at byte {at}");
        }

        return found;
    }
}
