using PhysicalType = Parquet.Meta.Type;

namespace MonoLoss.Data.Parquet;

/// <summary>Reads columns of lists of any length, a row group at a time.</summary>
internal static class ListColumn
{
    private const int BlockSize = 1024;

    /// <summary>Reads the integers of a row group.</summary>
    /// <param name="file">The file.</param>
    /// <param name="column">A column of lists of integers.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <param name="firstRow">Its first row's number in the file, for messages.</param>
    /// <returns>Rows + 1 offsets, and the integers of all rows. A null list is an empty one.</returns>
    /// <exception cref="DataException">The column holds something else, an element is null, or it is damaged.</exception>
    public static (int[] Offsets, long[] Values) ReadIntegers(ParquetFile file, ParquetColumn column, int rowGroup, long firstRow) =>
        Read<long>(file, column, rowGroup, firstRow, column is { IsInteger: true } ? column.Type switch
        {
            PhysicalType.INT32 => new ConvertingReader<int, long>(value => value),
            _ => new NumberReader<long>(),
        } : null);

    /// <summary>Reads the floats of a row group.</summary>
    /// <inheritdoc cref="ReadIntegers"/>
    public static (int[] Offsets, float[] Values) ReadFloats(ParquetFile file, ParquetColumn column, int rowGroup, long firstRow) =>
        Read<float>(file, column, rowGroup, firstRow, column.Type switch
        {
            PhysicalType.FLOAT => new NumberReader<float>(),
            PhysicalType.DOUBLE => new ConvertingReader<double, float>(value => (float)value),
            _ => null,
        });

    private static (int[] Offsets, T[] Values) Read<T>(
        ParquetFile file, ParquetColumn column, int rowGroup, long firstRow, ValueReader<T>? reader)
    {
        using var pages = new PageReader();
        var offsets = new List<int> { 0 };
        var values = new List<T>();
        var started = false;
        var block = new T[BlockSize];
        Span<byte> repetition = stackalloc byte[BlockSize];
        Span<byte> definition = stackalloc byte[BlockSize];
        try
        {
            if (reader is null || !column.IsList)
            {
                throw new CorruptException($"it holds {column}, not lists of {typeof(T).Name.ToLowerInvariant()}");
            }

            file.OpenPages(pages, column, rowGroup);
            while (pages.Next(reader))
            {
                reader.Start(pages.Encoding, pages.Values, pages.CountPresent());
                for (int count; (count = pages.NextLevels(repetition, definition)) > 0;)
                {
                    var present = definition[..count].Count((byte)column.MaxDefinition);
                    reader.Read(pages.Values, block.AsSpan(0, present));
                    var next = 0;
                    for (var i = 0; i < count; i++)
                    {
                        if (repetition[i] == 0 && started)
                        {
                            offsets.Add(values.Count);
                        }

                        started = true;

                        if (definition[i] == column.MaxDefinition)
                        {
                            values.Add(block[next++]);
                        }
                        else if (definition[i] >= column.RepeatedDefinition)
                        {
                            throw new DataException(
                                $"{file.Path}: column '{column.Name}', row {firstRow + offsets.Count - 1}: an element is null");
                        }
                    }
                }
            }
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw file.Failure(column, rowGroup, exception);
        }

        if (started)
        {
            offsets.Add(values.Count);
        }

        return offsets.Count == file.RowGroups[rowGroup] + 1
            ? ([.. offsets], [.. values])
            : throw file.Failure(column, rowGroup, new CorruptException($"{offsets.Count - 1} lists for {file.RowGroups[rowGroup]} rows"));
    }
}
