using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// How an operand of a product lies in memory. A tile of it, some rows (of A, columns of B) by <see cref="ITile{TSelf}.Step"/> terms, is
/// brought to shared memory four floats at a time; slots 0, 1, 2 … number these groups of four so that four consecutive threads
/// read 64 contiguous bytes or more.
/// </summary>
internal interface IOperand
{
    /// <summary>The row of a slot's first float within the tile.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="step">The tile's terms.</param>
    int Row(int slot, int step);

    /// <summary>The term of a slot's first float within the tile.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="step">The tile's terms.</param>
    int Term(int slot, int step);

    /// <summary>Four floats from global memory, zeros beyond the matrix.</summary>
    /// <param name="matrix">The operand.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="depth">K.</param>
    /// <param name="row">The row of the first float.</param>
    /// <param name="term">The term of the first float.</param>
    /// <param name="end">Where this group's terms end.</param>
    Float4 Fetch<T>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T>;

    /// <summary>Writes four floats to shared memory as the tile wants them.</summary>
    void Put<TTile>(ArrayView<Float4> tile, int row, int term, Float4 values)
        where TTile : unmanaged, ITile<TTile>;
}

/// <summary>rows×K: the terms of a row are contiguous. A as it is, B transposed.</summary>
internal readonly struct AlongTerms : IOperand
{
    public int Row(int slot, int step) => slot / (step / 4);

    public int Term(int slot, int step) => (slot & ((step / 4) - 1)) << 2;

    public Float4 Fetch<T>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T> => default(T).Load(matrix, (row * depth) + term, Utilities.Select(row < rows, end - term, 0));

    public void Put<TTile>(ArrayView<Float4> tile, int row, int term, Float4 values)
        where TTile : unmanaged, ITile<TTile> => default(TTile).PutTerms(tile, row, term, values);
}

/// <summary>K×rows: the rows of a term are contiguous. B as it is, A transposed.</summary>
internal readonly struct AcrossTerms : IOperand
{
    public int Row(int slot, int step) => ((slot & 3) << 2) + (slot / (4 * step) << 4);

    public int Term(int slot, int step) => (slot >> 2) & (step - 1);

    public Float4 Fetch<T>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T> => default(T).Load(matrix, (term * rows) + row, Utilities.Select(term < end, rows - row, 0));

    public void Put<TTile>(ArrayView<Float4> tile, int row, int term, Float4 values)
        where TTile : unmanaged, ITile<TTile> => default(TTile).PutRows(tile, row, term, values);
}
