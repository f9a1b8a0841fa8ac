using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// A Parquet file, open for reading. Columns may be flat, optional, or lists; BYTE_ARRAY, numbers of all widths and 16-bit floats;
/// every encoding; Snappy, gzip, brotli, LZ4 and Zstandard. Not thread-safe; open it twice to read it on two threads.
/// </summary>
/// <example><code>
/// using var file = ParquetFile.Open("features.parquet");
/// for (var g = 0; g &lt; file.RowGroups.Count; g++)
/// {
///     int[] labels = file.ReadColumn&lt;int&gt;("label", g).Values;
/// }
/// </code></example>
public sealed class ParquetFile : IDisposable
{
    private const int TailSize = 8;

    private readonly FileMetadata _metadata;
    private readonly PageReader _pages = new();

    private readonly long _length;

    private ParquetFile(
        string path, SafeFileHandle handle, long length, FileMetadata metadata, IReadOnlyList<ParquetColumn> columns)
    {
        Path = path;
        Handle = handle;
        _length = length;
        _metadata = metadata;
        Columns = columns;
        Rows = metadata.RowGroups.Sum(group => group.Rows);
        RowGroups = [.. metadata.RowGroups.Select(group => group.Rows)];
    }

    /// <summary>The file, as it was named.</summary>
    public string Path { get; }

    /// <summary>Rows of all row groups. Some writers leave the footer's own count at 0, so it is not asked.</summary>
    public long Rows { get; }

    /// <summary>The number of rows of each row group.</summary>
    public IReadOnlyList<long> RowGroups { get; }

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetColumn> Columns { get; }

    /// <summary>The texts kept beside the data.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata.KeyValues;

    /// <summary>The program that wrote the file, if it says so.</summary>
    public string? CreatedBy => _metadata.CreatedBy;

    /// <summary>The open file, for cursors.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>Opens a file and reads its footer.</summary>
    /// <exception cref="DataException">There is no such file, or it is no Parquet file, damaged, encrypted or cannot be read.</exception>
    public static ParquetFile Open(string path)
    {
        var handle = OpenHandle(path);
        try
        {
            var length = RandomAccess.GetLength(handle);
            var footer = ReadFooter(handle, length, out var dataEnd);
            var metadata = FileMetadata.Read(footer);
            var columns = ParquetColumn.FromSchema(metadata.Schema);
            Check(metadata, columns, dataEnd);
            return new ParquetFile(path, handle, length, metadata, columns);
        }
        catch (Exception exception) when (exception is CorruptException or IOException or UnauthorizedAccessException)
        {
            handle.Dispose();
            throw new DataException($"{path}: cannot be read as Parquet: {exception.Message}", exception);
        }
    }

    /// <summary>Opens the same file once more without reading its footer again; also after <see cref="Dispose"/>.</summary>
    internal ParquetFile Reopen()
    {
        var handle = OpenHandle(Path);
        if (RandomAccess.GetLength(handle) != _length)
        {
            handle.Dispose();
            throw new DataException($"{Path}: the file has changed since it was opened");
        }

        return new ParquetFile(Path, handle, _length, _metadata, Columns);
    }

    /// <summary>Finds a column by its name (or full path).</summary>
    /// <returns>Null if there is none.</returns>
    public ParquetColumn? FindColumn(string name) =>
        Columns.FirstOrDefault(column => column.Name == name) ?? Columns.FirstOrDefault(column => column.Path == name);

    /// <summary>Reads a column of one row group.</summary>
    /// <typeparam name="T">
    /// bool, int, long, float, double, string or byte[]. Numbers may be wider than those stored; a float may also be read from
    /// doubles, which are rounded.
    /// </typeparam>
    /// <param name="name">Its name.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    /// <exception cref="DataException">There is no such column, it holds something else, or it is damaged.</exception>
    public ParquetValues<T> ReadColumn<T>(string name, int rowGroup)
    {
        var column = FindColumn(name) ?? throw new DataException(
            $"{Path}: there is no column '{name}'; there are: {string.Join(", ", Columns.Select(c => $"{c.Name} ({c})"))}");
        return ReadColumn<T>(column, rowGroup);
    }

