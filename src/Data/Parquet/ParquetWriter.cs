using System.IO.Compression;
using Parquet;
using Parquet.Schema;

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
        options ??= new ParquetWriterOptions();
        if (columns.Count == 0 || columns.Any(column => column.Rows != columns[0].Rows))
        {
            throw new ArgumentException("a file needs columns with the same number of rows", nameof(columns));
        }

        using var file = new AtomicFile(path);
        try
        {
            // The stream is a file: nothing here runs on another thread.
            WriteAsync(file.Stream, columns, options).GetAwaiter().GetResult();
        }
        catch (Exception exception) when (AtomicFile.IsFailure(exception))
        {
            throw file.Failure(exception);
        }

        file.Commit();
    }

    private static async Task WriteAsync(Stream stream, IReadOnlyList<ParquetData> columns, ParquetWriterOptions options)
    {
        var schema = new ParquetSchema(columns.Select(column => column.Field));
        var settings = new ParquetOptions
        {
            CompressionMethod = options.Compression,
            CompressionLevel = CompressionLevel.Optimal,
        };
        await using var writer = await global::Parquet.ParquetWriter.CreateAsync(schema, stream, settings).ConfigureAwait(false);
        writer.CustomMetadata = new Dictionary<string, string>(options.Metadata) { [VersionKey] = BuildInfo.Version };
        for (var start = 0; start < columns[0].Rows; start += options.RowGroupRows)
        {
            using var group = writer.CreateRowGroup();
            foreach (var column in columns)
            {
                await column.WriteAsync(group, start, Math.Min(options.RowGroupRows, column.Rows - start)).ConfigureAwait(false);
            }
        }
    }
}
