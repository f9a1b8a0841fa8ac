using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Sparse.</content>
public sealed partial class IlgpuDevice
{
    // From this share of active latents on, multiplying zeros and all takes less time: 2 operations at 40 TFLOP/s for every element
    // against 4 bytes at 5.5 TB/s from the level-2 cache for every entry (H100) meet at 1/15, and writing the zeros out costs too.
    private const double DenseShare = 1.0 / 8;

    // A column of more nonzeros than two tiles is shared among threads: so few keep the last thread from working alone, so many keep
    // their sums, tiles·D floats, small beside the result.
    private const int NonzerosPerTile = 128;
    private const int MaxTiles = 4096;

    private const int NonzerosPerGroup = 8 * GroupSize;
    private const int MaxParts = 1024;

    private Tensor? _dense;

    /// <inheritdoc/>
    public override void BuildColumnIndex(CsrMatrix s)
    {
        if (s.HasColumnIndex)
        {
            return;
        }

        s.ColumnOffsets.Resize(s.Columns + 1);
        s.RowIndices.Resize(s.NonzeroCount);
        s.EntryOf.Resize(s.NonzeroCount);
        var length = (s.Rows + ColumnIndexKernels.Block - 1L) / ColumnIndexKernels.Block * s.Columns;
        var bitmap = Scratch<int>("bitmap of nonzeros", length);
        bitmap.Clear();
        var (words, before) = (bitmap.View, Scratch<int>("nonzeros before a block of rows", length).View);
        var (rowOffsets, indices, columnOffsets) = (View(s.RowOffsets), View(s.Indices), View(s.ColumnOffsets));
        if (s.NonzeroCount > 0)
        {
            Launch(ColumnIndexKernels.SetBits, Warps(s.Rows), rowOffsets, indices, words, s.Rows, s.Columns);
        }

        if (s.Columns > 0)
        {
            Launch(ColumnIndexKernels.CountColumns, Elements(s.Columns), words, before, columnOffsets, s.Columns);
        }

        ExclusiveScan(s.ColumnOffsets);
        if (s.NonzeroCount > 0)
        {
            Launch(
                ColumnIndexKernels.ListNonzeros,
                Warps(s.Rows),
                rowOffsets,
                indices,
                words,
                before,
                columnOffsets,
                View(s.RowIndices),
                View(s.EntryOf),
                s.Rows,
                s.Columns);
        }

        s.HasColumnIndex = true;
    }

    /// <inheritdoc/>
    public override void SpMM(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
    {
        Require(s.Columns == matrix.Rows, $"{s.Columns} columns times {matrix.Rows} rows");
        Require(bias is null || bias.Count == matrix.Columns, $"a bias of {bias?.Count} values for {matrix.Columns} columns");
        result.Resize(s.Rows, matrix.Columns);
        if (IsNearlyDense(s))
        {
            MultiplyDense(s, matrix, bias, result);
        }
        else if (result.Count > 0)
        {
            if (IsVectorizable(matrix.Columns))
            {
                SpMM<Float4>(s, matrix, bias, result);
            }
            else
            {
                SpMM<Float1>(s, matrix, bias, result);
            }
        }
    }

    /// <inheritdoc/>
    public override void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result)
    {
        RequireColumnIndex(s);
        Require(s.Rows == x.Rows && s.Columns == result.Rows && x.Columns == result.Columns, "shapes do not fit");
        if (s.NonzeroCount == 0 || x.Columns == 0)
        {
            return;
        }

        var weights = Scratch<float>("values by column", s.NonzeroCount).View;
        Launch(SparseKernels.GatherEntries, Elements(s.NonzeroCount), View(useGradient ? s.Gradient : s.Values), View(s.EntryOf), weights);
        if (IsVectorizable(x.Columns))
        {
            SpMMTransposed<Float4>(s, weights, x, result);
        }
        else
        {
            SpMMTransposed<Float1>(s, weights, x, result);
        }
    }

    /// <inheritdoc/>
    public override void SDDMM(CsrMatrix s, Tensor g, Tensor matrix)
    {
        Require(s.Rows == g.Rows && s.Columns == matrix.Rows && g.Columns == matrix.Columns, "shapes do not fit");
        if (s.NonzeroCount == 0)
        {
            return;
        }

        if (IsVectorizable(g.Columns))
        {
            SDDMM<Float4>(s, g, matrix);
        }
        else
        {
            SDDMM<Float1>(s, g, matrix);
        }
    }

