using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>Reads columns of class labels: integers or text, one per row.</summary>
internal static class LabelColumn
{
    /// <summary>Bytes of the longest text that is taken for a label.</summary>
    public const int LongestText = 1 << 20;

    private const int BlockSize = 256;

    /// <summary>Reads the integers of a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">A column of integers.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="firstRow">The number of its first row within the file, for messages.</param>
    /// <param name="take">Called with the labels, a block of rows at a time.</param>
    /// <exception cref="DataException">The column is damaged, or a label is null.</exception>
    public static void ReadIntegers(ParquetFile file, ParquetColumn column, int rowGroup, long firstRow, LabelBlock<long> take)
    {
        var unsigned = column.LogicalKind == LogicalKind.UnsignedInteger;
        Read(file, column, rowGroup, firstRow, take, () => (column.Type, unsigned) switch
        {
            (PhysicalType.INT32, true) => new ConvertingReader<uint, long>(value => value),
            (PhysicalType.INT32, false) => new ConvertingReader<int, long>(value => value),
            (PhysicalType.INT64, true) => new ConvertingReader<ulong, long>(value => value <= long.MaxValue
                ? (long)value
                : throw new CorruptException($"{value} does not fit a signed 64-bit integer")),
            _ => new NumberReader<long>(),
        });
    }

    /// <summary>Reads the texts of a row group.</summary>
    /// <inheritdoc cref="ReadIntegers"/>
    public static void ReadTexts(ParquetFile file, ParquetColumn column, int rowGroup, long firstRow, LabelBlock<string> take) =>
        Read(file, column, rowGroup, firstRow, take, () => new BytesReader<string>(0, ToText));

    private static void Read<T>(
        ParquetFile file, ParquetColumn column, int rowGroup, long firstRow, LabelBlock<T> take, Func<ValueReader<T>> create)
    {
        using var pages = new PageReader();
        var values = create();
        var block = new T[BlockSize];
        Span<byte> repetition = stackalloc byte[BlockSize];
        Span<byte> definition = stackalloc byte[BlockSize];
        try
        {
            file.OpenPages(pages, column, rowGroup);
            long row = 0;
            while (pages.Next(values))
            {
                for (int seen = 0, count; (count = pages.NextLevels(repetition, definition)) > 0; seen += count)
                {
                    var missing = definition[..count].IndexOfAnyExcept((byte)column.MaxDefinition);
                    if (missing >= 0)
                    {
                        throw new DataException($"{file.Path}: column '{column.Name}', row {firstRow + row + seen + missing}: "
                            + "the label is null, expected a label");
                    }
                }

                values.Start(pages.Encoding, pages.Values, pages.Count);
                for (var left = pages.Count; left > 0;)
                {
                    var part = block.AsSpan(0, Math.Min(BlockSize, left));
                    values.Read(pages.Values, part);
                    take(part);
                    row += part.Length;
                    left -= part.Length;
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
        : throw new CorruptException($"a text of {bytes.Length} bytes is too long for a label");
}

/// <summary>Takes a block of labels.</summary>
/// <param name="labels">The labels.</param>
internal delegate void LabelBlock<T>(ReadOnlySpan<T> labels);
