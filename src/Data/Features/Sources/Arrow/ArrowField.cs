namespace MonoLoss.Data;

/// <summary>The types of Arrow, by their numbers in a schema.</summary>
internal enum ArrowType
{
    /// <summary>Only nulls.</summary>
    Null = 1,

    /// <summary>Integers of 8 to 64 bits.</summary>
    Int = 2,

    /// <summary>Floats of 16 to 64 bits.</summary>
    Float = 3,

    /// <summary>Bytes.</summary>
    Binary = 4,

    /// <summary>Text.</summary>
    Utf8 = 5,

    /// <summary>Bits.</summary>
    Bool = 6,

    /// <summary>Lists with 32-bit offsets.</summary>
    List = 12,

    /// <summary>Fields beside each other.</summary>
    Struct = 13,

    /// <summary>One of several types a row.</summary>
    Union = 14,

    /// <summary>Lists of one length.</summary>
    FixedSizeList = 16,

    /// <summary>Lists of keys and values.</summary>
    Map = 17,

    /// <summary>Bytes with 64-bit offsets.</summary>
    LargeBinary = 19,

    /// <summary>Text with 64-bit offsets.</summary>
    LargeUtf8 = 20,

    /// <summary>Lists with 64-bit offsets.</summary>
    LargeList = 21,

    /// <summary>Runs of equal values.</summary>
    RunEndEncoded = 22,

    /// <summary>Bytes, short ones in place.</summary>
    BinaryView = 23,

    /// <summary>Text, short ones in place.</summary>
    Utf8View = 24,

    /// <summary>Lists with offsets and lengths.</summary>
    ListView = 25,

    /// <summary>Lists with 64-bit offsets and lengths.</summary>
    LargeListView = 26,
}

