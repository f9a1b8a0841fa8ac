using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// A sparse matrix in compressed rows that grows as it is written: the entries of row r are
/// <see cref="RowOffsets"/>[r] … <see cref="RowOffsets"/>[r + 1] − 1, their columns ascending. Its memory is kept from use to use.
/// </summary>
public sealed unsafe class SparseBuffer : IDisposable
{
    private const nuint Alignment = 64;

    private long _rowCapacity = -1;

    /// <summary>Frees the memory.</summary>
    ~SparseBuffer() => Free();

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Gets <see cref="Rows"/> + 1 offsets into the entries, the first of them 0.</summary>
    public int* RowOffsets { get; private set; }

    /// <summary>Gets the column of each entry.</summary>
    public int* Indices { get; private set; }

    /// <summary>Gets the value of each entry.</summary>
    public float* Values { get; private set; }

    /// <summary>Gets the number of entries.</summary>
    public int Count => RowOffsets == null ? 0 : RowOffsets[Rows];

    /// <summary>Gets how many entries there is room for.</summary>
    public long Capacity { get; private set; }

    /// <summary>Sets the number of rows and makes all of them empty.</summary>
    /// <param name="rows">The number of rows.</param>
    public void EnsureRows(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        if (rows > _rowCapacity)
        {
            NativeMemory.AlignedFree(RowOffsets);
            RowOffsets = (int*)NativeMemory.AlignedAlloc(((nuint)rows + 1) * sizeof(int), Alignment);
            _rowCapacity = rows;
        }

        Rows = rows;
        NativeMemory.Clear(RowOffsets, ((nuint)rows + 1) * sizeof(int));
    }

    /// <summary>Makes room for entries. What was in them is lost if the buffer has to grow.</summary>
    /// <param name="capacity">The number of entries.</param>
    /// <exception cref="OverflowException">It is more than 32-bit offsets can address.</exception>
    public void EnsureCapacity(long capacity)
    {
        if (capacity > int.MaxValue)
        {
            throw new OverflowException($"a sparse matrix can hold {int.MaxValue} entries, not {capacity}: use smaller batches");
        }

        if (capacity > Capacity)
        {
            // Half as much again as is needed: a count that grows slowly from step to step must not mean memory anew every time.
            capacity = Math.Min(capacity + capacity / 2, int.MaxValue);
            NativeMemory.AlignedFree(Indices);
            NativeMemory.AlignedFree(Values);
            Indices = (int*)NativeMemory.AlignedAlloc((nuint)capacity * sizeof(int), Alignment);
            Values = (float*)NativeMemory.AlignedAlloc((nuint)capacity * sizeof(float), Alignment);
            Capacity = capacity;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(RowOffsets);
        NativeMemory.AlignedFree(Indices);
        NativeMemory.AlignedFree(Values);
        RowOffsets = null;
        Indices = null;
        Values = null;
        Rows = 0;
        Capacity = 0;
        _rowCapacity = -1;
    }
}
