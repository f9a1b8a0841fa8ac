using System.Buffers;
using System.Buffers.Binary;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Memory;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>An Arrow IPC file or stream: its schema, and where its record batches are.</summary>
/// <remarks>
/// Apache.Arrow decodes schemas and batches. It reads a stream only from its start, believes the lengths in it, and takes a file's footer
/// for the truth; so the messages are listed here, with a look at four fields of each, and a batch is given to it as a stream of the
/// schema, the dictionaries and that batch. A file is such a stream between two marks.
/// </remarks>
internal sealed class ArrowFile
{
    private const int SchemaMessage = 1;
    private const int DictionaryMessage = 2;
    private const int BatchMessage = 3;
    private const int PrefixSize = 8;
    private const int FileStart = 8;
    private const int MostMetadata = 1 << 28;

    private readonly FileBytes _bytes;
    private readonly List<Message> _dictionaries = [];
    private readonly List<Message> _batches = [];
    private Message? _schema;

    private ArrowFile(FileBytes bytes)
    {
        _bytes = bytes;
        Span<byte> start = stackalloc byte[(int)Math.Min(FileStart, bytes.Length)];
        bytes.Read(start, 0);
        var isFile = start.StartsWith("ARROW1"u8);
        if (isFile)
        {
            Span<byte> end = stackalloc byte[6];
            bytes.Read(end, Math.Max(0, bytes.Length - end.Length));
            if (!end.SequenceEqual("ARROW1"u8))
            {
                throw new CorruptException("it does not end in ARROW1: it is cut off");
            }
        }

        FindMessages(isFile ? FileStart : 0);
        Hash = FileFingerprint.HashOf(bytes);
        Schema = Decode(bytes, null, reader => reader.Schema);
    }

    /// <summary>The path, as given.</summary>
    public string Path => _bytes.Path;

    /// <summary>The columns and what is kept beside them.</summary>
    public Schema Schema { get; }

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

    /// <summary>Reads a record batch as a whole.</summary>
    /// <param name="file">The file, open.</param>
    /// <param name="index">Index of the batch.</param>
    /// <exception cref="DataException">It is damaged.</exception>
    public RecordBatch ReadBatch(FileBytes file, int index) => Guard(Path, () => Decode(file, _batches[index], reader =>
    {
        var batch = reader.ReadNextRecordBatch() ?? throw new CorruptException($"record batch {index} is missing");
        if (batch.Length != _batches[index].Rows)
        {
            batch.Dispose();
            throw new CorruptException($"record batch {index} has {batch.Length} rows, expected {_batches[index].Rows}");
        }

        return batch;
    }));

    /// <summary>Turns what can be wrong with a file into a line for the user.</summary>
    public static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not DataException)
        {
            // The library throws whatever its arrays, spans and tables meet in damaged bytes.
            throw new DataException($"{path}: cannot be read as Arrow: {exception.Message}", exception);
        }
    }

    private sealed record Message(long Start, int Metadata, long Body, long Rows)
    {
        public long End => Start + PrefixSize + Metadata + Body;
    }

    private void FindMessages(long at)
    {
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
            at = Add(metadata, at).End;
        }

        if (_schema is null)
        {
            throw new CorruptException("it has no schema");
        }
    }

    // The table Message has the fields version, header type, header and length of the body; RecordBatch begins with the number of rows.
    private Message Add(byte[] metadata, long at)
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

        if (body > int.MaxValue)
        {
            throw new CorruptException($"record batch {_batches.Count} has {body} bytes, more than 2 GiB: write smaller ones, such as by "
                + "write_table(table, max_chunksize=10000)");
        }

        if (rows is < 0 or > int.MaxValue)
        {
            throw new CorruptException($"record batch {_batches.Count} has {rows} rows");
        }

        switch (kind)
        {
            case SchemaMessage when _schema is null:
                _schema = found;
                break;
            case DictionaryMessage when _schema is not null:
                _dictionaries.Add(found);
                break;
            case BatchMessage when _schema is not null:
                _batches.Add(found);
                break;
            default:
                throw new CorruptException($"a message of kind {kind} at byte {at}");
        }

        return found;
    }

    private T Decode<T>(FileBytes file, Message? batch, Func<ArrowStreamReader, T> read)
    {
        // A page of zeros compresses well, a feature file does not: nothing near this is right.
        const long MostExpansion = 1 << 10;
        const long Always = 1 << 24;
        var messages = new List<Message> { _schema! };
        if (batch is not null)
        {
            messages.AddRange(_dictionaries.TakeWhile(dictionary => dictionary.Start < batch.Start));
            messages.Add(batch);
        }

        var allowed = Always + (messages.Sum(message => message.End - message.Start) * MostExpansion);
        using var stream = new MessageStream(file, messages);
        using var reader = new ArrowStreamReader(stream, new BoundedAllocator(allowed), new CompressionCodecFactory(), leaveOpen: true);
        return read(reader);
    }

    /// <summary>Parts of a file, and the mark of a stream's end, as one stream.</summary>
    private sealed class MessageStream(FileBytes file, IReadOnlyList<Message> messages) : Stream
    {
        private static readonly byte[] EndMark = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

        private int _index;
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            if (_index > messages.Count || buffer.IsEmpty)
            {
                return 0;
            }

            var length = _index < messages.Count ? messages[_index].End - messages[_index].Start : EndMark.Length;
            var count = (int)Math.Min(buffer.Length, length - _read);
            if (_index < messages.Count)
            {
                file.Read(buffer[..count], messages[_index].Start + _read);
            }
            else
            {
                EndMark.AsSpan((int)_read, count).CopyTo(buffer);
            }

            _read += count;
            if (_read == length)
            {
                (_index, _read) = (_index + 1, 0);
            }

            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>Native memory up to a limit: lengths in a damaged file may be any.</summary>
    private sealed class BoundedAllocator(long allowed) : MemoryAllocator
    {
        private readonly NativeMemoryAllocator _memory = new();
        private long _left = allowed;

        protected override IMemoryOwner<byte> AllocateInternal(int length, out int bytesAllocated)
        {
            _left -= length;
            bytesAllocated = length;
            return _left >= 0 ? _memory.Allocate(length) : throw new CorruptException("its buffers are larger than it can have");
        }
    }
}
