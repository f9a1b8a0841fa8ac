namespace MonoLoss.Kernels;

/// <summary>
/// A sparse float32 matrix by rows (CSR): for every sample, the active latents in ascending order. The gradient is an array beside the
/// values, for the same nonzeros. <see cref="Device.BuildColumnIndex"/> lists the nonzeros by column (by latent) too. Where very many
/// latents are active, a device may store the matrix dense until the nonzeros are asked for.
/// </summary>
/// <remarks>
/// A stored value, though called a nonzero, may be 0: JumpReLU stores latents just below their threshold, because their gradient reaches
/// the threshold.
/// </remarks>
public sealed class CsrMatrix : IDisposable
{
    private readonly DeviceArray<int> _rowOffsets;
    private readonly DeviceArray<int> _indices;
    private readonly DeviceArray<float> _values;
    private readonly DeviceArray<float> _gradient;
    private readonly DeviceArray<int> _columnOffsets;
    private readonly DeviceArray<int> _rowIndices;
    private readonly DeviceArray<int> _entryOf;
    private Tensor? _dense;
    private CsrMatrix? _pattern;
    private bool _isDense;
    private bool _hasColumnIndex;
    private bool _countIsBound;
    private int _count;
    private float _smallestKept;

    internal CsrMatrix(Device device)
    {
        Device = device;
        _rowOffsets = device.Allocate<int>(1);
        _rowOffsets.Clear();
        _indices = device.Allocate<int>(0);
        _values = device.Allocate<float>(0);
        _gradient = device.Allocate<float>(0);
        _columnOffsets = device.Allocate<int>(0);
        _rowIndices = device.Allocate<int>(0);
        _entryOf = device.Allocate<int>(0);
    }

    /// <summary>The device that holds the values.</summary>
    public Device Device { get; }

    /// <summary>Rows (samples).</summary>
    public int Rows { get; private set; }

    /// <summary>Columns (latents).</summary>
    public int Columns { get; private set; }

    /// <summary>The number of stored values. Waits for the device if it has just selected them.</summary>
    public int NonzeroCount
    {
        get
        {
            ListNonzeros();
            if (_countIsBound)
            {
                Device.ReadNonzeroCount(this);
            }

            return _count;
        }
    }

    /// <summary>
    /// The most nonzeros that there can be, known without a wait: a device that selects does not know how many it keeps before it is done.
    /// What the arrays hold behind the nonzeros has index and value 0.
    /// </summary>
    internal int MaxNonzeroCount
    {
        get
        {
            ListNonzeros();
            return _count;
        }
    }

    /// <summary>Where the nonzeros of each row start: rows + 1 offsets.</summary>
    public DeviceArray<int> RowOffsets => Listed(_rowOffsets);

    /// <summary>The column of each nonzero, ascending within a row.</summary>
    public DeviceArray<int> Indices => Counted(_indices);

    /// <summary>The value of each nonzero.</summary>
    public DeviceArray<float> Values => Counted(_values);

    /// <summary>The gradient at each nonzero.</summary>
    public DeviceArray<float> Gradient => Counted(_gradient);

    /// <summary>
    /// Whether <see cref="ColumnOffsets"/>, <see cref="RowIndices"/> and <see cref="EntryOf"/> describe the present nonzeros.
    /// </summary>
    public bool HasColumnIndex
    {
        get => _isDense || _hasColumnIndex;
        internal set => _hasColumnIndex = value;
    }

    /// <summary>Where each column starts in <see cref="RowIndices"/> and <see cref="EntryOf"/>: columns + 1 offsets.</summary>
    public DeviceArray<int> ColumnOffsets => Listed(_columnOffsets);

    /// <summary>The row of each nonzero, column by column, ascending within a column.</summary>
    public DeviceArray<int> RowIndices => Counted(_rowIndices);

    /// <summary>The index of each nonzero in <see cref="Indices"/> and <see cref="Values"/>, column by column.</summary>
    public DeviceArray<int> EntryOf => Counted(_entryOf);

    /// <summary><see cref="Indices"/>, <see cref="MaxNonzeroCount"/> long: no wait for the number of nonzeros.</summary>
    internal DeviceArray<int> OpenIndices => Listed(_indices);

    /// <inheritdoc cref="OpenIndices"/>
    internal DeviceArray<float> OpenValues => Listed(_values);

    /// <inheritdoc cref="OpenIndices"/>
    internal DeviceArray<float> OpenGradient => Listed(_gradient);

    /// <inheritdoc cref="OpenIndices"/>
    internal DeviceArray<int> OpenRowIndices => Listed(_rowIndices);

    /// <inheritdoc cref="OpenIndices"/>
    internal DeviceArray<int> OpenEntryOf => Listed(_entryOf);

