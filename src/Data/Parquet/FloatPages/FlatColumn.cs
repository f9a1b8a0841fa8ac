using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>Takes the value of the next row.</summary>
/// <param name="value">The value; the type's default if it is null.</param>
/// <param name="isNull">Whether it is null.</param>
internal delegate void RowReader<in T>(T value, bool isNull);

/// <summary>Takes the next element of a list.</summary>
/// <param name="value">The value; the type's default if there is none.</param>
/// <param name="isNull">Whether there is none: it is null, or the list is null or empty.</param>
/// <param name="startsRow">Whether it is the first of its row.</param>
internal delegate void ElementReader<in T>(T value, bool isNull, bool startsRow);

/// <summary>Reads columns of one value per row, or of lists that are small: class labels, and the columns of our own tables.</summary>
internal static class FlatColumn
{
    /// <summary>Bytes of the longest text that is read.</summary>
    public const int LongestText = 1 << 20;

    private const int BlockSize = 256;

    /// <summary>Reads the integers of a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">A column of integers.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="take">Called for every row.</param>
    /// <exception cref="DataException">The column holds something else or is damaged.</exception>
    public static void ReadIntegers(ParquetFile file, ParquetColumn column, int rowGroup, RowReader<long> take)
    {
        var unsigned = column.Logical.Kind == LogicalKind.UnsignedInteger;
        Read(file, column, rowGroup, (column.Type, unsigned) switch
        {
            (PhysicalType.INT32, true) => new ConvertingReader<uint, long>(value => value),
            (PhysicalType.INT32, false) => new ConvertingReader<int, long>(value => value),
            (PhysicalType.INT64, true) => new ConvertingReader<ulong, long>(value => value <= long.MaxValue
                ? (long)value
                : throw new CorruptException($"{value} does not fit a signed 64-bit integer")),
            (PhysicalType.INT64, false) => new NumberReader<long>(),
            _ => null,
        }, take);
    }

    /// <summary>Reads the float64 values of a row group.</summary>
    /// <inheritdoc cref="ReadIntegers"/>
    public static void ReadDoubles(ParquetFile file, ParquetColumn column, int rowGroup, RowReader<double> take) =>
        Read(file, column, rowGroup, column.Type == PhysicalType.DOUBLE ? new NumberReader<double>() : null, take);

    /// <summary>Reads the texts of a row group.</summary>
    /// <inheritdoc cref="ReadIntegers"/>
    public static void ReadTexts(ParquetFile file, ParquetColumn column, int rowGroup, RowReader<string> take) =>
        Read(file, column, rowGroup, column.IsString ? Texts() : null, take);

    /// <summary>Decodes texts.</summary>
    public static ValueReader<string> Texts() => new BytesReader<string>(0, ToText);

    /// <summary>Reads the values of a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">A column of one value per row.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="values">Decodes the values; null if the column has another type.</param>
    /// <param name="take">Called for every row.</param>
    /// <exception cref="DataException">The column holds something else or is damaged.</exception>
    public static void Read<T>(ParquetFile file, ParquetColumn column, int rowGroup, ValueReader<T>? values, RowReader<T> take) =>
        ReadElements(file, column, rowGroup, column.MaxRepetition > 0 ? null : values, (value, isNull, _) => take(value, isNull));

    /// <summary>Reads the elements of the lists of a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">A column of lists.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="values">Decodes the values; null if the column has another type.</param>
    /// <param name="take">Called for every element, and for every list without one.</param>
    /// <exception cref="DataException">The column holds something else or is damaged.</exception>
    public static void ReadElements<T>(
        ParquetFile file, ParquetColumn column, int rowGroup, ValueReader<T>? values, ElementReader<T> take)
    {
        using var pages = new PageReader();
        var block = new T[BlockSize];
        Span<byte> repetition = stackalloc byte[BlockSize];
        Span<byte> definition = stackalloc byte[BlockSize];
        try
        {
            if (values is null)
            {
                throw new CorruptException($"it holds {column}, not one {typeof(T).Name.ToLowerInvariant()} per row");
            }

            file.OpenPages(pages, column, rowGroup);
            while (pages.Next(values))
            {
                values.Start(pages.Encoding, pages.Values, pages.CountPresent());
                for (int count; (count = pages.NextLevels(repetition, definition)) > 0;)
                {
                    var present = definition[..count].Count((byte)column.MaxDefinition);
                    values.Read(pages.Values, block.AsSpan(0, present));
                    var next = 0;
                    for (var i = 0; i < count; i++)
                    {
                        var isNull = definition[i] != column.MaxDefinition;
                        take(isNull ? default! : block[next++], isNull, repetition[i] == 0);
                    }
                }
            }
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw file.Failure(column, rowGroup, exception);
        }
    }

    private static string ToText(ReadOnlySpan<byte> bytes) => bytes.Length <= LongestText
        ? System.Text.Encoding.UTF8.GetString(bytes)
        : throw new CorruptException($"a text of {bytes.Length} bytes, expected at most {LongestText}");
}
