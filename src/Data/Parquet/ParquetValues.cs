namespace MonoLoss.Data.Parquet;

/// <summary>A column of one row group.</summary>
/// <typeparam name="T">The type of a value.</typeparam>
public sealed class ParquetValues<T>
{
    private ParquetValues(T[] values, bool[]? nulls, int[]? offsets, bool[]? nullRows)
    {
        Values = values;
        Nulls = nulls;
        Offsets = offsets;
        NullRows = nullRows;
    }

    /// <summary>The values: one a row, or for lists the elements of all rows. Where one is null, the type's default.</summary>
    public T[] Values { get; }

    /// <summary>Which values are null; null if none is.</summary>
    public bool[]? Nulls { get; }

    /// <summary>For lists, rows + 1 offsets: row i has the values from <c>Offsets[i]</c> up to <c>Offsets[i + 1]</c>.</summary>
    public int[]? Offsets { get; }

    /// <summary>For lists, which rows are null and not just empty; null if none is.</summary>
    public bool[]? NullRows { get; }

    /// <summary>Whether value i is null.</summary>
    public bool IsNull(int i) => Nulls is not null && Nulls[i];

    /// <summary>The elements of a row of lists.</summary>
    public ReadOnlySpan<T> Row(int i) => Values.AsSpan(Offsets![i]..Offsets[i + 1]);

    internal static ParquetValues<T> Read(PageReader pages, ValueDecoder<T> decoder, ParquetColumn column, long rows)
    {
        T[]? values = [];
        bool[]? nulls = null;
        bool[]? nullRows = null;
        var offsets = column.IsList ? new List<int>() : null;
        var count = 0;
        while (pages.Next(decoder))
        {
            if (offsets is not null && offsets.Count == 0 && pages.Repetition is [not 0, ..])
            {
                throw new CorruptException("the first row does not start a list");
            }

            var slots = offsets is null
                ? pages.Count
                : pages.Count - CountBelow(pages.Definition, column.RepeatedDefinition);
            if (slots > Array.MaxLength - count)
            {
                throw new CorruptException("a row group has too many values to be read at once");
            }

            Grow(ref values, count + slots, count);
            decoder.Decode(pages.Encoding, pages.Values, values.AsSpan(count, pages.Present));
            if (offsets is not null)
            {
                AddRows(pages, column, offsets, ref nullRows, count);
            }

            if (pages.Present < slots)
            {
                Grow(ref nulls, values.Length, nulls?.Length ?? 0);
                Spread(pages.Definition, column, values.AsSpan(count, slots), nulls.AsSpan(count, slots), pages.Present);
            }

            count += slots;
        }

        var read = offsets?.Count ?? count;
        if (read != rows)
        {
            throw new CorruptException($"{read} rows where {rows} were expected");
        }

        offsets?.Add(count);
        Array.Resize(ref values, count);
        Resize(ref nulls, count);
        Resize(ref nullRows, read);
        return new ParquetValues<T>(values, nulls, offsets?.ToArray(), nullRows);
    }

    private static int CountBelow(ReadOnlySpan<byte> levels, int level)
    {
        var below = 0;
        foreach (var value in levels)
        {
            below += value < level ? 1 : 0;
        }

        return below;
    }

    private static void AddRows(PageReader pages, ParquetColumn column, List<int> offsets, ref bool[]? nullRows, int first)
    {
        var repetition = pages.Repetition;
        var definition = pages.Definition;
        var slot = first;
        for (var i = 0; i < repetition.Length; i++)
        {
            if (repetition[i] == 0)
            {
                if (definition[i] < column.RepeatedDefinition - 1)
                {
                    Grow(ref nullRows, Math.Max(offsets.Count + 1, 2 * (nullRows?.Length ?? 0)), nullRows?.Length ?? 0);
                    nullRows[offsets.Count] = true;
                }

                offsets.Add(slot);
            }
            else if (definition[i] < column.RepeatedDefinition)
            {
                throw new CorruptException("an empty list goes on");
            }

            slot += definition[i] >= column.RepeatedDefinition ? 1 : 0;
        }
    }

