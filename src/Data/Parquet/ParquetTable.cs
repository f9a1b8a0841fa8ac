namespace MonoLoss.Data.Parquet;

/// <summary>A Parquet file that <see cref="ParquetWriter"/> wrote, read back: whole columns of a table with one value per row.</summary>
public sealed class ParquetTable
{
    private readonly ParquetFile _file;

    private ParquetTable(ParquetFile file) => _file = file;

    /// <summary>The names of the columns.</summary>
    public IReadOnlyList<string> Columns => [.. _file.Columns.Select(column => column.Name)];

    /// <summary>The texts kept beside the data.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    /// <summary>Number of rows.</summary>
    public long Rows => _file.Rows;

    /// <summary>Opens a file. It is read into memory, so that the table stays valid if the file is replaced.</summary>
    /// <exception cref="DataException">There is no such file, or it is not a Parquet file, or damaged.</exception>
    public static ParquetTable Read(string path)
    {
        using var bytes = FileBytes.Open(path);
        var content = new byte[bytes.Length];
        try
        {
            bytes.Read(content, 0);
        }
        catch (Exception exception) when (exception is CorruptException or IOException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return Read(path, content);
    }

    /// <summary>Opens a file whose content is in memory.</summary>
    /// <param name="name">What the file is called in messages.</param>
    /// <param name="content">The file.</param>
    /// <exception cref="DataException">The content is not a Parquet file, or damaged.</exception>
    public static ParquetTable Read(string name, ReadOnlyMemory<byte> content) =>
        new(ParquetFile.Open(FileBytes.InMemory(name, content)));

    /// <summary>The texts kept beside the data of a file, of which nothing else is read.</summary>
    /// <inheritdoc cref="Read(string)" path="/exception"/>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path)
    {
        using var file = ParquetFile.Open(path);
        return file.Metadata;
    }

    /// <summary>Whether a column holds text.</summary>
    /// <exception cref="DataException">There is no such column.</exception>
    public bool IsText(string name) => Find(name).IsString;

    /// <summary>The integers of a column, of 32 or 64 bits.</summary>
    /// <returns>One value per row.</returns>
    /// <exception cref="DataException">There is no such column, it has another type, a value is null, or it is damaged.</exception>
    public long[] ReadIntegers(string name) =>
        Read<long, long>(name, FlatColumn.ReadIntegers, (value, isNull) => NotNull(name, value, isNull));

    /// <summary>The float64 values of a column.</summary>
    /// <inheritdoc cref="ReadIntegers"/>
    public double[] ReadDoubles(string name) =>
        Read<double, double>(name, FlatColumn.ReadDoubles, (value, isNull) => NotNull(name, value, isNull));

    /// <summary>The integers of a column, of 32 or 64 bits, that may have nulls.</summary>
    /// <inheritdoc cref="ReadNullableDoubles"/>
    public long?[] ReadNullableIntegers(string name) =>
        Read<long, long?>(name, FlatColumn.ReadIntegers, (value, isNull) => isNull ? null : value);

    /// <summary>The float64 values of a column that may have nulls.</summary>
    /// <returns>One value per row.</returns>
    /// <exception cref="DataException">There is no such column, it has another type, or it is damaged.</exception>
    public double?[] ReadNullableDoubles(string name) =>
        Read<double, double?>(name, FlatColumn.ReadDoubles, (value, isNull) => isNull ? null : value);

    /// <summary>The texts of a column, which may have nulls.</summary>
    /// <inheritdoc cref="ReadNullableDoubles"/>
    public string?[] ReadTexts(string name) => Read<string, string?>(name, FlatColumn.ReadTexts, (value, isNull) => isNull ? null : value);

    private TResult[] Read<T, TResult>(
        string name, Action<ParquetFile, ParquetColumn, int, RowReader<T>> read, Func<T, bool, TResult> convert)
    {
        var column = Find(name);
        var rows = new List<TResult>();
        for (var group = 0; group < _file.RowGroups.Count; group++)
        {
            read(_file, column, group, (value, isNull) => rows.Add(convert(value, isNull)));
        }

        return [.. rows];
    }

    private T NotNull<T>(string name, T value, bool isNull) => isNull
        ? throw new DataException($"{_file.Path}: column '{name}' has a null, expected a value in every row")
        : value;

    private ParquetColumn Find(string name) =>
        _file.FindColumn(name) ?? throw new DataException($"{_file.Path}: no column '{name}'");
}
