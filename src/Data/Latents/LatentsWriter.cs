using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// Writes latents to a Parquet file (<see cref="LatentsReader"/>), on another thread than the one that computes them. The file appears
/// under its name when it is complete.
/// </summary>
public sealed class LatentsWriter : IDisposable
{
    private readonly ParquetRowWriter _writer;
    private Task _writing = Task.CompletedTask;

    /// <summary>Creates the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="metadata">Texts to keep beside the data.</param>
    /// <exception cref="DataException">The file cannot be created.</exception>
    public LatentsWriter(string path, IReadOnlyDictionary<string, string> metadata) => _writer = new ParquetRowWriter(
        path, new ParquetWriterOptions { RowGroupRows = int.MaxValue, Metadata = metadata });

    /// <summary>Writes a row group, once the one before it is written.</summary>
    /// <param name="rows">The rows, which must not be changed afterwards.</param>
    /// <param name="others">Other columns of the same rows.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public void Write(LatentRows rows, IEnumerable<ParquetData> others)
    {
        List<ParquetData> columns =
        [
            .. others,
            ParquetData.IntegerLists(LatentsReader.Indices, rows.Indices, rows.Offsets),
            ParquetData.FloatLists(LatentsReader.Values, rows.Values, rows.Offsets),
        ];
        foreach (var (name, values) in new[]
        {
            (LatentsReader.Scale, rows.Scale), (LatentsReader.Mean, rows.Mean), (LatentsReader.Deviation, rows.Deviation),
        })
        {
            if (values is not null)
            {
                columns.Add(ParquetData.Create(name, values));
            }
        }

        _writing.GetAwaiter().GetResult();
        _writing = Task.Run(() => _writer.Write(columns));
    }

    /// <summary>Completes the file.</summary>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public void Commit()
    {
        _writing.GetAwaiter().GetResult();
        _writer.Commit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _writing.Wait();
        }
        catch (AggregateException)
        {
            // The failure that led here is known already, or the file is not wanted any more.
        }

        _writer.Dispose();
    }
}
