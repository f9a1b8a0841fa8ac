using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// Reads latents from Parquet files as the command <c>encode</c> writes them, also after another program has edited them: the columns
/// <c>indices</c> and <c>values</c>, and <c>scale</c>, <c>mean</c> and <c>deviation</c> where the autoencoder needs them. One row group is
/// in memory at a time.
/// </summary>
public sealed class LatentsReader : IDisposable
{
    /// <summary>The column of lists of latents.</summary>
    public const string Indices = "indices";

    /// <summary>The column of lists of activations.</summary>
    public const string Values = "values";

    /// <summary>The column of what rows were divided by to have unit length.</summary>
    public const string Scale = "scale";

    /// <summary>The column of what the input layer norm subtracted.</summary>
    public const string Mean = "mean";

    /// <summary>The column of what the input layer norm divided by.</summary>
    public const string Deviation = "deviation";

    private readonly ParquetFile _file;
    private readonly int _latents;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="latents">M, the number of latents of the autoencoder.</param>
    /// <exception cref="DataException">There is no such file, it is damaged, or lacks a column.</exception>
    public LatentsReader(string path, int latents)
    {
        _latents = latents;
        _file = ParquetFile.Open(path);
        try
        {
            Find(Indices);
            Find(Values);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Number of rows.</summary>
    public long Rows => _file.Rows;

    /// <summary>Whether the file has a column.</summary>
    public bool Has(string column) => _file.FindColumn(column) is not null;

    /// <summary>Reads the row groups one after another.</summary>
    /// <exception cref="DataException">
    /// The file is damaged; a row has more indices than values or the other way round, an index twice or out of range, or a value that is
    /// not finite.
    /// </exception>
    public IEnumerable<LatentRows> Read()
    {
        long first = 0;
        for (var group = 0; group < _file.RowGroups.Count; group++)
        {
            if (_file.RowGroups[group] > 0)
            {
                yield return Read(group, first);
            }

            first += _file.RowGroups[group];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private LatentRows Read(int group, long firstRow)
    {
        var (offsets, indices) = ListColumn.ReadIntegers(_file, Find(Indices), group, firstRow);
        var (valueOffsets, values) = ListColumn.ReadFloats(_file, Find(Values), group, firstRow);
        var sorted = new int[indices.Length];
        for (var row = 0; row < offsets.Length - 1; row++)
        {
            if (offsets[row + 1] != valueOffsets[row + 1])
            {
                throw Failure(firstRow + row, $"{offsets[row + 1] - offsets[row]} indices, but "
                    + $"{valueOffsets[row + 1] - valueOffsets[row]} values");
            }

            for (var i = offsets[row]; i < offsets[row + 1]; i++)
            {
                if (indices[i] < 0 || indices[i] >= _latents)
                {
                    throw Failure(firstRow + row, $"index {indices[i]}, expected 0 to {_latents - 1}");
                }

                if (!float.IsFinite(values[i]))
                {
                    throw Failure(firstRow + row, $"value {values[i]} of latent {indices[i]}, expected a finite float");
                }

                sorted[i] = (int)indices[i];
            }

            // A program that edits latents need not keep them in order.
            Array.Sort(sorted, values, offsets[row], offsets[row + 1] - offsets[row]);
            for (var i = offsets[row] + 1; i < offsets[row + 1]; i++)
            {
                if (sorted[i] == sorted[i - 1])
                {
                    throw Failure(firstRow + row, $"latent {sorted[i]} twice");
                }
            }
        }

        return new LatentRows
        {
            Offsets = offsets,
            Indices = sorted,
            Values = values,
            Scale = ReadNumbers(Scale, group, firstRow),
            Mean = ReadNumbers(Mean, group, firstRow),
            Deviation = ReadNumbers(Deviation, group, firstRow),
        };
    }

    private double[]? ReadNumbers(string name, int group, long firstRow)
    {
        if (_file.FindColumn(name) is not { } column)
        {
            return null;
        }

        var numbers = new List<double>();
        FlatColumn.ReadDoubles(_file, column, group, (value, isNull) => numbers.Add(!isNull && double.IsFinite(value)
            ? value
            : throw Failure(
                firstRow + numbers.Count, $"column '{name}' is {(isNull ? "null" : $"{value}")}, expected a finite number")));
        return [.. numbers];
    }

    private DataException Failure(long row, string what) => new($"{_file.Path}: row {row}: {what}");

    private ParquetColumn Find(string name) => _file.FindColumn(name)
        ?? throw new DataException(
            $"{_file.Path}: no column '{name}'; the columns are: {string.Join(", ", _file.Columns.Select(column => column.Name))}");
}
