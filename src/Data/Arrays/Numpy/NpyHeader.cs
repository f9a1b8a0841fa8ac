using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace MonoLoss.Data;

/// <summary>The header of a .npy file.</summary>
/// <param name="Descr">The element type as numpy writes it, such as &lt;f4.</param>
/// <param name="Fortran">Whether the first dimension is the fastest.</param>
/// <param name="Shape">The dimensions.</param>
/// <param name="Size">Bytes before the elements.</param>
internal sealed record NpyHeader(string Descr, bool Fortran, IReadOnlyList<long> Shape, long Size)
{
    /// <summary>Bytes that tell how long the header is.</summary>
    public const int PrefixSize = 12;

    /// <summary>The longest header read; numpy itself warns of more than 10 000.</summary>
    public const int MaxSize = 1 << 20;

    private const int ShortPrefixSize = 10;
    private const int BytesPerCharacter = 4;

    /// <summary>The element type.</summary>
    public ElementType Type { get; private init; }

    /// <summary>Bytes of an element; 0 if it is unreadable.</summary>
    public int ElementSize { get; private init; }

    /// <summary>Why the elements are not read, or null.</summary>
    public string? Problem { get; private init; }

    /// <summary>Whether an element's highest byte comes first.</summary>
    public bool BigEndian => Descr[0] == '>';

    /// <summary>Whether the elements are bytes of text, not characters.</summary>
    public bool IsBytes => Descr[1] == 'S';

    /// <summary>Number of elements.</summary>
    public long Count => StoredArray.CountOf(Shape);

    /// <summary>How many bytes the whole header has.</summary>
    /// <param name="prefix">The first <see cref="PrefixSize"/> bytes of the file.</param>
    /// <exception cref="CorruptException">This is not a .npy file.</exception>
    public static int SizeOf(ReadOnlySpan<byte> prefix)
    {
        if (prefix.Length < PrefixSize || prefix[0] != 0x93 || !prefix[1..6].SequenceEqual("NUMPY"u8))
        {
            throw new CorruptException("it does not begin as a .npy file does: raw numbers have no header that tells their shape");
        }

        var version = prefix[6];
        long size = version switch
        {
            1 => ShortPrefixSize + BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..]),
            2 or 3 => PrefixSize + (long)BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]),
            _ => throw new CorruptException($"its format version is {version}, expected 1, 2 or 3"),
        };
        return size <= MaxSize ? (int)size : throw new CorruptException($"its header has {size} bytes, more than {MaxSize}");
    }

    /// <summary>Reads the header.</summary>
    /// <param name="bytes">The whole header.</param>
    /// <exception cref="CorruptException">It is damaged.</exception>
    public static NpyHeader Read(ReadOnlySpan<byte> bytes)
    {
        var encoding = bytes[6] == 3 ? Encoding.UTF8 : Encoding.Latin1;
        var literal = new NpyLiteral(encoding.GetString(bytes[(bytes[6] == 1 ? ShortPrefixSize : PrefixSize)..]));
        literal.Read();
        StoredArray.CountOf(literal.Shape!);
        var (type, size, problem) = literal.IsSimple
            ? TypeOf(literal.Descr!)
            : (ElementType.Unreadable, 0, $"its dtype is {literal.Descr}, a record of fields; save the features alone");
        return new NpyHeader(literal.Descr!, literal.Fortran!.Value, literal.Shape!, bytes.Length)
        {
            Type = type,
            ElementSize = size,
            Problem = problem,
        };
    }

    private static (ElementType Type, int Size, string? Problem) TypeOf(string descr)
    {
        if (descr.Length < 2 || !"<>|=".Contains(descr[0], StringComparison.Ordinal))
        {
            throw new CorruptException($"its dtype '{descr}' is none of numpy's types");
        }

        if (descr[1] is 'U' or 'S')
        {
            return int.TryParse(descr.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= MaxSize
                ? (ElementType.Text, length * (descr[1] == 'U' ? BytesPerCharacter : 1), null)
                : throw new CorruptException($"its dtype '{descr}' is not read");
        }

        var type = descr[1..] switch
        {
            "f2" => ElementType.Float16,
            "f4" => ElementType.Float32,
            "f8" => ElementType.Float64,
            "i1" => ElementType.Int8,
            "i2" => ElementType.Int16,
            "i4" => ElementType.Int32,
            "i8" => ElementType.Int64,
            "u1" => ElementType.UInt8,
            "u2" => ElementType.UInt16,
            "u4" => ElementType.UInt32,
            "u8" => ElementType.UInt64,
            "b1" => ElementType.Boolean,
            _ => ElementType.Unreadable,
        };
        return type == ElementType.Unreadable ? (type, 0, ProblemOf(descr)) : (type, type.SizeOf(), null);
    }

    private static string ProblemOf(string descr) => descr[1..] switch
    {
        "O" => "its dtype is object: its elements are a pickle, which is not run; save a plain array",
        "V2" => $"its dtype is '{descr}', 2 bytes of no type, as numpy writes bfloat16; save it as float32: x.astype('float32')",
        _ => $"its dtype '{descr}' is not read; save it as float32: x.astype('float32')",
    };
}
