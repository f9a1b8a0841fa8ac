using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Four numbers' bits, loaded and stored as 16 bytes.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Pack = 16)]
internal readonly struct Bits4(int x, int y, int z, int w)
{
    public readonly int X = x;
    public readonly int Y = y;
    public readonly int Z = z;
    public readonly int W = w;
}

/// <summary>16×32 sums of a warp: four products of <see cref="TensorCore"/> beside each other.</summary>
internal readonly struct TensorRow(Float4 sums0, Float4 sums1, Float4 sums2, Float4 sums3)
{
    private readonly Float4 _sums0 = sums0;
    private readonly Float4 _sums1 = sums1;
    private readonly Float4 _sums2 = sums2;
    private readonly Float4 _sums3 = sums3;

    /// <summary>This + the products of 16 terms of 16 rows and 32 columns, of which a lane has four terms each.</summary>
    public TensorRow Add(Bits4 upper, Bits4 lower, Bits4 column0, Bits4 column1, Bits4 column2, Bits4 column3)
    {
        var first = new Bits4(upper.X, lower.X, upper.Y, lower.Y);
        var second = new Bits4(upper.Z, lower.Z, upper.W, lower.W);
        return new(
            Add(_sums0, first, second, column0),
            Add(_sums1, first, second, column1),
            Add(_sums2, first, second, column2),
            Add(_sums3, first, second, column3));
    }

    public void Store<T>(GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        Store(output, row, column, _sums0);
        Store(output, row, column + 8, _sums1);
        Store(output, row, column + 16, _sums2);
        Store(output, row, column + 24, _sums3);
    }

    private static Float4 Add(Float4 sums, Bits4 first, Bits4 second, Bits4 column) =>
        TensorCore.MultiplyAdd(TensorCore.MultiplyAdd(sums, first, column.X, column.Y), second, column.Z, column.W);

    // A lane has two columns of two rows; with its neighbour's it has four columns of one.
    private static void Store<T>(GemmOutput<T> output, int row, int column, Float4 sums)
        where T : unmanaged, IFloats<T>
    {
        var even = (Warp.LaneIdx & 1) == 0;
        var x = Warp.ShuffleXor(Utilities.Select(even, sums.Z, sums.X), 1);
        var y = Warp.ShuffleXor(Utilities.Select(even, sums.W, sums.Y), 1);
        output.Store(
            row + TensorCore.GroupOf(Warp.LaneIdx) + Utilities.Select(even, 0, 8),
            column + (2 * (TensorCore.MemberOf(Warp.LaneIdx) & 2)),
            new(
                Utilities.Select(even, sums.X, x),
                Utilities.Select(even, sums.Y, y),
                Utilities.Select(even, x, sums.Z),
                Utilities.Select(even, y, sums.W)));
    }
}

/// <summary>128×128 by tensor cores in TF32, a warp 64×32.</summary>
/// <remarks>
/// Shared memory holds row after row, four groups of four terms each. In which order terms are summed is free, as long as it is the same
/// for both operands: so the four terms that a lane reads at once serve as its terms t and t + 4 of two products. The groups of a
/// row are stored in an order that differs from one pair of rows to the next, so that eight lanes read from all banks.
/// </remarks>
internal readonly struct TensorTile(TensorRow row0, TensorRow row1, TensorRow row2, TensorRow row3) : ITile<TensorTile>
{
    private readonly TensorRow _row0 = row0;
    private readonly TensorRow _row1 = row1;
    private readonly TensorRow _row2 = row2;
    private readonly TensorRow _row3 = row3;

    public int Size => 128;

    public int Step => 16;

    public void PutTerms(ArrayView<Float4> tile, int row, int term, Float4 values) =>
        tile.Cast<Bits4>()[At(row, term >> 2)] = new(Round(values.X), Round(values.Y), Round(values.Z), Round(values.W));

    public void PutRows(ArrayView<Float4> tile, int row, int term, Float4 values)
    {
        var bits = tile.Cast<int>();
        bits[(4 * At(row, term >> 2)) + (term & 3)] = Round(values.X);
        bits[(4 * At(row + 1, term >> 2)) + (term & 3)] = Round(values.Y);
        bits[(4 * At(row + 2, term >> 2)) + (term & 3)] = Round(values.Z);
        bits[(4 * At(row + 3, term >> 2)) + (term & 3)] = Round(values.W);
    }

    public TensorTile Multiply(int thread, ArrayView<Float4> left, ArrayView<Float4> right)
    {
        var lane = Warp.LaneIdx;
        var l = left.Cast<Bits4>().SubView(At(WarpRow(thread) + TensorCore.GroupOf(lane), TensorCore.MemberOf(lane)));
        var r = right.Cast<Bits4>().SubView(At(WarpColumn(thread) + TensorCore.GroupOf(lane), TensorCore.MemberOf(lane)));
        var (column0, column1, column2, column3) = (r[0], r[At(8, 0)], r[At(16, 0)], r[At(24, 0)]);
        return new(
            _row0.Add(l[0], l[At(8, 0)], column0, column1, column2, column3),
            _row1.Add(l[At(16, 0)], l[At(24, 0)], column0, column1, column2, column3),
            _row2.Add(l[At(32, 0)], l[At(40, 0)], column0, column1, column2, column3),
            _row3.Add(l[At(48, 0)], l[At(56, 0)], column0, column1, column2, column3));
    }

    public void Store<T>(int thread, GemmOutput<T> output, int row, int column)
        where T : unmanaged, IFloats<T>
    {
        row += WarpRow(thread);
        column += WarpColumn(thread);
        _row0.Store(output, row, column);
        _row1.Store(output, row + 16, column);
        _row2.Store(output, row + 32, column);
        _row3.Store(output, row + 48, column);
    }

    /// <summary>
    /// The bits of the nearest number with a mantissa of 10 bits, ties away from 0, as <c>cvt.rna.tf32.f32</c> makes them.
    /// </summary>
    internal static int Round(float value)
    {
        // A NaN could wrap around.
        var bits = ((int)Interop.FloatAsInt(value) + 0x1000) & ~0x1FFF;
        return Utilities.Select(float.IsNaN(value), 0x7FC00000, bits);
    }

    private static int At(int row, int group) => (row << 2) + (group ^ ((row >> 1) & 3));

    private static int WarpRow(int thread) => thread >> 7 << 6;

    private static int WarpColumn(int thread) => ((thread >> 5) & 3) << 5;
}
