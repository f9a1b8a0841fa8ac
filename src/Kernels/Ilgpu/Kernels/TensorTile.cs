using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// 64 rows of A, or columns of B, by 16 terms, as a warp has them in registers: with g and t of the lane, rows 4g′ + i and 32 + 4g′ + i of
/// terms 4t … 4t + 3, where g′ is <see cref="TensorTile.Block"/> of g.
/// </summary>
/// <remarks>
/// Which rows make a product of 16×8 by 8×8, and in which order terms are summed, is free as long as it is the same for both operands and
/// the result. This way a lane reads 16 bytes of shared memory at once, in whichever direction the operand lies, and has four consecutive
/// columns of the result.
/// </remarks>
internal readonly struct TensorFragment(
    Float4 row0, Float4 row1, Float4 row2, Float4 row3, Float4 row32, Float4 row33, Float4 row34, Float4 row35)
{
    public readonly Float4 Row0 = row0;
    public readonly Float4 Row1 = row1;
    public readonly Float4 Row2 = row2;
    public readonly Float4 Row3 = row3;
    public readonly Float4 Row32 = row32;
    public readonly Float4 Row33 = row33;
    public readonly Float4 Row34 = row34;
    public readonly Float4 Row35 = row35;

    /// <summary>The first two terms, rounded.</summary>
    public TensorPairs First => new(
        new(Row0.X, Row0.Y), new(Row1.X, Row1.Y), new(Row2.X, Row2.Y), new(Row3.X, Row3.Y),
        new(Row32.X, Row32.Y), new(Row33.X, Row33.Y), new(Row34.X, Row34.Y), new(Row35.X, Row35.Y));

    /// <summary>The last two terms, rounded.</summary>
    public TensorPairs Second => new(
        new(Row0.Z, Row0.W), new(Row1.Z, Row1.W), new(Row2.Z, Row2.W), new(Row3.Z, Row3.W),
        new(Row32.Z, Row32.W), new(Row33.Z, Row33.W), new(Row34.Z, Row34.W), new(Row35.Z, Row35.W));
}

/// <summary>Two terms of a row, rounded to TF32.</summary>
internal readonly struct TensorPair(float first, float second)
{
    public readonly int First = TensorCore.Round(first);
    public readonly int Second = TensorCore.Round(second);
}

/// <summary>Two terms of a lane's eight rows: what one instruction each of <see cref="TensorCore.MultiplyAdd"/> takes.</summary>
internal readonly struct TensorPairs(
    TensorPair row0, TensorPair row1, TensorPair row2, TensorPair row3,
    TensorPair row32, TensorPair row33, TensorPair row34, TensorPair row35)
{
    public readonly TensorPair Row0 = row0;
    public readonly TensorPair Row1 = row1;
    public readonly TensorPair Row2 = row2;
    public readonly TensorPair Row3 = row3;
    public readonly TensorPair Row32 = row32;
    public readonly TensorPair Row33 = row33;
    public readonly TensorPair Row34 = row34;
    public readonly TensorPair Row35 = row35;
}

/// <summary>Sums of 16 rows and 32 columns, four products of <see cref="TensorCore"/>: columns 4g′ + j, j = 0 … 3.</summary>
internal readonly struct TensorBlock(Float4 sums0, Float4 sums1, Float4 sums2, Float4 sums3)
{
    private readonly Float4 _sums0 = sums0;
    private readonly Float4 _sums1 = sums1;
    private readonly Float4 _sums2 = sums2;
    private readonly Float4 _sums3 = sums3;

    public TensorBlock Add(
        TensorPair upper, TensorPair lower, TensorPair column0, TensorPair column1, TensorPair column2, TensorPair column3) => new(
        Add(_sums0, upper, lower, column0), Add(_sums1, upper, lower, column1),
        Add(_sums2, upper, lower, column2), Add(_sums3, upper, lower, column3));

    /// <summary>Writes the sums of row <paramref name="row"/> and of 32 rows below.</summary>
    public void Store<T>(GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        // The lane's columns 2t and 2t + 1 of a product are g′ = t and t + 4.
        output.Store(row, column, new(_sums0.X, _sums1.X, _sums2.X, _sums3.X));
        output.Store(row, column + 16, new(_sums0.Y, _sums1.Y, _sums2.Y, _sums3.Y));
        output.Store(row + 32, column, new(_sums0.Z, _sums1.Z, _sums2.Z, _sums3.Z));
        output.Store(row + 32, column + 16, new(_sums0.W, _sums1.W, _sums2.W, _sums3.W));
    }

    private static Float4 Add(Float4 sums, TensorPair upper, TensorPair lower, TensorPair column) =>
        TensorCore.MultiplyAdd(sums, upper.First, lower.First, upper.Second, lower.Second, column.First, column.Second);
}