    // The values that are there stand side by side at the start: from the end, each moves to its place.
    private static void Spread(ReadOnlySpan<byte> definition, ParquetColumn column, Span<T> values, Span<bool> nulls, int present)
    {
        var slot = values.Length;
        for (var i = definition.Length - 1; i >= 0; i--)
        {
            if (column.IsList && definition[i] < column.RepeatedDefinition)
            {
                continue;
            }

            slot--;
            if (definition[i] == column.MaxDefinition)
            {
                values[slot] = values[--present];
            }
            else
            {
                values[slot] = default!;
                nulls[slot] = true;
            }
        }
    }

    private static void Grow<TItem>([System.Diagnostics.CodeAnalysis.NotNull] ref TItem[]? array, int size, int keep)
    {
        if (array is not null && array.Length >= size)
        {
            return;
        }

        var larger = new TItem[(int)Math.Min(Math.Max(size, 2L * keep), Array.MaxLength)];
        array?.AsSpan(0, Math.Min(keep, array.Length)).CopyTo(larger);
        array = larger;
    }

    private static void Resize(ref bool[]? flags, int size)
    {
        if (flags is not null)
        {
            Array.Resize(ref flags, size);
        }
    }
}

internal static class Decoders
{
    // The runtime's limit for text, in which a byte may become a character.
    private const int LongestText = 0x3fffffdf;

    /// <summary>Makes the decoder that reads a column as <typeparamref name="T"/>.</summary>
    /// <exception cref="CorruptException">That cannot be.</exception>
    public static ValueDecoder<T> Create<T>(ParquetColumn column)
    {
        if (column.IsNested)
        {
            throw new CorruptException("lists of lists are not supported");
        }

        var unsigned = column.LogicalType == ParquetLogicalType.UnsignedInteger;
        object? decoder = (column.Type, Type.GetTypeCode(typeof(T))) switch
        {
            (ParquetType.Boolean, TypeCode.Boolean) => new BooleanDecoder(),
            (ParquetType.Int32, TypeCode.Int32) when unsigned => new ConvertingDecoder<uint, int, Narrow>(),
            (ParquetType.Int32, TypeCode.Int32) => new FixedDecoder<int>(),
            (ParquetType.Int32, TypeCode.Int64) when unsigned => new ConvertingDecoder<uint, long, Widen>(),
            (ParquetType.Int32, TypeCode.Int64) => new ConvertingDecoder<int, long, Widen>(),
            (ParquetType.Int64, TypeCode.Int64) when unsigned => new ConvertingDecoder<ulong, long, Narrow>(),
            (ParquetType.Int64, TypeCode.Int64) => new FixedDecoder<long>(),
            (ParquetType.Float, TypeCode.Single) => new FixedDecoder<float>(),
            (ParquetType.Float, TypeCode.Double) => new ConvertingDecoder<float, double, Widen>(),
            (ParquetType.Double, TypeCode.Double) => new FixedDecoder<double>(),
            (ParquetType.Double, TypeCode.Single) => new ConvertingDecoder<double, float, Narrow>(),
            (ParquetType.FixedLenByteArray, TypeCode.Single) when column.IsFloat => new ConvertingDecoder<Half, float, Widen>(),
            (ParquetType.FixedLenByteArray, TypeCode.Double) when column.IsFloat => new ConvertingDecoder<Half, double, Widen>(),
            (ParquetType.ByteArray, TypeCode.String) => new BytesDecoder<string>(0, ToText),
            (ParquetType.ByteArray, _) when typeof(T) == typeof(byte[]) => new BytesDecoder<byte[]>(0, bytes => bytes.ToArray()),
            (ParquetType.FixedLenByteArray, _) when typeof(T) == typeof(byte[]) =>
                new BytesDecoder<byte[]>(column.TypeLength, bytes => bytes.ToArray()),
            (ParquetType.Int96, _) when typeof(T) == typeof(byte[]) => new BytesDecoder<byte[]>(12, bytes => bytes.ToArray()),
            _ => null,
        };
        return decoder as ValueDecoder<T>
            ?? throw new CorruptException($"it holds {column}, which cannot be read as {typeof(T).Name.ToLowerInvariant()}");
    }

    private static string ToText(ReadOnlySpan<byte> bytes) => bytes.Length <= LongestText
        ? System.Text.Encoding.UTF8.GetString(bytes)
        : throw new CorruptException($"a text of {bytes.Length} bytes is too long");
}
