using System.Buffers.Binary;
using System.Text;

namespace MonoLoss.Data;

/// <summary>A table of the FlatBuffers format: fields found by their numbers. Every offset is checked.</summary>
internal readonly ref struct FlatTable
{
    private readonly ReadOnlySpan<byte> _buffer;
    private readonly int _at;

    private FlatTable(ReadOnlySpan<byte> buffer, long at)
    {
        _buffer = buffer;
        _at = at >= 0 && at <= buffer.Length - sizeof(int) ? (int)at : throw Damaged();
    }

    /// <summary>The table that a buffer is.</summary>
    public static FlatTable Root(ReadOnlySpan<byte> buffer) =>
        buffer.Length >= sizeof(uint) ? new FlatTable(buffer, BinaryPrimitives.ReadUInt32LittleEndian(buffer)) : throw Damaged();

    /// <summary>A field of one byte; 0 if it is absent.</summary>
    public byte Byte(int field) => !_buffer.IsEmpty && Find(field, 1) is var at and > 0 ? _buffer[at] : (byte)0;

    /// <summary>Whether a field is there.</summary>
    public bool Has(int field) => !_buffer.IsEmpty && Find(field, 1) > 0;

    /// <summary>A field of two bytes; 0 if it is absent.</summary>
    public short Int16(int field) => !_buffer.IsEmpty && Find(field, sizeof(short)) is var at and > 0
        ? BinaryPrimitives.ReadInt16LittleEndian(_buffer[at..])
        : (short)0;

    /// <summary>A field of four bytes; 0 if it is absent.</summary>
    public int Int32(int field) => !_buffer.IsEmpty && Find(field, sizeof(int)) is var at and > 0
        ? BinaryPrimitives.ReadInt32LittleEndian(_buffer[at..])
        : 0;

    /// <summary>A field of eight bytes; 0 if it is absent.</summary>
    public long Int64(int field) => Find(field, sizeof(long)) is var at and > 0 ? BinaryPrimitives.ReadInt64LittleEndian(_buffer[at..]) : 0;

    /// <summary>A field that is a table.</summary>
    /// <exception cref="CorruptException">It is absent.</exception>
    public FlatTable Table(int field) => Find(field, sizeof(uint)) is var at and > 0
        ? new FlatTable(_buffer, at + (long)BinaryPrimitives.ReadUInt32LittleEndian(_buffer[at..]))
        : throw Damaged();

    /// <summary>The bytes of a field that is a vector of structs; none if it is absent.</summary>
    /// <param name="field">The field.</param>
    /// <param name="size">Bytes of a struct.</param>
    public ReadOnlySpan<byte> Structs(int field, int size)
    {
        var start = FindVector(field, size, out var count);
        return _buffer.Slice(start, count * size);
    }

    /// <summary>A field that is a text.</summary>
    public string Text(int field) => Encoding.UTF8.GetString(Structs(field, 1));

    /// <summary>The number of tables in a field that is a vector of tables; 0 if it is absent.</summary>
    public int Count(int field) => Structs(field, sizeof(uint)).Length / sizeof(uint);

    /// <summary>A table of a vector of tables.</summary>
    public FlatTable TableAt(int field, int index)
    {
        var place = FindVector(field, sizeof(uint), out _) + (index * sizeof(uint));
        return new FlatTable(_buffer, place + (long)BinaryPrimitives.ReadUInt32LittleEndian(_buffer[place..]));
    }

    private static CorruptException Damaged() => new("the description of a message is damaged");

    private int FindVector(int field, int size, out int count)
    {
        count = 0;
        var at = (long)Find(field, sizeof(uint));
        if (at == 0)
        {
            return 0;
        }

        at += BinaryPrimitives.ReadUInt32LittleEndian(_buffer[(int)at..]);
        if (at > _buffer.Length - sizeof(uint))
        {
            throw Damaged();
        }

        var items = BinaryPrimitives.ReadUInt32LittleEndian(_buffer[(int)at..]);
        count = items <= (_buffer.Length - at - sizeof(uint)) / size ? (int)items : throw Damaged();
        return (int)at + sizeof(uint);
    }

    private int Find(int field, int size)
    {
        var fields = (long)_at - BinaryPrimitives.ReadInt32LittleEndian(_buffer[_at..]);
        if (fields < 0 || fields > _buffer.Length - (2 * sizeof(ushort)))
        {
            throw Damaged();
        }

        var length = BinaryPrimitives.ReadUInt16LittleEndian(_buffer[(int)fields..]);
        var place = (2 + field) * sizeof(ushort);
        if (place + sizeof(ushort) > length)
        {
            return 0;
        }

        if (fields + place > _buffer.Length - sizeof(ushort))
        {
            throw Damaged();
        }

        var offset = BinaryPrimitives.ReadUInt16LittleEndian(_buffer[(int)(fields + place)..]);
        return offset == 0 ? 0 : _at + offset <= _buffer.Length - size ? _at + offset : throw Damaged();
    }
}
