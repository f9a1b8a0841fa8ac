namespace MonoLoss.Data.Parquet;

/// <summary>A node of the schema as the footer has it; children follow their parent.</summary>
internal sealed record SchemaElement(
    string Name, ParquetType? Type, int TypeLength, Repetition Repetition, int Children, ParquetLogicalType Logical);

/// <summary>Where a column's pages of one row group are.</summary>
/// <param name="Type">How values are stored.</param>
/// <param name="Codec">How pages are compressed.</param>
/// <param name="Start">Offset of the first page, the dictionary's if there is one.</param>
/// <param name="Size">Bytes of all pages.</param>
/// <param name="Values">Values, nulls and empty lists included.</param>
/// <param name="Problem">Why it cannot be read, or null.</param>
internal sealed record ColumnChunk(
    ParquetType Type, ParquetCompression Codec, long Values, long Start, long Size, string? Problem);

internal sealed record RowGroup(long Rows, IReadOnlyList<ColumnChunk> Chunks);

/// <summary>The footer of a file.</summary>
internal sealed record FileMetadata(
    IReadOnlyList<SchemaElement> Schema,
    IReadOnlyList<RowGroup> RowGroups,
    IReadOnlyDictionary<string, string> KeyValues,
    string? CreatedBy)
{
    /// <summary>Decodes a footer.</summary>
    /// <exception cref="CorruptException">It is damaged or encrypted.</exception>
    public static FileMetadata Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftReader(bytes);
        List<SchemaElement>? schema = null;
        List<RowGroup>? groups = null;
        var keyValues = new Dictionary<string, string>();
        string? createdBy = null;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 2:
                    schema = ReadAll(ref reader, type, ReadSchemaElement);
                    break;
                case 4:
                    groups = ReadAll(ref reader, type, ReadRowGroup);
                    break;
                case 5:
                    foreach (var (key, value) in ReadAll(ref reader, type, ReadKeyValue))
                    {
                        keyValues[key] = value;
                    }

                    break;
                case 6:
                    createdBy = reader.ReadString(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        if (schema is null || groups is null)
        {
            throw new CorruptException("the footer lacks the schema or the row groups");
        }

        return new FileMetadata(schema, groups, keyValues, createdBy);
    }

    private delegate T ReadStruct<T>(ref ThriftReader reader);

    private static List<T> ReadAll<T>(ref ThriftReader reader, ThriftType type, ReadStruct<T> read)
    {
        var count = reader.ReadList(type, out var element);
        if (count > 0)
        {
            reader.ReadStruct(element);
        }

        var all = new List<T>();
        for (var i = 0; i < count; i++)
        {
            all.Add(read(ref reader));
        }

        return all;
    }

    private static (string Key, string Value) ReadKeyValue(ref ThriftReader reader)
    {
        var key = "";
        var value = "";
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    key = reader.ReadString(type);
                    break;
                case 2:
                    value = reader.ReadString(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return (key, value);
    }

    private static SchemaElement ReadSchemaElement(ref ThriftReader reader)
    {
        string? name = null;
        int? physical = null;
        int length = 0, repetition = 0, children = 0;
        var logical = ParquetLogicalType.None;
        var converted = ParquetLogicalType.None;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    physical = reader.ReadI32(type);
                    break;
                case 2:
                    length = reader.ReadI32(type);
                    break;
                case 3:
                    repetition = reader.ReadI32(type);
                    break;
                case 4:
                    name = reader.ReadString(type);
                    break;
                case 5:
                    children = reader.ReadI32(type);
                    break;
                case 6:
                    converted = FromConverted(reader.ReadI32(type));
                    break;
                case 10:
                    reader.ReadStruct(type);
                    logical = ReadLogical(ref reader);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        if (name is null || children < 0 || repetition is < 0 or > 2 || physical is < 0 or > 7
            || (physical == (int)ParquetType.FixedLenByteArray && length <= 0))
        {
            throw new CorruptException("the footer has an invalid schema element");
        }

        return new SchemaElement(name, (ParquetType?)physical, length, (Repetition)repetition, children,
            logical == ParquetLogicalType.None ? converted : logical);
    }

    private static ParquetLogicalType FromConverted(int type) => type switch
    {
        0 or 4 or 19 => ParquetLogicalType.String,
        1 or 2 => ParquetLogicalType.Map,
        3 => ParquetLogicalType.List,
        >= 11 and <= 14 => ParquetLogicalType.UnsignedInteger,
        >= 15 and <= 18 => ParquetLogicalType.Integer,
        _ => ParquetLogicalType.Other,
    };

    private static ParquetLogicalType ReadLogical(ref ThriftReader reader)
    {
        var logical = ParquetLogicalType.None;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if (id == 10)
            {
                reader.ReadStruct(type);
                logical = ReadIsSigned(ref reader) ? ParquetLogicalType.Integer : ParquetLogicalType.UnsignedInteger;
                continue;
            }

            reader.Skip(type);
            logical = id switch
            {
                1 or 4 or 12 => ParquetLogicalType.String,
                2 => ParquetLogicalType.Map,
                3 => ParquetLogicalType.List,
                15 => ParquetLogicalType.Float16,
                _ => ParquetLogicalType.Other,
            };
        }

        return logical;
    }

    private static bool ReadIsSigned(ref ThriftReader reader)
    {
        var signed = true;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if (id == 2)
            {
                signed = reader.ReadBool(type);
            }
            else
            {
                reader.Skip(type);
            }
        }

        return signed;
    }

    private static RowGroup ReadRowGroup(ref ThriftReader reader)
    {
        List<ColumnChunk>? chunks = null;
        long rows = -1;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    chunks = ReadAll(ref reader, type, ReadChunk);
                    break;
                case 3:
                    rows = reader.ReadI64(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return chunks is not null && rows >= 0
            ? new RowGroup(rows, chunks)
            : throw new CorruptException("the footer has an invalid row group");
    }

    private static ColumnChunk ReadChunk(ref ThriftReader reader)
    {
        ColumnChunk? chunk = null;
        string? problem = null;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    problem = reader.ReadString(type).Length > 0 ? "its data is in another file, which is not supported" : problem;
                    break;
                case 3:
                    reader.ReadStruct(type);
                    chunk = ReadColumnMetadata(ref reader);
                    break;
                case 8 or 9:
                    problem = "it is encrypted, which is not supported";
                    reader.Skip(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        if (chunk is null)
        {
            return problem is null
                ? throw new CorruptException("the footer has a column without metadata")
                : new ColumnChunk(default, default, 0, 0, 0, problem);
        }

        return chunk with { Problem = problem };
    }

    private static ColumnChunk ReadColumnMetadata(ref ThriftReader reader)
    {
        int physical = -1, codec = -1;
        long values = -1, size = -1, data = -1, dictionary = 0;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    physical = reader.ReadI32(type);
                    break;
                case 4:
                    codec = reader.ReadI32(type);
                    break;
                case 5:
                    values = reader.ReadI64(type);
                    break;
                case 7:
                    size = reader.ReadI64(type);
                    break;
                case 9:
                    data = reader.ReadI64(type);
                    break;
                case 11:
                    dictionary = reader.ReadI64(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        if (physical is < 0 or > 7 || codec is < 0 or > 7 || values < 0 || size < 0 || data < 0)
        {
            throw new CorruptException("the footer has invalid column metadata");
        }

        // Some writers give a dictionary offset of 0 where there is none, or where the dictionary is at the data's offset.
        var start = dictionary > 0 && dictionary < data ? dictionary : data;
        return new ColumnChunk((ParquetType)physical, (ParquetCompression)codec, values, start, size, null);
    }
}

internal enum PageType
{
    Data = 0,
    Index = 1,
    Dictionary = 2,
    DataV2 = 3,
}

/// <summary>The header of a page, of any type.</summary>
internal struct PageHeader
{
    public PageType Type;
    public int UncompressedSize;
    public int CompressedSize;
    public uint? Crc;
    public int Values;
    public PageEncoding Encoding;
    public PageEncoding DefinitionEncoding;
    public PageEncoding RepetitionEncoding;
    public int DefinitionLength;
    public int RepetitionLength;
    public bool IsCompressed;

    /// <summary>Decodes a header.</summary>
    /// <param name="bytes">Bytes that start with it.</param>
    /// <param name="length">How many it takes.</param>
    public static PageHeader Read(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new ThriftReader(bytes);
        var header = new PageHeader { Type = (PageType)(-1), UncompressedSize = -1, CompressedSize = -1, IsCompressed = true };
        var details = (PageType)(-1);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    header.Type = (PageType)reader.ReadI32(type);
                    break;
                case 2:
                    header.UncompressedSize = reader.ReadI32(type);
                    break;
                case 3:
                    header.CompressedSize = reader.ReadI32(type);
                    break;
                case 4:
                    header.Crc = (uint)reader.ReadI32(type);
                    break;
                case 5:
                    reader.ReadStruct(type);
                    header.ReadDataV1(ref reader);
                    details = PageType.Data;
                    break;
                case 7:
                    reader.ReadStruct(type);
                    header.ReadDictionary(ref reader);
                    details = PageType.Dictionary;
                    break;
                case 8:
                    reader.ReadStruct(type);
                    header.ReadDataV2(ref reader);
                    details = PageType.DataV2;
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        length = reader.Position;
        if (header.UncompressedSize < 0 || header.CompressedSize < 0 || header.Values < 0
            || (header.Type is PageType.Data or PageType.Dictionary or PageType.DataV2 && header.Type != details)
            || header.DefinitionLength < 0 || header.RepetitionLength < 0)
        {
            throw new CorruptException("a page has an invalid header");
        }

        return header;
    }

    private void ReadDataV1(ref ThriftReader reader)
    {
        Values = -1;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    Values = reader.ReadI32(type);
                    break;
                case 2:
                    Encoding = (PageEncoding)reader.ReadI32(type);
                    break;
                case 3:
                    DefinitionEncoding = (PageEncoding)reader.ReadI32(type);
                    break;
                case 4:
                    RepetitionEncoding = (PageEncoding)reader.ReadI32(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }
    }

    private void ReadDictionary(ref ThriftReader reader)
    {
        Values = -1;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    Values = reader.ReadI32(type);
                    break;
                case 2:
                    Encoding = (PageEncoding)reader.ReadI32(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }
    }

    private void ReadDataV2(ref ThriftReader reader)
    {
        Values = -1;
        DefinitionEncoding = RepetitionEncoding = PageEncoding.Rle;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    Values = reader.ReadI32(type);
                    break;
                case 4:
                    Encoding = (PageEncoding)reader.ReadI32(type);
                    break;
                case 5:
                    DefinitionLength = reader.ReadI32(type);
                    break;
                case 6:
                    RepetitionLength = reader.ReadI32(type);
                    break;
                case 7:
                    IsCompressed = reader.ReadBool(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }
    }
}
