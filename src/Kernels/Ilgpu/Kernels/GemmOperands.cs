using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The storage order of an operand. A tile of it, some rows (of A, columns of B) by <see cref="ITile{TSelf}.Step"/> terms, is
/// loaded into shared memory four floats at a time; slots 0, 1, 2 … number these groups of four so that four consecutive threads
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
internal readonly struct AlongTerms : ITensorOperand
{
    public int Row(int slot, int step) => slot / (step / 4);

    public int Term(int slot, int step) => (slot & ((step / 4) - 1)) << 2;

    public Float4 Fetch<T>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T> => default(T).Load(matrix, (row * depth) + term, Utilities.Select(row < rows, end - term, 0));

    public void Put<TTile>(ArrayView<Float4> tile, int row, int term, Float4 values)
        where TTile : unmanaged, ITile<TTile> => default(TTile).PutTerms(tile, row, term, values);

    // Shared memory has row after row, in the order of i, g and half: threads that follow each other write, and lanes read, what is
    // contiguous.
    public int SlotStep => TensorTile.Threads;

    public int TermStep => 0;

    public int Slot(int thread) => thread;

    public int CopyRow(int thread, int copy) => (32 * copy) + (4 * TensorTile.Block((thread >> 2) & 7)) + (thread >> 5);

    public int CopyTerm(int thread) => (thread & 3) << 2;

    public int At(int rows, int depth, int row, int term) => ((Math.Min(row, rows - 1) * depth) + Math.Min(term, depth - 4)) >> 2;

    public int Advance(int rows) => TensorTile.Step / 4;

    public TensorFragment Load(ArrayView<Float4> shared, int tile, int row, int lane)
    {
        shared = shared.SubView((4 * row) + lane);
        return new(
            shared[tile], shared[tile + 32], shared[tile + 64], shared[tile + 96],
            shared[tile + 128], shared[tile + 160], shared[tile + 192], shared[tile + 224]);
    }
}

/// <summary>K×rows: the rows of a term are contiguous. B as it is, A transposed.</summary>
internal readonly struct AcrossTerms : ITensorOperand
{
    public int Row(int slot, int step) => ((slot & 3) << 2) + (slot / (4 * step) << 4);

    public int Term(int slot, int step) => (slot >> 2) & (step - 1);

    public Float4 Fetch<T>(ArrayView<T> matrix, int rows, int depth, int row, int term, int end)
        where T : unmanaged, IFloats<T> => default(T).Load(matrix, (term * rows) + row, Utilities.Select(term < end, rows - row, 0));

    public void Put<TTile>(ArrayView<Float4> tile, int row, int term, Float4 values)
        where TTile : unmanaged, ITile<TTile> => default(TTile).PutRows(tile, row, term, values);

    // Shared memory has term after term. Of terms 4t … 4t + 3 the groups of four rows are in an order of their own, so that lanes of one g
    // and all t read from different banks.
    public int SlotStep => TensorTile.Size / 4;

    public int TermStep => 1;

    public int Slot(int thread) => (CopyTerm(thread) * SlotStep) | ((thread & 31) ^ (thread >> 5));

    public int CopyRow(int thread, int copy) => (thread & 31) << 2;

    public int CopyTerm(int thread) => thread >> 5 << 2;

    public int At(int rows, int depth, int row, int term) => ((Math.Min(term, depth - 1) * rows) + Math.Min(row, rows - 4)) >> 2;

    public int Advance(int rows) => TensorTile.Step / 4 * rows;

    public TensorFragment Load(ArrayView<Float4> shared, int tile, int row, int lane)
    {
        var member = TensorCore.MemberOf(lane);
        shared = shared.SubView((4 * member * SlotStep) + (row >> 2) + (TensorTile.Block(TensorCore.GroupOf(lane)) ^ member));
        var (x, y, z, w) = (shared[tile], shared[tile + SlotStep], shared[tile + (2 * SlotStep)], shared[tile + (3 * SlotStep)]);
        tile += 8;
        var (x32, y32, z32, w32) = (shared[tile], shared[tile + SlotStep], shared[tile + (2 * SlotStep)], shared[tile + (3 * SlotStep)]);
        return new(
            new(x.X, y.X, z.X, w.X), new(x.Y, y.Y, z.Y, w.Y), new(x.Z, y.Z, z.Z, w.Z), new(x.W, y.W, z.W, w.W),
            new(x32.X, y32.X, z32.X, w32.X), new(x32.Y, y32.Y, z32.Y, w32.Y),
            new(x32.Z, y32.Z, z32.Z, w32.Z), new(x32.W, y32.W, z32.W, w32.W));
    }
}
