using System.IO.Compression;
using Parquet;
using Parquet.Schema;

namespace MonoLoss.Data.Parquet;

/// <summary>
/// Writes a Parquet file a row group at a time, by Parquet.Net. The file appears under its name only when <see cref="Commit"/> has
/// completed it; disposed before that, it leaves nothing.
/// </summary>
public sealed class ParquetRowWriter : IDisposable
{
    private readonly AtomicFile _file;
    private readonly ParquetWriterOptions _options;
    private global::Parquet.ParquetWriter? _writer;
    private string[] _names = [];
    private DataField[] _fields = [];

    /// <summary>Creates the file under a temporary name.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="DataException">The file cannot be created.</exception>
    public ParquetRowWriter(string path, ParquetWriterOptions? options = null)
    {
        _options = options ?? new ParquetWriterOptions();
        _file = new AtomicFile(path);
    }

    /// <summary>Writes rows, in row groups of at most <see cref="ParquetWriterOptions.RowGroupRows"/>.</summary>
    /// <param name="columns">Columns with the same number of rows each: the same names and types in every call.</param>
    /// <exception cref="ArgumentException">There are no columns, they differ in their numbers of rows, or from those before.</exception>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public void Write(IReadOnlyList<ParquetData> columns)
    {
        if (columns.Count == 0 || columns.Any(column => column.Rows != columns[0].Rows))
        {
            throw new ArgumentException("a file needs columns with the same number of rows", nameof(columns));
        }

        Guard(async () =>
        {
            await OpenAsync(columns).ConfigureAwait(false);
            for (var start = 0; start < columns[0].Rows; start += _options.RowGroupRows)
            {
                using var group = _writer!.CreateRowGroup();
                foreach (var (column, field) in columns.Zip(_fields))
                {
                    var rows = Math.Min(_options.RowGroupRows, column.Rows - start);
                    await column.WriteAsync(group, field, start, rows).ConfigureAwait(false);
                }
            }
        });
    }

    /// <summary>Writes the footer and gives the file its name.</summary>
    /// <exception cref="DataException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">Nothing was written.</exception>
    public void Commit()
    {
        var writer = _writer ?? throw new InvalidOperationException("nothing was written");
        _writer = null;
        Guard(() => writer.DisposeAsync().AsTask());
        _file.Commit();
    }

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose() => _file.Dispose();

    private async Task OpenAsync(IReadOnlyList<ParquetData> columns)
    {
        string[] names = [.. columns.Select(column => column.Name)];
        if (_writer is not null)
        {
            if (!names.SequenceEqual(_names))
            {
                throw new ArgumentException("the columns are not those of the rows before", nameof(columns));
            }

            return;
        }

        _names = names;
        var schema = new ParquetSchema(columns.Select(column => column.Field));
        var settings = new ParquetOptions
        {
            CompressionMethod = _options.Compression,
            CompressionLevel = CompressionLevel.Optimal,
        };
        _fields = schema.GetDataFields();
        _writer = await global::Parquet.ParquetWriter.CreateAsync(schema, _file.Stream, settings).ConfigureAwait(false);
        _writer.CustomMetadata = new Dictionary<string, string>(_options.Metadata) { [ParquetWriter.VersionKey] = BuildInfo.Version };
    }

    private void Guard(Func<Task> action)
    {
        try
        {
            // The stream is a file: nothing here runs on another thread.
            action().GetAwaiter().GetResult();
        }
        catch (Exception exception) when (AtomicFile.IsFailure(exception))
        {
            throw _file.Failure(exception);
        }
    }
}
