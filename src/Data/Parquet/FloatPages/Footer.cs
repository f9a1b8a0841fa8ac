using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>A node of the schema as the footer has it; children follow their parent.</summary>
internal sealed record SchemaElement(
    string Name, PhysicalType? Type, int TypeLength, FieldRepetitionType Repetition, int Children, LogicalType Logical);

/// <summary>Where a column's pages of one row group are.</summary>
/// <param name="Type">How values are stored.</param>
/// <param name="Codec">How pages are compressed.</param>
/// <param name="Start">Offset of the first page, the dictionary's if there is one.</param>
/// <param name="Size">Bytes of all pages.</param>
/// <param name="Values">Values, nulls and empty lists included.</param>
/// <param name="Problem">Why it cannot be read, or null.</param>
internal sealed record ColumnChunk(
    PhysicalType Type, CompressionCodec Codec, long Values, long Start, long Size, string? Problem);

internal sealed record RowGroup(long Rows, IReadOnlyList<ColumnChunk> Chunks);

/// <summary>The footer of a file.</summary>
internal sealed record FileMetadata(
    IReadOnlyList<SchemaElement> Schema,
    IReadOnlyList<RowGroup> RowGroups,
    IReadOnlyDictionary<string, string> KeyValues,
    string? CreatedBy)
{
    // Far beyond what any writer has: decimals of 256 bits have 76 digits.
    private const int MaxScale = 1000;

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
        int length = 0, repetition = 0, children = 0, scale = 0, precision = 0;
        LogicalType logical = default, converted = default;
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
                case 7:
                    scale = reader.ReadI32(type);
                    break;
                case 8:
                    precision = reader.ReadI32(type);
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

        if (converted.Kind == LogicalKind.Decimal)
        {
            converted = converted with { Precision = precision, Scale = scale };
        }

        logical = logical.Kind == LogicalKind.None ? converted : logical;
        if (name is null || children < 0 || repetition is < 0 or > 2 || physical is < 0 or > 7
            || (physical == (int)PhysicalType.FIXED_LEN_BYTE_ARRAY && length <= 0)
            || (logical.Kind == LogicalKind.Decimal && logical.Scale is < 0 or > MaxScale))
        {
            throw new CorruptException("the footer has an invalid schema element");
        }

        return new SchemaElement(name, (PhysicalType?)physical, length, (FieldRepetitionType)repetition, children, logical);
    }

    private static LogicalType FromConverted(int type) => type switch
    {
        0 or 4 => new LogicalType(LogicalKind.String),
        1 or 2 => new LogicalType(LogicalKind.Map),
        3 => new LogicalType(LogicalKind.List),
        5 => new LogicalType(LogicalKind.Decimal),
        6 => new LogicalType(LogicalKind.Date),
        7 or 8 => new LogicalType(LogicalKind.Time),
        9 or 10 => new LogicalType(LogicalKind.Timestamp),
        >= 11 and <= 14 => new LogicalType(LogicalKind.UnsignedInteger, 8 << (type - 11)),
        >= 15 and <= 18 => new LogicalType(LogicalKind.Integer, 8 << (type - 15)),
        19 => new LogicalType(LogicalKind.Json),
        _ => new LogicalType(LogicalKind.Other),
    };

    private static LogicalType ReadLogical(ref ThriftReader reader)
    {
        LogicalType logical = default;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if (id is 5 or 10)
            {
                reader.ReadStruct(type);
                logical = id == 5 ? ReadDecimal(ref reader) : ReadInteger(ref reader);
                continue;
            }

            reader.Skip(type);
            logical = new LogicalType(id switch
            {
                1 or 4 => LogicalKind.String,
                2 => LogicalKind.Map,
                3 => LogicalKind.List,
                6 => LogicalKind.Date,
                7 => LogicalKind.Time,
                8 => LogicalKind.Timestamp,
                11 => LogicalKind.Null,
                12 => LogicalKind.Json,
                14 => LogicalKind.Uuid,
                15 => LogicalKind.Float16,
                _ => LogicalKind.Other,
            });
        }

        return logical;
    }

    private static LogicalType ReadDecimal(ref ThriftReader reader)
    {
        int scale = 0, precision = 0;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    scale = reader.ReadI32(type);
                    break;
                case 2:
                    precision = reader.ReadI32(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return new LogicalType(LogicalKind.Decimal, 0, precision, scale);
    }

    private static LogicalType ReadInteger(ref ThriftReader reader)
    {
        var signed = true;
        var bits = 0;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id)
            {
                case 1:
                    bits = reader.ReadI32(type);
                    break;
                case 2:
                    signed = reader.ReadBool(type);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return new LogicalType(signed ? LogicalKind.Integer : LogicalKind.UnsignedInteger, bits);
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
        return new ColumnChunk((PhysicalType)physical, (CompressionCodec)codec, values, start, size, null);
    }
}
