namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// A sparse matrix (CSR) that grows as it is written: row r has entries <see cref="RowOffsets"/>[r] … <see cref="RowOffsets"/>[r + 1] − 1,
/// columns ascending. It has its own memory, or writes straight into a <see cref="CsrMatrix"/>.
/// </summary>
internal sealed unsafe class SparseBuffer : IDisposable
{
    private readonly CpuArray<int> _ownOffsets = new(1);
    private readonly CpuArray<int> _ownIndices = new(0);
    private readonly CpuArray<float> _ownValues = new(0);
    private CpuArray<int> _offsets;
    private CpuArray<int> _indices;
    private CpuArray<float> _values;

    /// <summary>An empty matrix with its own memory.</summary>
    public SparseBuffer() => (_offsets, _indices, _values) = (_ownOffsets, _ownIndices, _ownValues);

    /// <summary>The number of rows.</summary>
    public int Rows => (int)_offsets.Length - 1;

    /// <summary><see cref="Rows"/> + 1 offsets into the entries, the first of them 0.</summary>
    public int* RowOffsets => _offsets.Pointer;

    /// <summary>The column of each entry.</summary>
    public int* Indices => _indices.Pointer;

    /// <summary>The value of each entry.</summary>
    public float* Values => _values.Pointer;

    /// <summary>The number of entries.</summary>
    public int Count => RowOffsets[Rows];

    /// <summary>Sets the number of rows and makes all of them empty.</summary>
    /// <param name="rows">The number of rows.</param>
    public void EnsureRows(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        _offsets.Resize(rows + 1L);
        _offsets.Clear();
    }

    /// <summary>Makes room for entries; their contents are lost if the buffer has to grow.</summary>
    /// <param name="capacity">The number of entries.</param>
    /// <exception cref="OverflowException">There are more than 32-bit offsets can address.</exception>
    public void EnsureCapacity(long capacity)
    {
        if (capacity > int.MaxValue)
        {
            throw new OverflowException($"a sparse matrix can hold {int.MaxValue} entries, not {capacity}: use smaller batches");
        }

        _indices.Resize(capacity);
        _values.Resize(capacity);
    }

    /// <summary>Frees its own memory.</summary>
    public void Dispose()
    {
        _ownOffsets.Dispose();
        _ownIndices.Dispose();
        _ownValues.Dispose();
    }

    /// <summary>From now on, writes into the memory of a sparse matrix, whose shape must be set afterwards.</summary>
    internal void WriteTo(CsrMatrix target) =>
        (_offsets, _indices, _values) =
            ((CpuArray<int>)target.RowOffsets, (CpuArray<int>)target.Indices, (CpuArray<float>)target.Values);
}
