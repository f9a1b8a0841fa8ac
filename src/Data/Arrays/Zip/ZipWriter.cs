using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace MonoLoss.Data;

/// <summary>Writes a zip archive of uncompressed entries whose data are aligned. The bytes depend on nothing but the content.</summary>
/// <remarks>.NET's own writer cannot align data, which lets readers map them into memory.</remarks>
/// <param name="stream">The file, at the position where the archive begins.</param>
internal sealed class ZipWriter(Stream stream)
{
    private const int Alignment = 64;
    private const int LocalHeaderSize = 30;
    private const int CentralHeaderSize = 46;
    private const ushort Zip64Field = 1;

    // The field with which torch itself pads.
    private const ushort PaddingField = 0x4246;
    private const ushort FirstDay = 0x21;

    private readonly long _start = stream.Position;
    private readonly List<Entry> _entries = [];

    private readonly record struct Entry(byte[] Name, uint Crc, long Size, long Header);

    /// <summary>Adds an entry.</summary>
    /// <param name="name">Its name in ASCII.</param>
    /// <param name="size">Bytes of its content.</param>
    /// <param name="write">Writes the content. It is called twice: the CRC-32 comes before.</param>
    public void Add(string name, long size, Action<Stream> write)
    {
        var checksum = new Checksum();
        write(checksum);
        var entry = new Entry(Encoding.ASCII.GetBytes(name), checksum.Value, size, stream.Position - _start);
        _entries.Add(entry);
        var large = size >= uint.MaxValue;
        var fields = large ? 4 + (2 * sizeof(long)) : 0;
        var data = entry.Header + LocalHeaderSize + entry.Name.Length + fields + 4;
        var padding = (int)((Alignment - (data % Alignment)) % Alignment);
        var header = new byte[LocalHeaderSize + entry.Name.Length + fields + 4 + padding];
        var writer = new Fields(header);
        writer.Add32(ZipDirectory.LocalHeader);
        AddCommon(ref writer, entry, large);
        writer.Add16((ushort)(fields + 4 + padding));
        writer.Add(entry.Name);
        if (large)
        {
            writer.Add16(Zip64Field);
            writer.Add16(2 * sizeof(long));
            writer.Add64(size);
            writer.Add64(size);
        }

        writer.Add16(PaddingField);
        writer.Add16((ushort)padding);
        stream.Write(header);
        write(stream);
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        var start = stream.Position - _start;
        foreach (var entry in _entries)
        {
            WriteCentral(entry);
        }

        var size = stream.Position - _start - start;
        var end = new byte[56 + 20 + 22];
        var writer = new Fields(end);
        if (start >= uint.MaxValue || size >= uint.MaxValue || _entries.Count >= ushort.MaxValue)
        {
            AddZip64End(ref writer, start, size);
        }

        writer.Add32(0x06054b50);
        writer.Add32(0);
        writer.Add16((ushort)Math.Min(_entries.Count, ushort.MaxValue));
        writer.Add16((ushort)Math.Min(_entries.Count, ushort.MaxValue));
        writer.Add32((uint)Math.Min(size, uint.MaxValue));
        writer.Add32((uint)Math.Min(start, uint.MaxValue));
        writer.Add16(0);
        stream.Write(end.AsSpan(0, writer.Length));
    }

    // From the version needed to the length of the name.
    private static void AddCommon(ref Fields writer, Entry entry, bool zip64)
    {
        var size = entry.Size >= uint.MaxValue ? uint.MaxValue : (uint)entry.Size;
        writer.Add16((ushort)(zip64 ? 45 : 20));
        writer.Add16(0);
        writer.Add16(0);
        writer.Add16(0);
        writer.Add16(FirstDay);
        writer.Add32(entry.Crc);
        writer.Add32(size);
        writer.Add32(size);
        writer.Add16((ushort)entry.Name.Length);
    }

    private void WriteCentral(Entry entry)
    {
        var (large, far) = (entry.Size >= uint.MaxValue, entry.Header >= uint.MaxValue);
        var values = (large ? 2 * sizeof(long) : 0) + (far ? sizeof(long) : 0);
        var fields = values == 0 ? 0 : 4 + values;
        var header = new byte[CentralHeaderSize + entry.Name.Length + fields];
        var writer = new Fields(header);
        writer.Add32(0x02014b50);
        writer.Add16((ushort)(values > 0 ? 45 : 20));
        AddCommon(ref writer, entry, values > 0);
        writer.Add16((ushort)fields);
        writer.Add16(0);
        writer.Add16(0);
        writer.Add16(0);
        writer.Add32(0);
        writer.Add32(far ? uint.MaxValue : (uint)entry.Header);
        writer.Add(entry.Name);
        if (values > 0)
        {
            writer.Add16(Zip64Field);
            writer.Add16((ushort)values);
        }

        if (large)
        {
            writer.Add64(entry.Size);
            writer.Add64(entry.Size);
        }

        if (far)
        {
            writer.Add64(entry.Header);
        }

        stream.Write(header);
    }

    private void AddZip64End(ref Fields writer, long start, long size)
    {
        writer.Add32(0x06064b50);
        writer.Add64(44);
        writer.Add16(45);
        writer.Add16(45);
        writer.Add32(0);
        writer.Add32(0);
        writer.Add64(_entries.Count);
        writer.Add64(_entries.Count);
        writer.Add64(size);
        writer.Add64(start);
        writer.Add32(0x07064b50);
        writer.Add32(0);
        writer.Add64(start + size);
        writer.Add32(1);
    }

    private ref struct Fields(Span<byte> target)
    {
        private Span<byte> _rest = target;

        public int Length { get; private set; }

        public void Add16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Advance(sizeof(ushort)), value);

        public void Add32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Advance(sizeof(uint)), value);

        public void Add64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Advance(sizeof(long)), value);

        public void Add(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Advance(bytes.Length));

        private Span<byte> Advance(int size)
        {
            var field = _rest[..size];
            _rest = _rest[size..];
            Length += size;
            return field;
        }
    }

    // Counts nothing but the checksum of what is written to it.
    private sealed class Checksum : Stream
    {
        private readonly Crc32 _crc = new();

        public uint Value => _crc.GetCurrentHashAsUInt32();

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer) => _crc.Append(buffer);

        public override void Write(byte[] buffer, int offset, int count) => _crc.Append(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
