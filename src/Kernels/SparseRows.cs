namespace MonoLoss.Kernels;

/// <summary>
/// A sparse float32 matrix by rows (CSR): for every sample the latents that are active, in ascending order. The gradient, where
/// there is one, is an array beside the values, with the same places. The same places listed by column (by latent) are
/// made on demand by <see cref="Device.IndexColumns"/>.
/// </summary>
/// <remarks>
/// A place may hold the value 0: JumpReLU keeps latents just below their threshold, whose gradient reaches the threshold though
/// they are off.
/// </remarks>
public sealed class SparseRows : IDisposable
{
    internal SparseRows(Device device)
    {
        Device = device;
        RowOffsets = device.Allocate<int>(1);
        RowOffsets.Clear();
        Indices = device.Allocate<int>(0);
        Values = device.Allocate<float>(0);
        Gradient = device.Allocate<float>(0);
        ColumnOffsets = device.Allocate<int>(0);
        RowOf = device.Allocate<int>(0);
        PlaceOf = device.Allocate<int>(0);
    }

    /// <summary>Where the values are.</summary>
    public Device Device { get; }

    /// <summary>Rows (samples).</summary>
    public int Rows { get; private set; }

    /// <summary>Columns (latents).</summary>
    public int Columns { get; private set; }

    /// <summary>How many places are stored.</summary>
    public int Count { get; private set; }

    /// <summary>Where each row's places start: rows + 1 offsets.</summary>
    public DeviceArray<int> RowOffsets { get; }

    /// <summary>The column of each place, ascending within a row.</summary>
    public DeviceArray<int> Indices { get; }

    /// <summary>The value of each place.</summary>
    public DeviceArray<float> Values { get; }

    /// <summary>The gradient of each place.</summary>
    public DeviceArray<float> Gradient { get; }

    /// <summary>Whether <see cref="ColumnOffsets"/>, <see cref="RowOf"/> and <see cref="PlaceOf"/> describe the present places.</summary>
    public bool ColumnsIndexed { get; internal set; }

    /// <summary>Where each column's places start in <see cref="RowOf"/> and <see cref="PlaceOf"/>: columns + 1 offsets.</summary>
    public DeviceArray<int> ColumnOffsets { get; }

    /// <summary>Column by column, the row of each place, ascending within a column.</summary>
    public DeviceArray<int> RowOf { get; }

    /// <summary>Column by column, where the place is in <see cref="Indices"/> and <see cref="Values"/>.</summary>
    public DeviceArray<int> PlaceOf { get; }

    /// <summary>The smallest value that the last batch-wide selection kept: where the next one begins its search.</summary>
    internal float SmallestKept { get; set; }

    /// <summary>Sets the shape and how many places there are, which makes the index by columns stale.</summary>
    public void Resize(int rows, int columns, int count)
    {
        RowOffsets.Resize(rows + 1);
        Indices.Resize(count);
        Values.Resize(count);
        Gradient.Resize(count);
        (Rows, Columns, Count) = (rows, columns, count);
        ColumnsIndexed = false;
    }

    /// <summary>Changes the number of columns, after <see cref="Indices"/> were rewritten.</summary>
    internal void SetColumns(int columns) => (Columns, ColumnsIndexed) = (columns, false);

    /// <summary>Copies a matrix from the host.</summary>
    /// <param name="dense">Rows × columns values, row after row; those that are not zero are kept.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    public SparseRows Set(ReadOnlySpan<float> dense, int rows, int columns)
    {
        if (dense.Length != (long)rows * columns)
        {
            throw new ArgumentException($"{dense.Length} values for a matrix of {rows}×{columns}", nameof(dense));
        }

        var offsets = new int[rows + 1];
        var indices = new List<int>();
        var values = new List<float>();
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                if (dense[(i * columns) + j] != 0)
                {
                    indices.Add(j);
                    values.Add(dense[(i * columns) + j]);
                }
            }

            offsets[i + 1] = values.Count;
        }

        Resize(rows, columns, values.Count);
        RowOffsets.CopyFrom(offsets);
        Indices.CopyFrom(indices.ToArray());
        Values.CopyFrom(values.ToArray());
        return this;
    }

    /// <summary>The matrix written out on the host: rows × columns values, row after row.</summary>
    public float[] ToDense() => ToDense(Values);

    /// <summary>The gradient written out on the host: rows × columns values, 0 where there is no place.</summary>
    public float[] GradientToDense() => ToDense(Gradient);

    /// <inheritdoc/>
    public void Dispose()
    {
        RowOffsets.Dispose();
        Indices.Dispose();
        Values.Dispose();
        Gradient.Dispose();
        ColumnOffsets.Dispose();
        RowOf.Dispose();
        PlaceOf.Dispose();
    }

    private float[] ToDense(DeviceArray<float> source)
    {
        var dense = new float[(long)Rows * Columns];
        var (offsets, indices, values) = (RowOffsets.ToArray(), Indices.ToArray(), source.ToArray());
        for (var i = 0; i < Rows; i++)
        {
            for (var place = offsets[i]; place < offsets[i + 1]; place++)
            {
                dense[((long)i * Columns) + indices[place]] = values[place];
            }
        }

        return dense;
    }
}
