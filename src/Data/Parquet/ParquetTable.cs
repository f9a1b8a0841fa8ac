using Parquet;
using Parquet.Schema;

namespace MonoLoss.Data.Parquet;

/// <summary>A Parquet file that <see cref="ParquetWriter"/> wrote, read back by Parquet.Net: whole columns of flat tables.</summary>
public sealed class ParquetTable
{
    private readonly ParquetFile _file;
    private readonly ParquetReader _reader;

    private ParquetTable(ParquetFile file, ParquetReader reader)
    {
        (_file, _reader) = (file, reader);
        Metadata = reader.CustomMetadata;
    }

    /// <summary>The texts kept beside the data.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The names of the columns.</summary>
    public IReadOnlyList<string> Columns => [.. Fields().Select(column => column.Name)];

    /// <summary>Number of rows.</summary>
    public int Rows => (int)_reader.RowGroups.Sum(group => group.RowCount);

    /// <summary>Reads a file into memory.</summary>
    /// <exception cref="DataException">There is no such file, or it is not a Parquet file, or damaged.</exception>
    public static ParquetTable Read(string path)
    {
        using var bytes = FileBytes.Open(path);
        return Read(bytes);
    }

    /// <inheritdoc cref="Read(string)"/>
    internal static ParquetTable Read(FileBytes bytes)
    {
        // The library would not return from some damaged footers: see ParquetFile, which checks them.
        using var onDisk = ParquetFile.Open(bytes);
        return Guard(bytes.Path, () =>
        {
            var content = new byte[bytes.Length];
            bytes.Read(content, 0);
            var file = ParquetFile.Open(FileBytes.InMemory(bytes.Path, content));
            if (file.Rows > RowLimit(content))
            {
                throw new CorruptException($"{file.Rows} rows are more than its {content.Length} bytes can hold");
            }

            return new ParquetTable(file, ParquetReader.CreateAsync(new BoundedStream(content)).GetAwaiter().GetResult());
        });
    }

    /// <summary>Whether a column holds text.</summary>
    /// <exception cref="DataException">There is no such column.</exception>
    public bool IsText(string name) => Field(name).ClrType == typeof(ReadOnlyMemory<char>);

    /// <summary>The values of a column without nulls.</summary>
    /// <typeparam name="T">long, int, float, double or bool, as written.</typeparam>
    /// <exception cref="DataException">There is no such column, it is of another type, or it is damaged.</exception>
    public T[] Read<T>(string name)
        where T : unmanaged => Read<T>(name, (group, field, target) => group.ReadAsync(field, target));

    /// <summary>The values of a column that may be null.</summary>
    /// <inheritdoc cref="Read{T}(string)"/>
    public T?[] ReadNullable<T>(string name)
        where T : unmanaged => Read<T?>(name, (group, field, target) => group.ReadAsync(field, target));

    /// <summary>The texts of a column.</summary>
    /// <exception cref="DataException">There is no such column, it is of another type, or it is damaged.</exception>
    public string?[] ReadTexts(string name) => Read<string?>(name, (group, field, target) => group.ReadAsync(field, target));

    private T[] Read<T>(string name, Func<ParquetRowGroupReader, DataField, Memory<T>, ValueTask> read)
    {
        var field = Field(name);
        return Guard($"{_file.Path}: column '{name}'", () =>
        {
            CheckPages(name);
            var values = new T[Rows];
            var row = 0;
            foreach (var group in _reader.RowGroups)
            {
                read(group, field, values.AsMemory(row, (int)group.RowCount)).AsTask().GetAwaiter().GetResult();
                row += (int)group.RowCount;
            }

            return values;
        });
    }

    // The library takes memory on the word of a page's header: see ParquetFile.
    private void CheckPages(string name)
    {
        var column = _file.FindColumn(name) ?? throw new CorruptException("it is not in the footer");
        using var pages = new PageReader();
        for (var group = 0; group < _file.RowGroups.Count; group++)
        {
            _file.OpenPages(pages, column, group);
            while (pages.Next(null))
            {
            }
        }
    }

    private DataField Field(string name) =>
        Fields().FirstOrDefault(field => field.Name == name)
        ?? throw new DataException($"{_file.Path}: there is no column '{name}'");

    private DataField[] Fields() => Guard(_file.Path, () => _reader.Schema.GetDataFields());

    // A column of integers, which each of our files has, cannot be compressed further than this by Snappy.
    private static long RowLimit(byte[] content) => 8L * content.Length;

    // The library's exceptions for damaged files are of any type.
    private static T Guard<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not DataException)
        {
            throw new DataException($"{what}: cannot be read as Parquet: {exception.Message}", exception);
        }
    }

    /// <summary>Ends what would loop forever: reads beyond the end, and reading the same bytes again and again.</summary>
    private sealed class BoundedStream(byte[] content) : MemoryStream(content, writable: false)
    {
        private long _left = 64L * (content.Length + 1024);

        public override int ReadByte()
        {
            var value = base.ReadByte();
            return value >= 0 && --_left > 0 ? value : throw new EndOfStreamException("its data end early");
        }

        public override long Seek(long offset, SeekOrigin loc) =>
            --_left > 0 ? base.Seek(offset, loc) : throw new EndOfStreamException("its data end early");
    }
}
