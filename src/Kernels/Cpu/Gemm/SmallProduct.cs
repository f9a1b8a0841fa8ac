using System.Runtime.CompilerServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// C = A·B for a B that stays in cache: nothing is packed, and tiles of up to 6 rows go from the registers straight to C.
/// </summary>
/// <remarks>
/// Tiles at the lower and right edges overlap their neighbours where they would be incomplete; both write the same bits. These are the
/// bits of the packed product: every element is one chain of fused multiply-adds in the order of k.
/// </remarks>
internal readonly unsafe struct SmallProduct<TSimd, TVector, TMaxVectors> : IParallelWork
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TMaxVectors : struct, ICount
{
    /// <summary>Rows of the largest tile; the product must not have fewer.</summary>
    public const int TileRows = 6;

    public required int Rows { get; init; }

    /// <summary>Columns of C, at least a vector's width.</summary>
    public required int Columns { get; init; }

    public required int Length { get; init; }

    public required float* A { get; init; }

    /// <summary>Floats from one row of op(A) to the next.</summary>
    public required nint RowStride { get; init; }

    /// <summary>Floats from one column of op(A) to the next.</summary>
    public required nint ColumnStride { get; init; }

    /// <summary>Length × columns.</summary>
    public required float* B { get; init; }

    public required nint Ldb { get; init; }

    public required float* C { get; init; }

    public required nint Ldc { get; init; }

    public required int RowsPerTask { get; init; }

    public void Run(int index)
    {
        var first = index * RowsPerTask;
        var last = Math.Min(Rows, first + RowsPerTask);
        for (var column = 0; column < Columns;)
        {
            var rest = Columns - column;
            if (TMaxVectors.Value >= 4 && rest >= 4 * TSimd.Width)
            {
                Strip<Count4>(first, last, column);
                column += 4 * TSimd.Width;
            }
            else if (rest >= 2 * TSimd.Width)
            {
                Strip<Count2>(first, last, column);
                column += 2 * TSimd.Width;
            }
            else
            {
                Strip<Count1>(first, last, Math.Min(column, Columns - TSimd.Width));
                column += TSimd.Width;
            }
        }
    }

    private void Strip<TVectors>(int first, int last, int column)
        where TVectors : struct, ICount
    {
        for (var i = first; i < last;)
        {
            var rest = last - i;
            if (rest > 4)
            {
                Tile<Count6, TVectors>(i, column);
                i += 6;
            }
            else if (rest > 2)
            {
                Tile<Count4, TVectors>(i, column);
                i += 4;
            }
            else
            {
                Tile<Count2, TVectors>(i, column);
                i += 2;
            }
        }
    }

    private void Tile<TRows, TVectors>(int row, int column)
        where TRows : struct, ICount
        where TVectors : struct, ICount
    {
        row = Math.Min(row, Rows - TRows.Value);
        Tile<TRows, TVectors>(Length, A + (row * RowStride), RowStride, ColumnStride, B + column, Ldb, C + (row * Ldc) + column, Ldc);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows, TVectors>(int k, float* a, nint rowStride, nint columnStride, float* b, nint ldb, float* c, nint ldc)
        where TRows : struct, ICount
        where TVectors : struct, ICount
    {
        var width = TSimd.Width;
        TVector c00 = TSimd.Zero, c01 = TSimd.Zero, c02 = TSimd.Zero, c03 = TSimd.Zero;
        TVector c10 = TSimd.Zero, c11 = TSimd.Zero, c12 = TSimd.Zero, c13 = TSimd.Zero;
        TVector c20 = TSimd.Zero, c21 = TSimd.Zero, c22 = TSimd.Zero, c23 = TSimd.Zero;
        TVector c30 = TSimd.Zero, c31 = TSimd.Zero, c32 = TSimd.Zero, c33 = TSimd.Zero;
        TVector c40 = TSimd.Zero, c41 = TSimd.Zero, c42 = TSimd.Zero, c43 = TSimd.Zero;
        TVector c50 = TSimd.Zero, c51 = TSimd.Zero, c52 = TSimd.Zero, c53 = TSimd.Zero;
        var lower = a + (3 * rowStride);
        for (; k > 0; k--)
        {
            TVector b0 = TSimd.Load(b), b1 = b0, b2 = b0, b3 = b0;
            if (TVectors.Value > 1)
            {
                b1 = TSimd.Load(b + width);
            }

            if (TVectors.Value > 2)
            {
                b2 = TSimd.Load(b + (2 * width));
                b3 = TSimd.Load(b + (3 * width));
            }

            var x = TSimd.Broadcast(a[0]);
            Add<TVectors>(x, b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
            x = TSimd.Broadcast(a[rowStride]);
            Add<TVectors>(x, b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);

            if (TRows.Value > 2)
            {
                x = TSimd.Broadcast(a[2 * rowStride]);
                Add<TVectors>(x, b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
                x = TSimd.Broadcast(lower[0]);
                Add<TVectors>(x, b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
            }

            if (TRows.Value > 4)
            {
                x = TSimd.Broadcast(lower[rowStride]);
                Add<TVectors>(x, b0, b1, b2, b3, ref c40, ref c41, ref c42, ref c43);
                x = TSimd.Broadcast(lower[2 * rowStride]);
                Add<TVectors>(x, b0, b1, b2, b3, ref c50, ref c51, ref c52, ref c53);
            }

            a += columnStride;
            lower += columnStride;
            b += ldb;
        }

        Store<TVectors>(c, c00, c01, c02, c03);
        Store<TVectors>(c + ldc, c10, c11, c12, c13);

        if (TRows.Value > 2)
        {
            Store<TVectors>(c + (2 * ldc), c20, c21, c22, c23);
            Store<TVectors>(c + (3 * ldc), c30, c31, c32, c33);
        }

        if (TRows.Value > 4)
        {
            Store<TVectors>(c + (4 * ldc), c40, c41, c42, c43);
            Store<TVectors>(c + (5 * ldc), c50, c51, c52, c53);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TVectors>(
        TVector x, TVector b0, TVector b1, TVector b2, TVector b3, ref TVector c0, ref TVector c1, ref TVector c2, ref TVector c3)
        where TVectors : struct, ICount
    {
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        if (TVectors.Value > 1)
        {
            c1 = TSimd.MultiplyAdd(x, b1, c1);
        }

        if (TVectors.Value > 2)
        {
            c2 = TSimd.MultiplyAdd(x, b2, c2);
            c3 = TSimd.MultiplyAdd(x, b3, c3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TVectors>(float* c, TVector c0, TVector c1, TVector c2, TVector c3)
        where TVectors : struct, ICount
    {
        var width = TSimd.Width;
        TSimd.Store(c, c0);
        if (TVectors.Value > 1)
        {
            TSimd.Store(c + width, c1);
        }

        if (TVectors.Value > 2)
        {
            TSimd.Store(c + (2 * width), c2);
            TSimd.Store(c + (3 * width), c3);
        }
    }
}
