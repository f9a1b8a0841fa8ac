using System.Text;

namespace MonoLoss.Data.Parquet;

/// <summary>The types of Thrift's compact protocol, as field headers and list headers give them.</summary>
internal enum ThriftType : byte
{
    Stop = 0,
    True = 1,
    False = 2,
    Byte = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
}

/// <summary>Reads Thrift's compact protocol, in which Parquet keeps its metadata. Every read is checked against the end.</summary>
internal ref struct ThriftReader(ReadOnlySpan<byte> data)
{
    private const int MaxDepth = 64;

    private readonly ReadOnlySpan<byte> _data = data;

    /// <summary>How many bytes have been read.</summary>
    public int Position { get; private set; }

    /// <summary>Steps to the next field of a struct.</summary>
    /// <param name="id">The field read last (0 at first), then the new one.</param>
    /// <param name="type">Its type.</param>
    /// <returns>False at the end of the struct.</returns>
    public bool NextField(ref short id, out ThriftType type)
    {
        var header = ReadByte();
        type = (ThriftType)(header & 0x0f);
        if (type == ThriftType.Stop)
        {
            return false;
        }

        var delta = header >> 4;
        id = delta != 0 ? (short)(id + delta) : (short)ReadZigZag();
        return true;
    }

    public readonly bool ReadBool(ThriftType type) => type switch
    {
        ThriftType.True => true,
        ThriftType.False => false,
        _ => throw Unexpected(type),
    };

    public int ReadI32(ThriftType type)
    {
        var value = ReadI64(type);
        return value == (int)value ? (int)value : throw new CorruptException("metadata: a 32-bit integer is out of range");
    }

    public long ReadI64(ThriftType type) => type switch
    {
        ThriftType.I16 or ThriftType.I32 or ThriftType.I64 => ReadZigZag(),
        ThriftType.Byte => (sbyte)ReadByte(),
        _ => throw Unexpected(type),
    };

    public string ReadString(ThriftType type)
    {
        Expect(type, ThriftType.Binary);
        return Encoding.UTF8.GetString(Take(ReadLength()));
    }

    /// <summary>Checks that a struct is next; its fields follow.</summary>
    public readonly void ReadStruct(ThriftType type) => Expect(type, ThriftType.Struct);

    /// <summary>Starts a list.</summary>
    /// <returns>How many elements follow: never more than there are bytes left.</returns>
    public int ReadList(ThriftType type, out ThriftType element)
    {
        Expect(type, ThriftType.List);
        var header = ReadByte();
        element = (ThriftType)(header & 0x0f);
        var count = header >> 4;
        return count == 15 ? ReadLength() : count <= _data.Length - Position ? count : throw new EndOfDataException("metadata");
    }

    public void Skip(ThriftType type) => Skip(type, 0);

    private void Skip(ThriftType type, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new CorruptException("metadata is nested too deeply");
        }

        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                break;
            case ThriftType.Byte:
                ReadByte();
                break;
            case ThriftType.I16 or ThriftType.I32 or ThriftType.I64:
                ReadVarint();
                break;
            case ThriftType.Double:
                Take(sizeof(double));
                break;
            case ThriftType.Binary:
                Take(ReadLength());
                break;
            case ThriftType.List or ThriftType.Set:
                var count = ReadList(ThriftType.List, out var element);
                for (var i = 0; i < count; i++)
                {
                    SkipElement(element, depth + 1);
                }

                break;
            case ThriftType.Map:
                var pairs = ReadLength();
                if (pairs > 0)
                {
                    var types = ReadByte();
                    for (var i = 0; i < pairs; i++)
                    {
                        SkipElement((ThriftType)(types >> 4), depth + 1);
                        SkipElement((ThriftType)(types & 0x0f), depth + 1);
                    }
                }

                break;
            case ThriftType.Struct:
                short id = 0;
                while (NextField(ref id, out var field))
                {
                    Skip(field, depth + 1);
                }

                break;
            default:
                throw Unexpected(type);
        }
    }

    // Booleans take a byte in a list, but none in a field, whose header holds them.
    private void SkipElement(ThriftType type, int depth)
    {
        if (type is ThriftType.True or ThriftType.False)
        {
            ReadByte();
        }
        else
        {
            Skip(type, depth);
        }
    }

    private byte ReadByte() => Position < _data.Length ? _data[Position++] : throw new EndOfDataException("metadata");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _data.Length - Position)
        {
            throw new EndOfDataException("metadata");
        }

        Position += count;
        return _data.Slice(Position - count, count);
    }

    private int ReadLength()
    {
        var length = ReadVarint();
        return length <= (ulong)(_data.Length - Position) ? (int)length : throw new EndOfDataException("metadata");
    }

    private long ReadZigZag()
    {
        var value = ReadVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = ReadByte();
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new CorruptException("metadata: an integer has too many bytes");
    }

    private static void Expect(ThriftType found, ThriftType expected)
    {
        if (found != expected)
        {
            throw Unexpected(found);
        }
    }

    private static CorruptException Unexpected(ThriftType type) => new($"metadata: a field of unexpected type {(int)type}");
}
