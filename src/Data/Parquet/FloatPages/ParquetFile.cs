using System.Buffers.Binary;
using System.IO.Hashing;

namespace MonoLoss.Data.Parquet;

/// <summary>A Parquet file, open for reading. Not thread-safe; <see cref="Reopen"/> it for a second thread.</summary>
/// <remarks>
/// Parquet.Net writes all our files. The code of this folder reads, because Parquet.Net 6.1.0 cannot, or not safely:
/// <list type="bullet">
/// <item>Float lists are streamed a page at a time. Parquet.Net decodes the whole column chunk of a row group at once, with two int
/// levels for each value: 12 bytes per float32. It has no float16, throws on lists in V2 pages, knows no LZ4 in Hadoop's frames and no
/// BIT_PACKED levels, and does not check the CRC of pages.</item>
/// <item>So footers, page headers and levels are read here anyway, and columns of one value per row (labels, and our own tables) come with
/// little more. Parquet.Net reads those, too, but a damaged file must end in one line, soon and with little memory. There Parquet.Net
/// allocates what a length field says, up to 2 GiB, and never returns when the end of the footer cuts an integer: it reads the footer from
/// a stream that its caller cannot replace, and takes a byte beyond the end for 255.</item>
/// </list>
/// Enumerations are those of Parquet.Net; codecs and checksums are libraries.
/// </remarks>
internal sealed class ParquetFile : IDisposable
{
    // Footers without statistics are alike where sizes are: some of the data tell such files apart, and lie where was read anyway.
    private const int HashedBytes = 4096;

    private const int TailSize = 8;

    private FileMetadata _metadata;
    private readonly FileBytes _bytes;

    private ParquetFile(FileBytes bytes, FileMetadata metadata, IReadOnlyList<ParquetColumn> columns, ulong hash)
    {
        _bytes = bytes;
        Hash = hash;
        _metadata = metadata;
        Columns = columns;
        Rows = metadata.RowGroups.Sum(group => group.Rows);
        RowGroups = [.. metadata.RowGroups.Select(group => group.Rows)];
    }

    /// <summary>The path, as given.</summary>
    public string Path => _bytes.Path;

    /// <summary>Rows of all row groups. Some writers leave the footer's own count at 0, so it is not used.</summary>
    public long Rows { get; }

    /// <summary>XxHash64 of the last 4096 bytes before the footer, or of all there are, and of the footer.</summary>
    public ulong Hash { get; }

    /// <summary>The number of rows of each row group.</summary>
    public IReadOnlyList<long> RowGroups { get; }

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetColumn> Columns { get; private set; }

    /// <summary>The texts kept beside the data.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata.KeyValues;

    /// <summary>The program that wrote the file, if it says so.</summary>
    public string? CreatedBy => _metadata.CreatedBy;

    /// <summary>Opens a file and reads its footer.</summary>
    /// <exception cref="DataException">There is no such file, or it is not a Parquet file, damaged, or encrypted.</exception>
    public static ParquetFile Open(string path) => Open(FileBytes.Open(path));

    /// <summary>Reads the footer of a file.</summary>
    /// <param name="bytes">The file; disposed with the result, and if this fails.</param>
    /// <exception cref="DataException">The file is not a Parquet file, damaged, or encrypted.</exception>
    public static ParquetFile Open(FileBytes bytes)
    {
        try
        {
            var footer = ReadFooter(bytes, out var dataEnd);
            var metadata = FileMetadata.Read(footer);
            var columns = ParquetColumn.FromSchema(metadata.Schema);
            Check(metadata, columns, dataEnd);
            return new ParquetFile(bytes, metadata, columns, HashOf(bytes, footer, dataEnd));
        }
        catch (Exception exception) when (exception is CorruptException or IOException or UnauthorizedAccessException)
        {
            bytes.Dispose();
            throw new DataException($"{bytes.Path}: cannot be read as Parquet: {exception.Message}", exception);
        }
    }

    /// <summary>Opens the same file once more without reading its footer again; also after <see cref="Dispose"/>.</summary>
    /// <exception cref="DataException">The file cannot be opened, or has changed.</exception>
    public ParquetFile Reopen() => new(_bytes.Reopen(), _metadata, Columns, Hash);