/// <summary>Sums of 16 rows and 64 columns.</summary>
internal readonly struct TensorRow(TensorBlock left, TensorBlock right)
{
    private readonly TensorBlock _left = left;
    private readonly TensorBlock _right = right;

    public TensorRow Add(TensorPair upper, TensorPair lower, TensorPairs columns) => new(
        _left.Add(upper, lower, columns.Row0, columns.Row1, columns.Row2, columns.Row3),
        _right.Add(upper, lower, columns.Row32, columns.Row33, columns.Row34, columns.Row35));

    public void Store<T>(GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        _left.Store(output, row, column);
        _right.Store(output, row, column + 32);
    }
}

/// <summary>128×128 sums of a group of 128 threads on tensor cores in TF32; each warp computes 64×64.</summary>
internal readonly struct TensorTile(TensorRow row0, TensorRow row1, TensorRow row2, TensorRow row3)
{
    /// <summary>Rows and columns of C that a group computes.</summary>
    public const int Size = 128;

    /// <summary>Terms loaded into shared memory at once.</summary>
    public const int Step = 16;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Groups of four floats that an operand's tile takes in shared memory.</summary>
    public const int Quads = Size * Step / 4;

    /// <summary>Groups of four floats of a stage: A's tile and B's.</summary>
    public const int Stage = 2 * Quads;

    private readonly TensorRow _row0 = row0;
    private readonly TensorRow _row1 = row1;
    private readonly TensorRow _row2 = row2;
    private readonly TensorRow _row3 = row3;

    /// <summary>
    /// Which four rows g stands for. Consecutive ones are 16 rows apart, so that four lanes write 64 contiguous bytes of C.
    /// </summary>
    public static int Block(int group) => (group >> 1) + ((group & 1) << 2);

    /// <summary>This + the products of <see cref="Step"/> terms.</summary>
    /// <param name="thread">Which thread of the group this is.</param>
    /// <param name="shared">Shared memory.</param>
    /// <param name="stage">Where A's tile begins in it, which B's follows.</param>
    public TensorTile Multiply<TLeft, TRight>(int thread, ArrayView<Float4> shared, int stage)
        where TLeft : unmanaged, ITensorOperand
        where TRight : unmanaged, ITensorOperand
    {
        var rows = default(TLeft).Load(shared, stage, WarpRow(thread), Warp.LaneIdx);
        var columns = default(TRight).Load(shared, stage + Quads, WarpColumn(thread), Warp.LaneIdx);
        return Add(rows.First, columns.First).Add(rows.Second, columns.Second);
    }

    /// <summary>Writes the sums that the thread holds, for the tile that starts at a row and column of C.</summary>
    public void Store<T>(int thread, GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        row += WarpRow(thread) + (4 * Block(TensorCore.GroupOf(Warp.LaneIdx)));
        column += WarpColumn(thread) + (4 * TensorCore.MemberOf(Warp.LaneIdx));
        _row0.Store(output, row, column);
        _row1.Store(output, row + 1, column);
        _row2.Store(output, row + 2, column);
        _row3.Store(output, row + 3, column);
    }

    private static int WarpRow(int thread) => thread >> 6 << 6;

    private static int WarpColumn(int thread) => ((thread >> 5) & 1) << 6;

    private TensorTile Add(TensorPairs rows, TensorPairs columns) => new(
        _row0.Add(rows.Row0, rows.Row32, columns),
        _row1.Add(rows.Row1, rows.Row33, columns),
        _row2.Add(rows.Row2, rows.Row34, columns),
        _row3.Add(rows.Row3, rows.Row35, columns));
}
