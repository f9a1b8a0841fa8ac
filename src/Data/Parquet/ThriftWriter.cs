using System.Buffers;
using System.Text;

namespace MonoLoss.Data.Parquet;

/// <summary>Writes Thrift's compact protocol.</summary>
internal sealed class ThriftWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Stack<short> _outer = new();
    private short _last;

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public void Bool(short id, bool value) => Field(id, value ? ThriftType.True : ThriftType.False);

    public void I8(short id, sbyte value)
    {
        Field(id, ThriftType.Byte);
        Byte((byte)value);
    }

    public void I32(short id, int value)
    {
        Field(id, ThriftType.I32);
        ZigZag(value);
    }

    public void I64(short id, long value)
    {
        Field(id, ThriftType.I64);
        ZigZag(value);
    }

    public void Text(short id, string value)
    {
        Field(id, ThriftType.Binary);
        TextElement(value);
    }

    public void List(short id, ThriftType element, int count)
    {
        Field(id, ThriftType.List);
        if (count < 15)
        {
            Byte((byte)(count << 4 | (int)element));
        }
        else
        {
            Byte((byte)(0xf0 | (int)element));
            Varint((ulong)count);
        }
    }

    public void I32Element(int value) => ZigZag(value);

    public void TextElement(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        Varint((ulong)bytes.Length);
        _bytes.Write(bytes);
    }

    /// <summary>Starts a struct that is a field; <see cref="End"/> ends it.</summary>
    public void Struct(short id)
    {
        Field(id, ThriftType.Struct);
        StructElement();
    }

    /// <summary>Starts a struct that is an element of a list.</summary>
    public void StructElement()
    {
        _outer.Push(_last);
        _last = 0;
    }

    /// <summary>Ends a struct.</summary>
    public void End()
    {
        Byte((byte)ThriftType.Stop);
        _last = _outer.Pop();
    }

    private void Field(short id, ThriftType type)
    {
        var delta = id - _last;
        if (delta is > 0 and < 16)
        {
            Byte((byte)(delta << 4 | (int)type));
        }
        else
        {
            Byte((byte)type);
            ZigZag(id);
        }

        _last = id;
    }

    private void ZigZag(long value) => Varint((ulong)(value << 1 ^ value >> 63));

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            Byte((byte)(value | 0x80));
            value >>= 7;
        }

        Byte((byte)value);
    }

    private void Byte(byte value)
    {
        _bytes.GetSpan(1)[0] = value;
        _bytes.Advance(1);
    }
}
