using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace MonoLoss.Data;

/// <summary>Takes a pickle apart into opcodes and their arguments, without doing what they say.</summary>
internal ref struct PickleCursor(ReadOnlySpan<byte> bytes)
{
    private const int Protocol = 2;
    private const int MaxGlobal = 256;
    private const int MaxText = 1 << 24;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private ReadOnlySpan<byte> _argument;
    private int _position;

    /// <summary>The opcode.</summary>
    public PickleOpcode Opcode { get; private set; }

    /// <summary>The argument of BININT and of the opcodes about the memo.</summary>
    public long Integer { get; private set; }

    /// <summary>The argument of LONG1: two's complement.</summary>
    public readonly BigInteger LongInteger => new(_argument);

    /// <summary>The argument of BINFLOAT.</summary>
    public readonly double Number => BinaryPrimitives.ReadDoubleBigEndian(_argument);

    /// <summary>The argument of BINUNICODE.</summary>
    /// <exception cref="CorruptException">It is not text.</exception>
    public readonly string Text
    {
        get
        {
            try
            {
                return Utf8.GetString(_argument);
            }
            catch (ArgumentException)
            {
                throw new CorruptException("its pickle has a text that is not UTF-8");
            }
        }
    }

    /// <summary>The argument of GLOBAL: module and name with a dot between.</summary>
    public readonly string Global => Encoding.UTF8.GetString(_argument).Replace('\n', '.');

    /// <summary>Reads the next opcode.</summary>
    /// <exception cref="CorruptException">It is not one of protocol 2, or none that torch writes, or the pickle ends.</exception>
    public void Next()
    {
        var first = _position == 0;
        Opcode = (PickleOpcode)Take(1)[0];
        if (first != (Opcode == PickleOpcode.Protocol))
        {
            throw new CorruptException("its pickle does not begin as one of protocol 2 does");
        }

        switch (Opcode)
        {
            case PickleOpcode.Protocol:
                Integer = Take(1)[0];
                if (Integer != Protocol)
                {
                    throw new CorruptException(
                        $"it is written with pickle protocol {Integer}; protocol {Protocol} is read, which torch.save uses by default");
                }

                break;
            case PickleOpcode.BinInt1 or PickleOpcode.BinGet or PickleOpcode.BinPut:
                Integer = Take(1)[0];
                break;
            case PickleOpcode.BinInt2:
                Integer = BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
                break;
            case PickleOpcode.BinInt:
                Integer = BinaryPrimitives.ReadInt32LittleEndian(Take(4));
                break;
            case PickleOpcode.LongBinGet or PickleOpcode.LongBinPut:
                Integer = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            case PickleOpcode.BinFloat:
                _argument = Take(8);
                break;
            case PickleOpcode.Long1:
                _argument = Take(Take(1)[0]);
                break;
            case PickleOpcode.BinUnicode:
                _argument = Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)), MaxText);
                break;
            case PickleOpcode.Global:
                TakeGlobal();
                break;
            case PickleOpcode.NewObject:
                throw new CorruptException("its pickle makes an object of a class");
            default:
                if (!Enum.IsDefined(Opcode))
                {
                    throw new CorruptException($"its pickle has the opcode 0x{(byte)Opcode:x2}, which is not read");
                }

                break;
        }
    }

    private void TakeGlobal()
    {
        var rest = _bytes[_position..];
        rest = rest[..Math.Min(rest.Length, MaxGlobal)];
        var module = rest.IndexOf((byte)'\n');
        var name = module < 0 ? -1 : rest[(module + 1)..].IndexOf((byte)'\n');
        if (name < 0)
        {
            throw new CorruptException("its pickle names a class that has no end");
        }

        _argument = rest[..(module + 1 + name)];
        _position += module + name + 2;
    }

    private ReadOnlySpan<byte> Take(long count, int most = int.MaxValue)
    {
        if (count > most)
        {
            throw new CorruptException($"its pickle has a text of {count} bytes");
        }

        if (count > _bytes.Length - _position)
        {
            throw new EndOfDataException("its pickle");
        }

        var taken = _bytes.Slice(_position, (int)count);
        _position += (int)count;
        return taken;
    }
}