    /// <inheritdoc/>
    public override void SumGradientColumns(CsrMatrix s, Tensor sums)
    {
        RequireColumnIndex(s);
        Require(sums.Count == s.Columns, $"{sums.Count} sums for {s.Columns} latents");
        if (s.NonzeroCount > 0)
        {
            Launch(
                SparseKernels.SumColumns, Warps(s.Columns), View(s.ColumnOffsets), View(s.EntryOf), View(s.Gradient), s.Columns, View(sums));
        }
    }

    /// <inheritdoc/>
    public override void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result)
    {
        var groups = GroupsOf(s.NonzeroCount);
        var parts = Scratch<double>("parts of sums", 2 * groups).View;
        Launch(SparseKernels.SumAndCountPositive, new(groups, GroupSize), View(s.Values), parts);
        Launch(SparseKernels.SumParts, new(2, GroupSize), parts, View(result));
    }

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(CsrMatrix s, float amount)
    {
        if (s.NonzeroCount > 0)
        {
            Launch(SparseKernels.AddWherePositive, Elements(s.NonzeroCount), View(s.Values), amount, View(s.Gradient));
        }
    }

    /// <inheritdoc/>
    public override void RemapColumns(CsrMatrix s, DeviceArray<int> list, int columns)
    {
        if (s.NonzeroCount > 0)
        {
            Launch(SparseKernels.RemapColumns, Elements(s.NonzeroCount), View(list), View(s.Indices));
        }

        s.SetColumns(columns);
    }

    private static bool IsNearlyDense(CsrMatrix s)
    {
        var cells = (long)s.Rows * s.Columns;
        return s.NonzeroCount > DenseShare * cells && cells <= int.MaxValue;
    }

    /// <summary>Groups that share the places among them, eight or more a thread.</summary>
    private static int GroupsOf(int nonzeros) => Math.Clamp(nonzeros / NonzerosPerGroup, 1, MaxParts);

    private static void RequireColumnIndex(CsrMatrix s) => Require(s.HasColumnIndex, "the columns are not indexed");

    private void SpMM<T>(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var y = Floats<T>(result);
        Launch(
            SparseKernels.SpMM,
            Elements(y.Length),
            View(s.RowOffsets),
            View(s.Indices),
            View(s.Values),
            Floats<T>(matrix),
            bias is null ? default : Floats<T>(bias),
            y.IntLength / s.Rows,
            y);
    }

    /// <summary>SpMM with the zeros written out.</summary>
    private void MultiplyDense(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
    {
        _dense ??= Tensor(0, 0);
        _dense.Resize(s.Rows, s.Columns);
        _dense.Clear();
        Launch(
            SparseKernels.WriteOut, Warps(s.Rows), View(s.RowOffsets), View(s.Indices), View(s.Values), s.Rows, s.Columns, View(_dense));
        Gemm(false, false, 1, _dense, matrix, 0, result, bias);
    }

    private void SpMMTransposed<T>(CsrMatrix s, ArrayView<float> weights, Tensor x, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var (input, y) = (Floats<T>(x), Floats<T>(result));
        var columns = y.IntLength / s.Columns;
        var (offsets, rowOf) = (View(s.ColumnOffsets), View(s.RowIndices));
        var tile = Math.Max(NonzerosPerTile, s.NonzeroCount / MaxTiles);
        ArrayView<T> tiles = default;
        // No column has more nonzeros than there are rows.
        if (s.Rows > tile)
        {
            var count = (s.NonzeroCount + tile - 1) / tile;
            tiles = Scratch<T>($"tiles of {typeof(T).Name}", (long)count * columns).View;
            Launch(
                SparseKernels.SumColumnTiles,
                Elements(tiles.Length),
                offsets,
                rowOf,
                View(s.EntryOf),
                View(s.Indices),
                weights,
                input,
                tile,
                columns,
                tiles);
        }

        Launch(SparseKernels.SpMMTransposed, Elements(y.Length), offsets, rowOf, weights, input, tiles, tile, columns, y);
    }

    private void SDDMM<T>(CsrMatrix s, Tensor g, Tensor matrix)
        where T : unmanaged, IFloats<T>
    {
        var left = Floats<T>(g);
        Launch(
            SparseKernels.SDDMM,
            new(s.Rows, SparseKernels.SddmmGroupSize),
            View(s.RowOffsets),
            View(s.Indices),
            left,
            Floats<T>(matrix),
            left.IntLength / s.Rows,
            View(s.Gradient));
    }
}
