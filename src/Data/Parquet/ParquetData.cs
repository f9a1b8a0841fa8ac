using System.Runtime.InteropServices;

namespace MonoLoss.Data.Parquet;

/// <summary>A column to be written.</summary>
public abstract class ParquetData
{
    private protected ParquetData(string name, int rows, ParquetType type, bool nullable)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
        Rows = rows;
        Type = type;
        IsNullable = nullable;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>How many rows it has.</summary>
    public int Rows { get; }

    /// <summary>How values are stored.</summary>
    public ParquetType Type { get; }

    /// <summary>Whether values may be null.</summary>
    public bool IsNullable { get; }

    internal virtual int MaxRepetition => 0;

    internal virtual int MaxDefinition => IsNullable ? 1 : 0;

    internal virtual int SchemaElements => 1;

    internal virtual IReadOnlyList<string> Path => [Name];

    /// <summary>How many rows are added to a page before its size is looked at again.</summary>
    internal virtual int RowsPerStep => 4096;

    internal (string Name, ParquetType Type, bool IsNullable, int MaxRepetition) Signature => (Name, Type, IsNullable, MaxRepetition);

    /// <summary>A column of long, int, float, double or bool.</summary>
    public static ParquetData Create<T>(string name, ReadOnlyMemory<T> values)
        where T : unmanaged => new Values<T>(name, values, null);

    /// <inheritdoc cref="Create{T}(string, ReadOnlyMemory{T})"/>
    public static ParquetData Create<T>(string name, T[] values)
        where T : unmanaged => new Values<T>(name, values, null);

    /// <summary>A column of long, int, float, double or bool that may be null.</summary>
    public static ParquetData Create<T>(string name, T?[] values)
        where T : unmanaged => new Values<T>(
            name, Array.ConvertAll(values, value => value.GetValueOrDefault()), Array.ConvertAll(values, value => !value.HasValue));

    /// <summary>A column of text.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">A text a row.</param>
    /// <param name="nullable">Whether a row may be null.</param>
    public static ParquetData Create(string name, IReadOnlyList<string?> values, bool nullable = false) =>
        new Texts(name, values, 0, values.Count, nullable);

    /// <summary>A column of lists of float, all of one length.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">The floats of all rows.</param>
    /// <param name="width">Floats of a row.</param>
    public static ParquetData FloatLists(string name, ReadOnlyMemory<float> values, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        return values.Length % width == 0
            ? new FixedLists(name, values, width)
            : throw new ArgumentException($"{values.Length} floats for rows of {width}", nameof(values));
    }

    /// <summary>A column of lists of float.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">The floats of all rows.</param>
    /// <param name="offsets">Rows + 1 offsets: row i has the floats from <c>offsets[i]</c> up to <c>offsets[i + 1]</c>.</param>
    public static ParquetData FloatLists(string name, ReadOnlyMemory<float> values, ReadOnlyMemory<int> offsets) =>
        new VariableLists(name, values, offsets);

    internal abstract ParquetData Slice(int start, int count);

    internal abstract void Append(PageBuilder page, int start, int count);

    internal virtual void WriteSchema(ThriftWriter footer)
    {
        footer.StructElement();
        footer.I32(1, (int)Type);
        footer.I32(3, (int)(IsNullable ? Repetition.Optional : Repetition.Required));
        footer.Text(4, Name);
        if (Type == ParquetType.ByteArray)
        {
            // The old annotation and the new: UTF8, and the logical type STRING.
            footer.I32(6, 0);
            footer.Struct(10);
            footer.Struct(1);
            footer.End();
            footer.End();
        }

        footer.End();
    }

