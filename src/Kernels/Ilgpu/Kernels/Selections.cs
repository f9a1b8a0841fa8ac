using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Which values of a row are kept.</summary>
internal interface ISelection
{
    /// <summary>What the row's values are compared with: a float or a key, depending on the selection.</summary>
    int Threshold(int row);

    /// <summary>How many of the row's values that equal the threshold are kept, the first ones.</summary>
    int Ties(int row);

    /// <summary>1 if the value is kept, <see cref="SelectionKernels.Tie"/> if it equals the threshold, else 0.</summary>
    int Class(float value, int column, int threshold);
}

/// <summary>Values above their column's bound, or above one bound for all columns; a NaN is never kept.</summary>
internal readonly struct AboveBound(ArrayView<float> bounds, float bound) : ISelection
{
    private readonly ArrayView<float> _bounds = bounds;
    private readonly float _bound = bound;

    public int Threshold(int row) => 0;

    public int Ties(int row) => 0;

    public int Class(float value, int column, int threshold)
    {
        var bound = _bounds.IntLength > 0 ? _bounds[column] : _bound;
        return value > bound ? 1 : 0;
    }
}

/// <summary>The largest of each row: those whose key is above the row's threshold, and some that equal it.</summary>
internal readonly struct TopOfRow(ArrayView<int> thresholds, ArrayView<int> ties) : ISelection
{
    private readonly ArrayView<int> _thresholds = thresholds;
    private readonly ArrayView<int> _ties = ties;

    public int Threshold(int row) => _thresholds[row];

    public int Ties(int row) => _ties[row];

    public int Class(float value, int column, int threshold) => SelectionKernels.Compare(RadixSelect.Key(value), threshold);
}

/// <summary>The largest of all rows: those whose key is above one threshold, and those equal to it until the count is reached.</summary>
internal readonly struct TopOfBatch(ArrayView<int> state, ArrayView<int> tiesBefore) : ISelection
{
    private readonly ArrayView<int> _state = state;
    private readonly ArrayView<int> _tiesBefore = tiesBefore;

    public int Threshold(int row) => _state[SelectionKernels.Prefix];

    public int Ties(int row) => _state[SelectionKernels.Rank] - _tiesBefore[row];

    public int Class(float value, int column, int threshold) => SelectionKernels.Compare(RadixSelect.Key(value), threshold);
}

/// <summary>Rows to select from.</summary>
internal interface ISelectionRows
{
    /// <summary>Where a row's values start.</summary>
    int First(int row);

    /// <summary>Where a row's values end.</summary>
    int End(int row);

    /// <summary>Four values; see <see cref="IFloats{TSelf}.Load"/>.</summary>
    Float4 Load(int at, int valid);

    /// <summary>The column of a value of the row that starts at <paramref name="first"/>.</summary>
    int Column(int first, int at);
}

/// <summary>The rows of a dense matrix.</summary>
internal readonly struct DenseRows<T>(ArrayView<T> values, int columns) : ISelectionRows
    where T : unmanaged, IFloats<T>
{
    private readonly ArrayView<T> _values = values;
    private readonly int _columns = columns;

    public int First(int row) => row * _columns;

    public int End(int row) => (row + 1) * _columns;

    public Float4 Load(int at, int valid) => default(T).Load(_values, at, valid);

    public int Column(int first, int at) => at - first;
}

/// <summary>The rows of a sparse matrix, as far as its arrays reach.</summary>
internal readonly struct CompressedRows(ArrayView<int> offsets, ArrayView<int> indices, ArrayView<Float1> values) : ISelectionRows
{
    private readonly ArrayView<int> _offsets = offsets;
    private readonly ArrayView<int> _indices = indices;
    private readonly ArrayView<Float1> _values = values;

    public int First(int row) => Math.Min(_offsets[row], _values.IntLength);

    public int End(int row) => Math.Min(_offsets[row + 1], _values.IntLength);

    public Float4 Load(int at, int valid) => default(Float1).Load(_values, at, valid);

    public int Column(int first, int at) => _indices[at];
}