    /// <summary>
    /// Takes over what another file's footer says too, so that many files of one kind take little memory: the schema and the texts.
    /// </summary>
    public void ShareWith(ParquetFile other)
    {
        var sameTexts = Metadata.Count == other.Metadata.Count
            && Metadata.All(pair => other.Metadata.TryGetValue(pair.Key, out var value) && value == pair.Value);
        _metadata = _metadata with { Schema = [], KeyValues = sameTexts ? other.Metadata : Metadata };
        Columns = Columns.SequenceEqual(other.Columns) ? other.Columns : Columns;
    }

    /// <summary>Why a column cannot be read, as far as the footer tells; null if it does not.</summary>
    public string? Problem(ParquetColumn column) =>
        _metadata.RowGroups.Select(group => group.Chunks[column.Index].Problem).FirstOrDefault(problem => problem is not null);

    /// <summary>Finds a column by its name or full path.</summary>
    /// <returns>Null if there is none.</returns>
    public ParquetColumn? FindColumn(string name) =>
        Columns.FirstOrDefault(column => column.Name == name) ?? Columns.FirstOrDefault(column => column.Path == name);

    /// <summary>Closes the file.</summary>
    public void Dispose() => _bytes.Dispose();

    /// <summary>Starts to read a column of a row group.</summary>
    /// <exception cref="CorruptException">The column cannot be read.</exception>
    public void OpenPages(PageReader pages, ParquetColumn column, int rowGroup)
    {
        // Old writers do not count the header of the dictionary page in a chunk's size; reading stops at the last value anyway.
        const int HeaderAllowance = 128;
        var chunk = _metadata.RowGroups[rowGroup].Chunks[column.Index];
        pages.Open(_bytes, column, chunk, Math.Min(chunk.Size + HeaderAllowance, _bytes.Length - TailSize - chunk.Start));
    }

    /// <summary>The number of values that a column has in a row group, nulls and empty lists included.</summary>
    public long ValueCount(ParquetColumn column, int rowGroup) => _metadata.RowGroups[rowGroup].Chunks[column.Index].Values;

    /// <summary>The line for the user about a column that cannot be read.</summary>
    public DataException Failure(ParquetColumn column, int rowGroup, Exception cause) =>
        new($"{Path}: column '{column.Name}', row group {rowGroup}: {cause.Message}", cause);

    private static byte[] ReadFooter(FileBytes bytes, out long dataEnd)
    {
        const int MagicSize = 4;
        if (bytes.Length < MagicSize + TailSize)
        {
            throw new CorruptException(bytes.Length > 0
                ? $"it has only {bytes.Length} bytes"
                : "it has 0 bytes: it is empty, or a pipe, a socket or a device");
        }

        Span<byte> tail = stackalloc byte[TailSize];
        bytes.Read(tail, bytes.Length - TailSize);
        if (tail[MagicSize..].SequenceEqual("PARE"u8))
        {
            throw new CorruptException("it is encrypted, which is not supported");
        }

        if (!tail[MagicSize..].SequenceEqual("PAR1"u8))
        {
            var start = new byte[Math.Min(FileKind.Needed, bytes.Length)];
            bytes.Read(start, 0);
            throw new CorruptException(FileKind.OfFile(start, bytes.Length) is { } kind
                ? $"it is {kind}"
                : System.IO.Path.GetExtension(bytes.Path).ToLowerInvariant() is ".bin" or ".raw" or ".dat" ? FileKind.RawNumbers
                : "it does not end in PAR1: it is cut off, or not a Parquet file");
        }

        var size = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        dataEnd = bytes.Length - TailSize - size;
        if (dataEnd < MagicSize || size > Array.MaxLength)
        {
            throw new CorruptException($"its footer of {size} bytes does not fit the file's {bytes.Length}");
        }

        var footer = new byte[size];
        bytes.Read(footer, dataEnd);
        return footer;
    }

    private static ulong HashOf(FileBytes bytes, byte[] footer, long dataEnd)
    {
        Span<byte> data = stackalloc byte[(int)Math.Min(HashedBytes, dataEnd)];
        bytes.Read(data, dataEnd - data.Length);
        var hash = new XxHash64();
        hash.Append(data);
        hash.Append(footer);
        return hash.GetCurrentHashAsUInt64();
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
