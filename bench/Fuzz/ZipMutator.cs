using System.IO.Compression;

namespace MonoLoss.Bench;

/// <summary>Damages a zip archive: .npz, and .pt with or without a line of text before it.</summary>
/// <remarks>
/// Half of the mutations damage the content of an entry and pack the archive anew, with the right sizes and CRCs: otherwise most would be
/// refused for these. The others damage the bytes of the archive, mostly of its directory.
/// </remarks>
internal sealed class ZipMutator : FileMutator
{
    private const int HeaderSize = 128;

    // What torch writes, and some opcodes that run code or need protocol 4.
    private static readonly byte[] Opcodes =
        [.. "()].GJKMNQRX]abcehjqrstu}iol"u8, 0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x93, 0x94];

    private readonly List<Entry> _entries = [];
    private readonly int _start;
    private readonly int _directory;

    /// <inheritdoc cref="FileMutator(byte[], byte[][], int)"/>
    public ZipMutator(byte[] original, byte[][] others, int seed)
        : base(original, others, seed)
    {
        _start = original[0] == '{' ? Array.IndexOf(original, (byte)'\n') + 1 : 0;
        _directory = Math.Max(0, original.AsSpan().IndexOf("PK\u0001\u0002"u8));
        using var zip = new ZipArchive(new MemoryStream(original, _start, original.Length - _start));
        foreach (var entry in zip.Entries)
        {
            using var stream = entry.Open();
            var content = new MemoryStream();
            stream.CopyTo(content);
            _entries.Add(new Entry(entry.FullName, content.ToArray(), entry.CompressedLength != entry.Length));
        }
    }

    private sealed record Entry(string Name, byte[] Content, bool IsDeflated)
    {
        public bool IsPickle => Name.EndsWith(".pkl", StringComparison.Ordinal);
    }

    private protected override byte[] Mutate(Random random)
    {
        if (random.Next(2) == 0)
        {
            return MutateEntry(random);
        }

        List<byte> file = [.. Original];
        for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
        {
            var start = random.Next(2) == 0 ? Math.Min(_directory, file.Count) : 0;
            MutateRange(random, file, start, file.Count);
        }

        return [.. file];
    }

    private byte[] MutateEntry(Random random)
    {
        var pickle = _entries.FindIndex(entry => entry.IsPickle);
        var damaged = pickle >= 0 && random.Next(8) != 0 ? pickle : random.Next(_entries.Count);
        var stream = new MemoryStream();
        stream.Write(Original, 0, _start);
        using (var zip = new ZipArchive(new ArchiveStream(stream, _start), ZipArchiveMode.Create))
        {
            for (var i = 0; i < _entries.Count; i++)
            {
                var (entry, isDamaged) = (_entries[i], i == damaged);
                var level = entry.IsDeflated ? CompressionLevel.Fastest : CompressionLevel.NoCompression;
                using var target = zip.CreateEntry(entry.Name, level).Open();
                target.Write(isDamaged ? Mutate(random, entry) : entry.Content);
            }
        }

        return stream.ToArray();
    }

    private byte[] Mutate(Random random, Entry entry)
    {
        List<byte> content = [.. entry.Content];
        for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
        {
            if (content.Count > 0 && entry.IsPickle && random.Next(2) == 0)
            {
                MutatePickle(random, content);
            }
            else
            {
                MutateRange(random, content, 0, random.Next(4) == 0 ? content.Count : Math.Min(content.Count, HeaderSize));
            }
        }

        return [.. content];
    }

    private static void MutatePickle(Random random, List<byte> pickle)
    {
        var at = random.Next(pickle.Count);
        var opcode = Opcodes[random.Next(Opcodes.Length)];
        switch (random.Next(3))
        {
            case 0:
                pickle[at] = opcode;
                break;
            case 1:
                pickle.Insert(at, opcode);
                break;
            default:
                // A small number: of a dimension, a stride, an offset or a remembered object.
                pickle[at] = (byte)random.Next(16);
                break;
        }
    }

    // Positions count from the archive's start.
    private sealed class ArchiveStream(MemoryStream stream, int start) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => stream.Length - start;

        public override long Position
        {
            get => stream.Position - start;
            set => stream.Position = value + start;
        }

        public override void Write(byte[] buffer, int offset, int count) => stream.Write(buffer, offset, count);

        public override void Write(ReadOnlySpan<byte> buffer) => stream.Write(buffer);

        public override long Seek(long offset, SeekOrigin origin) =>
            stream.Seek(origin == SeekOrigin.Begin ? offset + start : offset, origin) - start;

        public override void SetLength(long value) => stream.SetLength(value + start);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
