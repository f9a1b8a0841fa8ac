using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// What Arrow's schema, which some writers keep in the footer, says beyond Parquet's own: the shapes of tensors, which are stored flat.
/// It is a flatbuffer in base64. It is only a hint: where it is damaged, it says nothing.
/// </summary>
internal static class ArrowSchema
{
    private const string Key = "ARROW:schema";
    private const int SchemaHeader = 1;
    private const int MessageHeaderType = 1;
    private const int MessageHeader = 2;
    private const int SchemaFields = 1;
    private const int FieldName = 0;
    private const int FieldType = 2;
    private const int FieldMetadata = 6;
    private const int FixedSizeBinary = 15;

    /// <summary>The shapes of the columns that are tensors of a fixed shape, by name.</summary>
    /// <param name="metadata">The texts in the footer.</param>
    public static IReadOnlyDictionary<string, long[]> TensorShapes(IReadOnlyDictionary<string, string> metadata)
    {
        var shapes = new Dictionary<string, long[]>();
        Visit(metadata, (buffer, field, name) =>
        {
            foreach (var pair in buffer.Tables(field, FieldMetadata))
            {
                if (buffer.Text(pair, 0) == "ARROW:extension:metadata" && Shape(buffer.Text(pair, 1)) is { } shape)
                {
                    shapes[name] = shape;
                }
            }
        });
        return shapes;
    }

    /// <summary>
    /// The columns that Arrow does not take for bytes of a fixed size. One of 16 bytes is a 128-bit integer of polars, for which neither
    /// Parquet nor Arrow has a type.
    /// </summary>
    /// <inheritdoc cref="TensorShapes"/>
    public static IReadOnlySet<string> OtherThanBytes(IReadOnlyDictionary<string, string> metadata)
    {
        var names = new HashSet<string>();
        Visit(metadata, (buffer, field, name) =>
        {
            if (buffer.Byte(field, FieldType) != FixedSizeBinary)
            {
                names.Add(name);
            }
        });
        return names;
    }

    private static void Visit(IReadOnlyDictionary<string, string> metadata, Action<FlatBuffer, int, string> visit)
    {
        if (!metadata.TryGetValue(Key, out var text))
        {
            return;
        }

        try
        {
            // A message: a marker, its size, then the table.
            var bytes = Convert.FromBase64String(text);
            var start = BitConverter.ToInt32(bytes, 0) == -1 ? 2 * sizeof(int) : sizeof(int);
            var buffer = new FlatBuffer(bytes.AsMemory(start));
            var message = buffer.Root;
            if (buffer.Byte(message, MessageHeaderType) != SchemaHeader || buffer.Table(message, MessageHeader) is not { } schema)
            {
                return;
            }

            foreach (var field in buffer.Tables(schema, SchemaFields))
            {
                visit(buffer, field, buffer.Text(field, FieldName));
            }
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or IndexOutOfRangeException
            or OverflowException)
        {
            // Damaged.
        }
    }

    private static long[]? Shape(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("shape", out var shape)
                && shape.ValueKind == JsonValueKind.Array
                ? [.. shape.EnumerateArray().Select(size => size.GetInt64())]
                : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The few reads of a flatbuffer that are needed; every one is checked against the end.</summary>
    private sealed class FlatBuffer(ReadOnlyMemory<byte> bytes)
    {
        private const int MostTables = 1 << 20;

        public int Root => Follow(0);

        public int Byte(int table, int field) => Find(table, field) is { } at ? bytes.Span[at] : 0;

        public int? Table(int table, int field) => Find(table, field) is { } at ? Follow(at) : null;

        public string Text(int table, int field)
        {
            if (Table(table, field) is not { } at)
            {
                return "";
            }

            return Encoding.UTF8.GetString(bytes.Span.Slice(at + sizeof(int), Int(at)));
        }

        public List<int> Tables(int table, int field)
        {
            var tables = new List<int>();
            if (Table(table, field) is { } vector)
            {
                var count = Math.Min(Int(vector), MostTables);
                for (var i = 0; i < count; i++)
                {
                    tables.Add(Follow(vector + sizeof(int) + (i * sizeof(int))));
                }
            }

            return tables;
        }

        private int? Find(int table, int field)
        {
            var fields = checked(table - Int(table));
            var entry = (2 + field) * sizeof(short);
            var size = BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span[fields..]);
            var offset = entry < size ? BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span[(fields + entry)..]) : 0;
            return offset > 0 ? table + offset : null;
        }

        private int Follow(int at) => checked(at + Int(at));

        private int Int(int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[at..]);
    }
}
