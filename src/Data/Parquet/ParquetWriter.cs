using Parquet;

namespace MonoLoss.Data.Parquet;

/// <summary>How a Parquet file is written.</summary>
public sealed record ParquetWriterOptions
{
    /// <summary>How pages are compressed.</summary>
    public CompressionMethod Compression { get; init; } = CompressionMethod.Snappy;

    /// <summary>Rows per row group.</summary>
    public int RowGroupRows { get; init; } = 65536;

    /// <summary>Texts to keep beside the data. The version of this assembly is added as <c>monoloss.version</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}

/// <summary>Writes Parquet files by Parquet.Net. A file appears under its name only when it is complete.</summary>
/// <example><code>
/// ParquetWriter.Write("out.parquet", [ParquetData.Create("step", steps), ParquetData.FloatLists("features", floats, 256)]);
/// </code></example>
public static class ParquetWriter
{
    /// <summary>The key of the version of this assembly in a file's metadata.</summary>
    public const string VersionKey = "monoloss.version";

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="columns">Columns with the same number of rows each.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="ArgumentException">There are no columns, or they differ in their numbers of rows.</exception>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<ParquetData> columns, ParquetWriterOptions? options = null)
    {
        using var stream = new ParquetRowWriter(path, options);
        stream.Write(columns);
        stream.Commit();
    }
}