    private static ParquetType TypeOf<T>() => System.Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.Boolean => ParquetType.Boolean,
        TypeCode.Int32 => ParquetType.Int32,
        TypeCode.Int64 => ParquetType.Int64,
        TypeCode.Single => ParquetType.Float,
        TypeCode.Double => ParquetType.Double,
        _ => throw new NotSupportedException($"a column of {typeof(T).Name}"),
    };

    private sealed class Values<T>(string name, ReadOnlyMemory<T> values, ReadOnlyMemory<bool>? nulls)
        : ParquetData(name, values.Length, TypeOf<T>(), nulls is not null)
        where T : unmanaged
    {
        internal override ParquetData Slice(int start, int count) =>
            new Values<T>(Name, values.Slice(start, count), nulls?.Slice(start, count));

        // A page of booleans packs eight a byte, so that all its rows are added in one step.
        internal override int RowsPerStep => Type == ParquetType.Boolean ? int.MaxValue : base.RowsPerStep;

        internal override void Append(PageBuilder page, int start, int count)
        {
            var part = values.Span.Slice(start, count);
            if (nulls is null)
            {
                page.AddLevels(0, 0, count);
                AppendValues(page, part);
                return;
            }

            var present = new List<T>(count);
            var missing = nulls.Value.Span.Slice(start, count);
            for (var i = 0; i < count; i++)
            {
                page.AddLevels(0, missing[i] ? (byte)0 : (byte)1);
                if (!missing[i])
                {
                    present.Add(part[i]);
                }
            }

            AppendValues(page, CollectionsMarshal.AsSpan(present));
        }

        private void AppendValues(PageBuilder page, ReadOnlySpan<T> part)
        {
            var bytes = MemoryMarshal.AsBytes(part);
            if (Type != ParquetType.Boolean)
            {
                bytes.CopyTo(page.AddValues(bytes.Length));
                return;
            }

            var packed = page.AddValues((part.Length + 7) / 8);
            packed.Clear();
            for (var i = 0; i < bytes.Length; i++)
            {
                packed[i >> 3] |= (byte)(bytes[i] << (i & 7));
            }
        }
    }

    private sealed class Texts(string name, IReadOnlyList<string?> values, int start, int rows, bool nullable)
        : ParquetData(name, rows, ParquetType.ByteArray, nullable)
    {
        internal override int RowsPerStep => 64;

        internal override ParquetData Slice(int first, int count) => new Texts(Name, values, start + first, count, IsNullable);

        internal override void Append(PageBuilder page, int first, int count)
        {
            for (var i = start + first; i < start + first + count; i++)
            {
                var text = values[i];
                if (text is null && !IsNullable)
                {
                    throw new ArgumentException($"column '{Name}', row {i} is null, but the column is not nullable");
                }

                page.AddLevels(0, text is null ? (byte)0 : (byte)1);
                if (text is not null)
                {
                    var size = System.Text.Encoding.UTF8.GetByteCount(text);
                    var room = page.AddValues(sizeof(int) + size);
                    MemoryMarshal.Write(room, size);
                    System.Text.Encoding.UTF8.GetBytes(text, room[sizeof(int)..]);
                }
            }
        }
    }

    private abstract class Lists(string name, int rows) : ParquetData(name, rows, ParquetType.Float, nullable: false)
    {
        internal override int MaxRepetition => 1;

        internal override int MaxDefinition => 1;

        internal override int SchemaElements => 3;

        internal override IReadOnlyList<string> Path => [Name, "list", "element"];

        internal override int RowsPerStep => 1;

        internal override void WriteSchema(ThriftWriter footer)
        {
            footer.StructElement();
            footer.I32(3, (int)Repetition.Required);
            footer.Text(4, Name);
            footer.I32(5, 1);
            // The old annotation and the new: LIST, and the logical type LIST.
            footer.I32(6, 3);
            footer.Struct(10);
            footer.Struct(3);
            footer.End();
            footer.End();
            footer.End();

            footer.StructElement();
            footer.I32(3, (int)Repetition.Repeated);
            footer.Text(4, "list");
            footer.I32(5, 1);
            footer.End();

            footer.StructElement();
            footer.I32(1, (int)ParquetType.Float);
            footer.I32(3, (int)Repetition.Required);
            footer.Text(4, "element");
            footer.End();
        }

        protected static void AppendList(PageBuilder page, ReadOnlySpan<float> list)
        {
            if (list.IsEmpty)
            {
                page.AddLevels(0, 0);
                return;
            }

            page.AddLevels(0, 1);
            page.AddLevels(1, 1, list.Length - 1);
            var bytes = MemoryMarshal.AsBytes(list);
            bytes.CopyTo(page.AddValues(bytes.Length));
        }
    }

    private sealed class FixedLists(string name, ReadOnlyMemory<float> values, int width) : Lists(name, values.Length / width)
    {
        internal override ParquetData Slice(int start, int count) =>
            new FixedLists(Name, values.Slice(start * width, count * width), width);

        internal override void Append(PageBuilder page, int start, int count)
        {
            for (var i = start; i < start + count; i++)
            {
                AppendList(page, values.Span.Slice(i * width, width));
            }
        }
    }

    private sealed class VariableLists(string name, ReadOnlyMemory<float> values, ReadOnlyMemory<int> offsets)
        : Lists(name, offsets.Length - 1)
    {
        internal override ParquetData Slice(int start, int count) => new VariableLists(Name, values, offsets.Slice(start, count + 1));

        internal override void Append(PageBuilder page, int start, int count)
        {
            for (var i = start; i < start + count; i++)
            {
                AppendList(page, values.Span[offsets.Span[i]..offsets.Span[i + 1]]);
            }
        }
    }
}
