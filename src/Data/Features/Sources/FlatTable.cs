using System.Buffers.Binary;

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
    public byte Byte(int field) => Find(field, 1) is var at and > 0 ? _buffer[at] : (byte)0;

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
        var at = (long)Find(field, sizeof(uint));
        if (at == 0)
        {
            return [];
        }

        at += BinaryPrimitives.ReadUInt32LittleEndian(_buffer[(int)at..]);
        if (at > _buffer.Length - sizeof(uint))
        {
            throw Damaged();
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(_buffer[(int)at..]);
        return count <= (_buffer.Length - at - sizeof(uint)) / size
            ? _buffer.Slice((int)at + sizeof(uint), (int)count * size)
            : throw Damaged();
    }

    private static CorruptException Damaged() => new("the description of a message is damaged");

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