/// <summary>A column, or the elements of one that holds lists. Extension types are the types they are stored as.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type; that of the values, if these are in a dictionary.</param>
/// <param name="Bits">Bits of a number; 0 for other types.</param>
/// <param name="IsSigned">Whether an integer has a sign.</param>
/// <param name="ListSize">Values of a list of fixed length.</param>
/// <param name="IsDense">Whether a union has offsets.</param>
/// <param name="Children">Its elements or fields.</param>
internal sealed record ArrowField(
    string Name, ArrowType Type, int Bits, bool IsSigned, int ListSize, bool IsDense, IReadOnlyList<ArrowField> Children)
{
    /// <summary>The dictionary that has the values; null if they are in place.</summary>
    public long? Dictionary { get; init; }

    /// <summary>The values' places in the dictionary.</summary>
    public ArrowField? Indices { get; init; }

    /// <summary>Whether it holds numbers or booleans that are read.</summary>
    public bool IsNumber => Dictionary is null && IsNumberType;

    /// <summary>Whether its values, in a dictionary or not, are numbers or booleans.</summary>
    public bool IsNumberType => Type is ArrowType.Int or ArrowType.Float or ArrowType.Bool && Bits > 0;

    /// <summary>Whether its values, in a dictionary or not, are text.</summary>
    public bool IsText => Type is ArrowType.Utf8 or ArrowType.LargeUtf8 or ArrowType.Utf8View;

    /// <summary>Whether it holds lists.</summary>
    public bool IsList => Dictionary is null && Children.Count == 1 && Type is ArrowType.List or ArrowType.LargeList
        or ArrowType.FixedSizeList or ArrowType.ListView or ArrowType.LargeListView;

    /// <summary>Whether offsets, or views' buffers, have 64 bits.</summary>
    public bool IsLarge => Type is ArrowType.LargeBinary or ArrowType.LargeUtf8 or ArrowType.LargeList or ArrowType.LargeListView;

    /// <summary>What lists hold in the end.</summary>
    public ArrowField Innermost => IsList ? Children[0].Innermost : this;

    /// <summary>Whether it holds lists of numbers, or lists of such.</summary>
    public bool IsListOfNumbers => IsList && Innermost.IsNumber;

    /// <inheritdoc/>
    public override string ToString() => Dictionary is not null ? $"dictionary<{(this with { Dictionary = null })}>"
        : Type == ArrowType.FixedSizeList && Children.Count == 1 ? $"list<{Children[0]}>[{ListSize}]"
        : IsList ? $"list<{Children[0]}>"
        : Type switch
        {
            ArrowType.Int => $"{(IsSigned ? "int" : "uint")}{Bits}",
            ArrowType.Float => $"float{Bits}",
            ArrowType.Bool => "bool",
            ArrowType.Utf8 or ArrowType.LargeUtf8 or ArrowType.Utf8View => "text",
            ArrowType.Binary or ArrowType.LargeBinary or ArrowType.BinaryView => "binary",
            >= ArrowType.Null and <= ArrowType.LargeListView when Enum.IsDefined(Type) => Type.ToString().ToLowerInvariant(),
            _ => "dates, decimals or another type",
        };

    /// <summary>Decodes the columns of a schema.</summary>
    /// <param name="schema">The table Schema.</param>
    /// <param name="bytes">Bytes of the message, which has no more fields than bytes.</param>
    /// <exception cref="CorruptException">It is damaged.</exception>
    public static IReadOnlyList<ArrowField> Of(FlatTable schema, int bytes)
    {
        var left = bytes;
        return Read(schema, 1, 0, ref left);
    }

    private static ArrowField[] Read(FlatTable parent, int vector, int depth, ref int left)
    {
        const int MaxDepth = 64;
        var count = parent.Count(vector);
        if (depth == MaxDepth || (left -= count) < 0)
        {
            throw new CorruptException("the schema is nested too deeply, or damaged");
        }

        var fields = new ArrowField[count];
        for (var i = 0; i < count; i++)
        {
            fields[i] = Read(parent.TableAt(vector, i), depth, ref left);
        }

        return fields;
    }

    // The table Field: name, nullable, type, its description, dictionary, children.
    private static ArrowField Read(FlatTable field, int depth, ref int left)
    {
        var children = Read(field, 5, depth + 1, ref left);
        var found = OfType((ArrowType)field.Byte(2), field.Has(3) ? field.Table(3) : default) with
        {
            Name = field.Has(0) ? field.Text(0) : string.Empty, Children = children,
        };
        if (!field.Has(4))
        {
            return found;
        }

        // The table DictionaryEncoding: the dictionary's number, the type of the indices, 32 bits with a sign if there is none.
        var encoding = field.Table(4);
        var indices = OfType(ArrowType.Int, encoding.Has(1) ? encoding.Table(1) : default);
        return found with { Dictionary = encoding.Int64(0), Indices = encoding.Has(1) ? indices : indices with { Bits = 32,
            IsSigned = true } };
    }

    private static ArrowField OfType(ArrowType type, FlatTable table)
    {
        var (bits, signed, size, dense) = (0, false, 0, false);
        switch (type)
        {
            case ArrowType.Int:
                (bits, signed) = (table.Int32(0), table.Byte(1) != 0);
                bits = bits is 8 or 16 or 32 or 64 ? bits : throw new CorruptException($"integers of {bits} bits");
                break;
            case ArrowType.Float:
                bits = table.Int16(0) switch
                {
                    0 => 16,
                    1 => 32,
                    2 => 64,
                    var precision => throw new CorruptException($"floats of precision {precision}"),
                };
                break;
            case ArrowType.Bool:
                bits = 1;
                break;
            case ArrowType.FixedSizeList:
                size = table.Int32(0);
                size = size >= 0 ? size : throw new CorruptException($"lists of {size} values");
                break;
            case ArrowType.Union:
                dense = table.Int16(0) == 1;
                break;
        }

        return new ArrowField(string.Empty, type, bits, signed, size, dense, []);
    }
}