    /// <summary>
    /// The whole matrix with its zeros, transposed (columns×rows), where a device expects listing its nonzeros to cost more; else null. It
    /// becomes null when the nonzeros are asked for and so listed.
    /// </summary>
    internal Tensor? Dense => _isDense ? _dense : null;

    /// <summary>
    /// The smallest value kept by the last selection over a batch, where the next one begins its search; 0 if it kept none. Waits for the
    /// device.
    /// </summary>
    public float SmallestKept
    {
        get
        {
            if (_countIsBound)
            {
                Device.ReadNonzeroCount(this);
            }

            return _smallestKept;
        }

        internal set => _smallestKept = value;
    }

    /// <summary>Sets the shape and the number of nonzeros; the index by column becomes invalid.</summary>
    public void Resize(int rows, int columns, int count)
    {
        Forget();
        _countIsBound = false;
        _rowOffsets.Resize(rows + 1);
        _indices.Resize(count);
        _values.Resize(count);
        _gradient.Resize(count);
        (Rows, Columns, _count) = (rows, columns, count);
    }

    /// <summary>Sets the shape and an upper bound of the number of nonzeros, which so far only the device knows.</summary>
    internal void ResizeAtMost(int rows, int columns, int count)
    {
        Resize(rows, columns, count);
        _countIsBound = count > 0;
    }

    /// <summary>Sets the number of nonzeros, at most the bound given before.</summary>
    internal void SetNonzeroCount(int count)
    {
        _indices.Resize(count);
        _values.Resize(count);
        _gradient.Resize(count);
        if (_hasColumnIndex)
        {
            _rowIndices.Resize(count);
            _entryOf.Resize(count);
        }

        (_count, _countIsBound) = (count, false);
    }

    /// <summary>Whether the arrays of nonzeros may be longer than there are nonzeros.</summary>
    internal bool CountIsBound => _countIsBound;

    /// <summary>Sets the shape of a matrix that will be written dense.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="pattern">
    /// A matrix that has an entry wherever this one does: its nonzeros are listed as this one's, zeros among them. Null for none.
    /// </param>
    /// <returns><see cref="Dense"/>, its contents undefined.</returns>
    internal Tensor ResizeDense(int rows, int columns, CsrMatrix? pattern = null)
    {
        Forget();
        _pattern = pattern;
        _dense ??= Device.Tensor(0, 0);
        _dense.Resize(columns, rows);
        (Rows, Columns, _isDense, _countIsBound) = (rows, columns, true, false);
        return _dense;
    }

    /// <summary>Discards the present nonzeros, whose arrays are about to be overwritten.</summary>
    internal void Forget() => (_isDense, _hasColumnIndex) = (false, false);

    /// <summary>Sets the number of columns after <see cref="Indices"/> were rewritten.</summary>
    internal void SetColumns(int columns) => (Columns, _hasColumnIndex) = (columns, false);

    /// <summary>Copies the nonzeros of a dense matrix from the host.</summary>
    /// <param name="dense">Rows×columns values.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    public CsrMatrix Set(ReadOnlySpan<float> dense, int rows, int columns)
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

    /// <summary>The matrix with its zeros on the host: rows×columns values.</summary>
    public float[] ToDense() => ToDense(Values);

    /// <summary>The gradient on the host: rows×columns values, 0 where nothing is stored.</summary>
    public float[] GradientToDense() => ToDense(Gradient);

    /// <inheritdoc/>
    public void Dispose()
    {
        _rowOffsets.Dispose();
        _indices.Dispose();
        _values.Dispose();
        _gradient.Dispose();
        _columnOffsets.Dispose();
        _rowIndices.Dispose();
        _entryOf.Dispose();
        _dense?.Dispose();
    }

    private DeviceArray<T> Counted<T>(DeviceArray<T> nonzeros)
        where T : unmanaged
    {
        _ = NonzeroCount;
        return nonzeros;
    }

    private DeviceArray<T> Listed<T>(DeviceArray<T> nonzeros)
        where T : unmanaged
    {
        ListNonzeros();
        return nonzeros;
    }

    private void ListNonzeros()
    {
        if (_isDense)
        {
            Device.ListNonzeros(_dense!, _pattern, this);
        }
    }

    private float[] ToDense(DeviceArray<float> source)
    {
        var dense = new float[(long)Rows * Columns];
        var (offsets, indices, values) = (RowOffsets.ToArray(), Indices.ToArray(), source.ToArray());
        for (var i = 0; i < Rows; i++)
        {
            for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
            {
                dense[((long)i * Columns) + indices[entry]] = values[entry];
            }
        }

        return dense;
    }
}