    /// <inheritdoc cref="ReadColumn{T}(string, int)"/>
    /// <param name="column">The column.</param>
    /// <param name="rowGroup">Index of the row group.</param>
    public ParquetValues<T> ReadColumn<T>(ParquetColumn column, int rowGroup)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rowGroup);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rowGroup, RowGroups.Count);
        try
        {
            var decoder = Decoders.Create<T>(column);
            OpenPages(_pages, column, rowGroup);
            return ParquetValues<T>.Read(_pages, decoder, column, RowGroups[rowGroup]);
        }
        catch (Exception exception) when (exception is CorruptException or IOException or OutOfMemoryException)
        {
            throw Failure(column, rowGroup, exception);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => Handle.Dispose();

    internal void OpenPages(PageReader pages, ParquetColumn column, int rowGroup)
    {
        // Old writers do not count the header of the dictionary page in a chunk's size; reading stops at the last value anyway.
        const int HeaderAllowance = 128;
        var chunk = _metadata.RowGroups[rowGroup].Chunks[column.Index];
        pages.Open(Handle, column, chunk, Math.Min(chunk.Size + HeaderAllowance, _length - TailSize - chunk.Start));
    }

    /// <summary>How many values a column has in a row group, nulls and empty lists included.</summary>
    internal long ValueCount(ParquetColumn column, int rowGroup) => _metadata.RowGroups[rowGroup].Chunks[column.Index].Values;

    internal DataException Failure(ParquetColumn column, int rowGroup, Exception cause) =>
        new($"{Path}: column '{column.Name}', row group {rowGroup}: {cause.Message}", cause);

    private static SafeFileHandle OpenHandle(string path)
    {
        try
        {
            return File.OpenHandle(path, options: FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataException($"{path}: no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new DataException($"{path}: cannot be opened: {exception.Message}", exception);
        }
    }

    private static byte[] ReadFooter(SafeFileHandle handle, long length, out long dataEnd)
    {
        const int MagicSize = 4;
        if (length < MagicSize + TailSize)
        {
            throw new CorruptException($"it has only {length} bytes");
        }

        Span<byte> tail = stackalloc byte[TailSize];
        ReadAll(handle, tail, length - TailSize);
        if (tail[MagicSize..].SequenceEqual("PARE"u8))
        {
            throw new CorruptException("it is encrypted, which is not supported");
        }

        if (!tail[MagicSize..].SequenceEqual("PAR1"u8))
        {
            throw new CorruptException("it does not end in PAR1: cut off, or no Parquet file");
        }

        var size = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        dataEnd = length - TailSize - size;
        if (dataEnd < MagicSize)
        {
            throw new CorruptException($"its footer of {size} bytes does not fit the file's {length}");
        }

        var footer = new byte[size];
        ReadAll(handle, footer, dataEnd);
        return footer;
    }

    private static void ReadAll(SafeFileHandle handle, Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            var read = RandomAccess.Read(handle, target, offset);
            if (read == 0)
            {
                throw new EndOfDataException("the file");
            }

            target = target[read..];
            offset += read;
        }
    }

    private static void Check(FileMetadata metadata, List<ParquetColumn> columns, long dataEnd)
    {
        UInt128 rows = 0;
        for (var g = 0; g < metadata.RowGroups.Count; g++)
        {
            var group = metadata.RowGroups[g];
            rows += (UInt128)group.Rows;
            if (group.Chunks.Count != columns.Count)
            {
                throw new CorruptException($"row group {g} has {group.Chunks.Count} columns, the schema {columns.Count}");
            }

            for (var c = 0; c < columns.Count; c++)
            {
                var chunk = group.Chunks[c];
                var column = columns[c];
                if (chunk.Problem is not null)
                {
                    continue;
                }

                if (chunk.Type != column.Type)
                {
                    throw new CorruptException($"column '{column.Name}' is {chunk.Type} in row group {g}, {column.Type} in the schema");
                }

                if (column.MaxRepetition == 0 ? chunk.Values != group.Rows : chunk.Values < group.Rows)
                {
                    throw new CorruptException(
                        $"column '{column.Name}' has {chunk.Values} values in row group {g}, which has {group.Rows} rows");
                }

                if (chunk.Start > dataEnd || chunk.Size > dataEnd - chunk.Start)
                {
                    throw new CorruptException($"column '{column.Name}' of row group {g} lies outside of the file");
                }
            }
        }

        if (rows > long.MaxValue)
        {
            throw new CorruptException("the row groups have too many rows");
        }
    }
}
