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
/// Apache.Arrow decodes schemas and batches. It reads a stream only from its start, and believes the lengths in it; so messages are listed
/// here, with a look at four fields of each, and a batch of a stream is given to it as a stream of the schema, the dictionaries and that
/// batch. A file lists its batches in a footer, which is checked before the library reads by it: not every writer begins one as a stream.
/// </remarks>
internal sealed class ArrowFile
{
    private const int SchemaMessage = 1;
    private const int DictionaryMessage = 2;
    private const int BatchMessage = 3;
    private const int PrefixSize = 8;
    private const int FileStart = 8;
    private const int TailSize = 10;
    private const int MostMetadata = 1 << 28;

    private readonly FileBytes _bytes;
    private readonly bool _isFile;
    private readonly List<Message> _dictionaries = [];
    private readonly List<Message> _batches = [];
    private Message? _schema;

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
        Schema = _isFile ? DecodeFile(bytes, reader => reader.Schema) : DecodeStream(bytes, null, reader => reader.Schema);
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
    public RecordBatch ReadBatch(FileBytes file, int index) => Guard(Path, () =>
    {
        // The stream is a file: nothing here runs on another thread.
        var batch = (_isFile
            ? DecodeFile(file, reader => reader.ReadRecordBatchAsync(index).AsTask().GetAwaiter().GetResult())
            : DecodeStream(file, _batches[index], reader => reader.ReadNextRecordBatch()))
            ?? throw new CorruptException($"record batch {index} is missing");
        if (batch.Length != _batches[index].Rows)
        {
            batch.Dispose();
            throw new CorruptException($"record batch {index} has {batch.Length} rows, expected {_batches[index].Rows}");
        }

        return batch;
    });

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

                var metadata = new byte[size - PrefixSize];
                _bytes.Read(metadata, start + PrefixSize);
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

        if (_schema is null)
        {
            throw new CorruptException("it has no schema");
        }
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
            case SchemaMessage when _schema is null && expected is null:
                _schema = found;
                break;
            case DictionaryMessage when expected == DictionaryMessage || (_schema is not null && expected is null):
                _dictionaries.Add(found);
                break;
            case BatchMessage when expected == BatchMessage || (_schema is not null && expected is null):
                _batches.Add(found);
                break;
            default:
                throw new CorruptException($"a message of kind {kind} at byte {at}");
        }

        return found;
    }

    private static BoundedAllocator AllocatorFor(IEnumerable<Message> messages)
    {
        // A page of zeros compresses well, a feature file does not: nothing near this is right.
        const long MostExpansion = 1 << 10;
        const long Always = 1 << 24;
        return new BoundedAllocator(Always + (messages.Sum(message => message.End - message.Start) * MostExpansion));
    }

    private T DecodeFile<T>(FileBytes file, Func<ArrowFileReader, T> read)
    {
        using var stream = new FileRangeStream(file);
        using var reader = new ArrowFileReader(stream, AllocatorFor(_dictionaries.Concat(_batches)), new CompressionCodecFactory(), leaveOpen: true);
        return read(reader);
    }

    private T DecodeStream<T>(FileBytes file, Message? batch, Func<ArrowStreamReader, T> read)
    {
        var messages = new List<Message> { _schema! };
        if (batch is not null)
        {
            messages.AddRange(_dictionaries.TakeWhile(dictionary => dictionary.Start < batch.Start));
            messages.Add(batch);
        }

        using var stream = new MessageStream(file, messages);
        using var reader = new ArrowStreamReader(stream, AllocatorFor(messages), new CompressionCodecFactory(), leaveOpen: true);
        return read(reader);
    }

    /// <summary>A file as a stream.</summary>
    private sealed class FileRangeStream(FileBytes file) : ReadStream
    {
        public override bool CanSeek => true;

        public override long Length => file.Length;

        public override long Position { get; set; }

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Clamp(file.Length - Position, 0, buffer.Length);
            file.Read(buffer[..count], Position);
            Position += count;
            return count;
        }

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => Position + offset,
            _ => file.Length + offset,
        };
    }

    /// <summary>Parts of a file, and the mark of a stream's end, as one stream.</summary>
    private sealed class MessageStream(FileBytes file, IReadOnlyList<Message> messages) : ReadStream
    {
        private static readonly byte[] EndMark = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

        private int _index;
        private long _read;

        public override bool CanSeek => false;

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

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    }

    private abstract class ReadStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanWrite => false;

        public abstract override int Read(Span<byte> buffer);

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override void Flush()
        {
        }

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
