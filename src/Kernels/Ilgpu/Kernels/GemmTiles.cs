using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The part of C that a group of 256 threads computes: what one thread holds of it in registers, and how its operands lie in shared
/// memory.
/// </summary>
internal interface ITile<TSelf>
    where TSelf : unmanaged, ITile<TSelf>
{
    /// <summary>Rows and columns of C that a group computes.</summary>
    int Size { get; }

    /// <summary>Terms loaded into shared memory at once: <see cref="Size"/> × <see cref="Step"/> is 2048.</summary>
    int Step { get; }

    /// <summary>Writes four consecutive terms of a row to an operand's tile.</summary>
    void PutTerms(ArrayView<Float4> tile, int row, int term, Float4 values);

    /// <summary>Writes one term of four consecutive rows to an operand's tile.</summary>
    void PutRows(ArrayView<Float4> tile, int row, int term, Float4 values);

    /// <summary>This + the products of <see cref="Step"/> terms.</summary>
    /// <param name="thread">Which thread of the group this is.</param>
    /// <param name="left">A's tile.</param>
    /// <param name="right">B's tile.</param>
    TSelf Multiply(int thread, ArrayView<Float4> left, ArrayView<Float4> right);

    /// <summary>Writes the sums that the thread holds, for the tile that starts at a row and column.</summary>
    void Store<T>(int thread, GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>;
}

/// <summary>4×4 sums.</summary>
internal readonly struct Block(Float4 row0, Float4 row1, Float4 row2, Float4 row3)
{
    public readonly Float4 Row0 = row0;
    public readonly Float4 Row1 = row1;
    public readonly Float4 Row2 = row2;
    public readonly Float4 Row3 = row3;

    /// <summary>This + the outer product of four rows' and four columns' terms.</summary>
    public Block Add(Float4 left, Float4 right) => new(
        Row0.AddScaled(left.X, right), Row1.AddScaled(left.Y, right), Row2.AddScaled(left.Z, right), Row3.AddScaled(left.W, right));

    public void Store<T>(GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        output.Store(row, column, Row0);
        output.Store(row + 1, column, Row1);
        output.Store(row + 2, column, Row2);
        output.Store(row + 3, column, Row3);
    }
}

/// <summary>
/// Shared memory of the float32 tiles: term after term, so that a thread reads its rows of a term 16 bytes at a time. Four floats
/// of padding let the threads that write the terms of neighbouring rows use different banks.
/// </summary>
internal static class TermMajor
{
    public static void PutTerms(ArrayView<Float4> tile, int size, int row, int term, Float4 values)
    {
        var floats = tile.Cast<float>();
        var stride = size + 4;
        var column = floats.SubView((term * stride) + row);
        column[0] = values.X;
        column[stride] = values.Y;
        column[2 * stride] = values.Z;
        column[3 * stride] = values.W;
    }

    public static void PutRows(ArrayView<Float4> tile, int size, int row, int term, Float4 values) =>
        tile[(term * Stride(size)) + (row / 4)] = values;

    /// <summary>Groups of four floats from term to term.</summary>
    public static int Stride(int size) => (size / 4) + 1;

    /// <summary>
    /// Which four rows a thread has: a warp of 32 covers 4 × 8 blocks, so that what it reads is 4 and 8 groups of 16 bytes.
    /// </summary>
    public static int BlockRow(int thread) => (thread >> 6 << 2) + ((thread >> 3) & 3);

    /// <summary>Which four columns a thread has.</summary>
    public static int BlockColumn(int thread) => (((thread >> 5) & 1) << 3) + (thread & 7);
}

/// <summary>64×64, 4×4 per thread: for results too small to fill a GPU with larger tiles.</summary>
internal readonly struct Tile64(Block block) : ITile<Tile64>
{
    private readonly Block _block = block;

    public int Size => 64;

    public int Step => 32;

    public void PutTerms(ArrayView<Float4> tile, int row, int term, Float4 values) => TermMajor.PutTerms(tile, Size, row, term, values);

    public void PutRows(ArrayView<Float4> tile, int row, int term, Float4 values) => TermMajor.PutRows(tile, Size, row, term, values);

    public Tile64 Multiply(int thread, ArrayView<Float4> left, ArrayView<Float4> right)
    {
        int row = TermMajor.BlockRow(thread), column = TermMajor.BlockColumn(thread);
        var sum = this;
        for (var term = 0; term < Step; term += 4)
        {
            var stride = TermMajor.Stride(Size);
            var (l, r) = (left.SubView((term * stride) + row), right.SubView((term * stride) + column));
            sum = sum.Add(l, r, 0).Add(l, r, 1).Add(l, r, 2).Add(l, r, 3);
        }

        return sum;
    }

    public void Store<T>(int thread, GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T> =>
        _block.Store(output, row + (4 * TermMajor.BlockRow(thread)), column + (4 * TermMajor.BlockColumn(thread)));

    private Tile64 Add(ArrayView<Float4> left, ArrayView<Float4> right, int term) =>
        new(_block.Add(left[term * TermMajor.Stride(Size)], right[term * TermMajor.Stride(Size)]));
}

/// <summary>128×128, 8×8 per thread: rows and columns 4i … 4i + 3 and 64 + 4i … 64 + 4i + 3.</summary>
internal readonly struct Tile128(Block block00, Block block01, Block block10, Block block11) : ITile<Tile128>
{
    private readonly Block _block00 = block00;
    private readonly Block _block01 = block01;
    private readonly Block _block10 = block10;
    private readonly Block _block11 = block11;

    public int Size => 128;

    public int Step => 16;

    public void PutTerms(ArrayView<Float4> tile, int row, int term, Float4 values) => TermMajor.PutTerms(tile, Size, row, term, values);

    public void PutRows(ArrayView<Float4> tile, int row, int term, Float4 values) => TermMajor.PutRows(tile, Size, row, term, values);

    public Tile128 Multiply(int thread, ArrayView<Float4> left, ArrayView<Float4> right)
    {
        int row = TermMajor.BlockRow(thread), column = TermMajor.BlockColumn(thread);
        var sum = this;
        for (var term = 0; term < Step; term += 2)
        {
            var stride = TermMajor.Stride(Size);
            var (l, r) = (left.SubView((term * stride) + row), right.SubView((term * stride) + column));
            sum = sum.Add(l, r, 0).Add(l, r, 1);
        }

        return sum;
    }

    public void Store<T>(int thread, GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        row += 4 * TermMajor.BlockRow(thread);
        column += 4 * TermMajor.BlockColumn(thread);
        _block00.Store(output, row, column);
        _block01.Store(output, row, column + 64);
        _block10.Store(output, row + 64, column);
        _block11.Store(output, row + 64, column + 64);
    }

    private Tile128 Add(ArrayView<Float4> left, ArrayView<Float4> right, int term)
    {
        var at = term * TermMajor.Stride(Size);
        var (left0, left1, right0, right1) = (left[at], left[at + 16], right[at], right[at + 16]);
        return new(_block00.Add(left0, right0), _block01.Add(left0, right1), _block10.Add(left1, right0), _block11.Add(left1, right1));
    }
}
