using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// How an operand of a product on tensor cores comes from global to shared memory, and from there to registers. A tile of it, 128 rows (of
/// A, columns of B) by 16 terms, is copied by 128 threads, 16 bytes four times each, so that neither the writes to shared memory nor the
/// reads meet in a bank.
/// </summary>
internal interface ITensorOperand : IOperand
{
    /// <summary>From one copy of a thread to its next in shared memory, in groups of four floats.</summary>
    int SlotStep { get; }

    /// <summary>Terms from one copy of a thread to its next.</summary>
    int TermStep { get; }

    /// <summary>Where a thread's first copy goes in shared memory, in groups of four floats.</summary>
    int Slot(int thread);

    /// <summary>The row within the tile of the first float of a thread's copy.</summary>
    int CopyRow(int thread, int copy);

    /// <summary>The term within the tile of the first float of a thread's first copy.</summary>
    int CopyTerm(int thread);

    /// <summary>
    /// Where four floats are in global memory, in groups of four; rows and terms beyond the matrix are replaced by its last.
    /// </summary>
    int At(int rows, int depth, int row, int term);

    /// <summary>Groups of four floats in global memory from one tile to the next along the terms.</summary>
    int Advance(int rows);

    /// <summary>Reads a lane's part of 64 rows.</summary>
    /// <param name="shared">Shared memory.</param>
    /// <param name="tile">Where the operand's tile begins in it.</param>
    /// <param name="row">The first of the rows within the tile.</param>
    /// <param name="lane">The lane.</param>
    TensorFragment Load(ArrayView<Float4> shared, int tile, int row, int lane);
}
