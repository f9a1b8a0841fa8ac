using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Sparse products, the index by columns, and sums over nonzeros.</content>
public sealed partial class IlgpuDevice
{
    // From this share of active latents on, dense products take less time: 2 operations at 40 TFLOP/s for every element against 4 bytes
    // at 5.5 TB/s from the level-2 cache for every nonzero (H100) break even at 1/15, and writing the zeros out costs too.
    private const double DenseShare = 1.0 / 8;

    // A column with more nonzeros than two tiles is shared among threads. Tiles this small keep the last thread from working alone; at most
    // this many keep their sums, tiles·D floats, small beside the result.
    private const int NonzerosPerTile = 128;
    private const int MaxTiles = 4096;

    private const int NonzerosPerGroup = 8 * GroupSize;
    private const int MaxParts = 1024;

    /// <inheritdoc/>
    public override void BuildColumnIndex(CsrMatrix s)
    {
        if (s.HasColumnIndex)
        {
            return;
        }

        s.ColumnOffsets.Resize(s.Columns + 1);
        var count = s.MaxNonzeroCount;
        s.OpenRowIndices.Resize(count);
        s.OpenEntryOf.Resize(count);
        if (s.CountIsBound)
        {
            // Entries past the last nonzero point to the first one.
            s.OpenEntryOf.Clear();
        }

        var length = (s.Rows + ColumnIndexKernels.Block - 1L) / ColumnIndexKernels.Block * s.Columns;
        var bitmap = Scratch.IndexBits.WithLength(length);
        bitmap.Clear();
        var (words, before) = (bitmap.View, Scratch.IndexCounts.WithLength(length).View);
        var (rowOffsets, indices, columnOffsets) = (View(s.RowOffsets), View(s.OpenIndices), View(s.ColumnOffsets));
        if (count > 0)
        {
            Launch(ColumnIndexKernels.SetBits, Warps(s.Rows), rowOffsets, indices, words, s.Rows, s.Columns);
        }

        if (s.Columns > 0)
        {
            Launch(ColumnIndexKernels.CountColumns, Elements(s.Columns), words, before, columnOffsets, s.Columns);
        }

        ExclusiveScan(s.ColumnOffsets);
        if (count > 0)
        {
            Launch(
                ColumnIndexKernels.ListNonzeros,
                Warps(s.Rows),
                rowOffsets,
                indices,
                words,
                before,
                columnOffsets,
                View(s.OpenRowIndices),
                View(s.OpenEntryOf),
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
        if (IsNearlyDense(s.MaxNonzeroCount, (long)s.Rows * s.Columns))
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
    public override void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result, DeviceArray<int>? groupEnds = null)
    {
        RequireColumnIndex(s);
        RequireRows(s, x, groupEnds);
        Require(s.Columns == result.Rows && x.Columns == result.Columns, "shapes do not fit");
        var count = s.MaxNonzeroCount;
        if (count == 0 || x.Columns == 0)
        {
            return;
        }

        var weights = Scratch.ColumnValues.WithLength(count).View;
        var values = View(useGradient ? s.OpenGradient : s.OpenValues);
        Launch(SparseKernels.GatherEntries, Elements(count), values, View(s.OpenEntryOf), weights);
        if (IsVectorizable(x.Columns))
        {
            SpMMTransposed<Float4>(s, weights, x, result, ViewOrNone(groupEnds));
        }
        else
        {
            SpMMTransposed<Float1>(s, weights, x, result, ViewOrNone(groupEnds));
        }
    }

    /// <inheritdoc/>
    public override void SDDMM(CsrMatrix s, Tensor g, Tensor matrix, DeviceArray<int>? groupEnds = null)
    {
        RequireRows(s, g, groupEnds);
        Require(s.Columns == matrix.Rows && g.Columns == matrix.Columns, "shapes do not fit");
        if (s.MaxNonzeroCount == 0)
        {
            return;
        }

        if (IsVectorizable(g.Columns))
        {
            SDDMM<Float4>(s, g, matrix, ViewOrNone(groupEnds));
        }
        else
        {
            SDDMM<Float1>(s, g, matrix, ViewOrNone(groupEnds));
        }
    }

    /// <inheritdoc/>
    public override void SumGradientColumns(CsrMatrix s, Tensor sums)
    {
        RequireColumnIndex(s);
        Require(sums.Count == s.Columns, $"{sums.Count} sums for {s.Columns} latents");
        if (s.MaxNonzeroCount > 0)
        {
            Launch(
                SparseKernels.SumColumns,
                Warps(s.Columns),
                View(s.ColumnOffsets),
                View(s.OpenEntryOf),
                View(s.OpenGradient),
                s.Columns,
                View(sums));
        }
    }

    /// <inheritdoc/>
    public override void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result)
    {
        var groups = GroupsOf(s.MaxNonzeroCount);
        var parts = Scratch.PositiveSums.WithLength(2 * groups).View;
        Launch(SparseKernels.SumAndCountPositive, new(groups, GroupSize), View(s.OpenValues), parts);
        Launch(SparseKernels.SumParts, new(2, GroupSize), parts, View(result));
    }

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(CsrMatrix s, float amount)
    {
        if (s.MaxNonzeroCount > 0)
        {
            Launch(SparseKernels.AddWherePositive, Elements(s.MaxNonzeroCount), View(s.OpenValues), amount, View(s.OpenGradient));
        }
    }

    /// <inheritdoc/>
    public override void RemapColumns(CsrMatrix s, DeviceArray<int> list, int columns)
    {
        if (s.MaxNonzeroCount > 0)
        {
            Launch(SparseKernels.RemapColumns, Elements(s.MaxNonzeroCount), View(list), View(s.OpenIndices));
        }

        s.SetColumns(columns);
    }

    /// <summary>Whether a matrix of <paramref name="cells"/> elements has enough nonzeros for dense products to be faster.</summary>
    private static bool IsNearlyDense(long nonzeros, long cells) => cells <= int.MaxValue && nonzeros > DenseShare * cells;

    /// <summary>Groups that share the nonzeros among them, eight or more per thread.</summary>
    private static int GroupsOf(int nonzeros) => Math.Clamp(nonzeros / NonzerosPerGroup, 1, MaxParts);

    /// <summary>Memory for the bits and counts of the column index.</summary>
    private static long IndexScratchBytes(in WorkloadShape shape) =>
        2 * sizeof(int) * shape.Latents * DivideUp(shape.Rows, ColumnIndexKernels.Block);

    /// <summary>
    /// Replaces counts by offsets, in place: counts[i] = Σ_{j&lt;i} counts[j]. If the array has one more element than counts,
    /// that element becomes the total, whatever it held.
    /// </summary>
    private void ExclusiveScan(DeviceArray<int> counts)
    {
        var tiles = DivideUp(counts.Length, ScanKernels.Tile);
        var sums = Scratch.ScanTileSums.WithLength(tiles).View;
        if (tiles > 1)
        {
            Launch(ScanKernels.SumTiles, Groups(tiles), View(counts), sums);
        }

        Launch(ScanKernels.ScanTiles, Groups(tiles), View(counts), sums);
    }

    private static void RequireColumnIndex(CsrMatrix s) => Require(s.HasColumnIndex, "the columns are not indexed");

    private void SpMM<T>(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
        where T : unmanaged, IFloats<T>
    {
        var y = Floats<T>(result);
        Launch(
            SparseKernels.SpMM,
            Elements(y.Length),
            View(s.RowOffsets),
            View(s.OpenIndices),
            View(s.OpenValues),
            Floats<T>(matrix),
            bias is null ? default : Floats<T>(bias),
            y.IntLength / s.Rows,
            y);
    }

    /// <summary>SpMM with the zeros written out.</summary>
    private void MultiplyDense(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
    {
        var dense = Scratch.Dense;
        dense.Resize(s.Rows, s.Columns);
        dense.Clear();
        Launch(
            SparseKernels.WriteOut,
            Warps(s.Rows),
            View(s.RowOffsets),
            View(s.OpenIndices),
            View(s.OpenValues),
            s.Rows,
            s.Columns,
            View(dense));
        Gemm(false, false, 1, dense, matrix, 0, result, bias);
    }

    private void SpMMTransposed<T>(CsrMatrix s, ArrayView<float> weights, Tensor x, Tensor result, ArrayView<int> groupEnds)
        where T : unmanaged, IFloats<T>
    {
        var (input, y) = (Floats<T>(x), Floats<T>(result));
        var columns = y.IntLength / s.Columns;
        var (offsets, rowOf) = (View(s.ColumnOffsets), View(s.OpenRowIndices));
        var nonzeros = s.MaxNonzeroCount;
        var tile = Math.Max(NonzerosPerTile, nonzeros / MaxTiles);
        ArrayView<T> tiles = default;
        // No column has more nonzeros than there are rows.
        if (s.Rows > tile)
        {
            tiles = Scratch.ColumnTiles.WithLength((long)DivideUp(nonzeros, tile) * x.Columns).View.Cast<T>();
            Launch(
                SparseKernels.SumColumnTiles,
                Elements(tiles.Length),
                offsets,
                rowOf,
                View(s.OpenEntryOf),
                View(s.OpenIndices),
                weights,
                groupEnds,
                s.Rows,
                input,
                tile,
                columns,
                tiles);
        }

        Launch(
            SparseKernels.SpMMTransposed,
            Elements(y.Length),
            offsets,
            rowOf,
            weights,
            groupEnds,
            s.Rows,
            input,
            tiles,
            tile,
            columns,
            y);
    }

    private void SDDMM<T>(CsrMatrix s, Tensor g, Tensor matrix, ArrayView<int> groupEnds)
        where T : unmanaged, IFloats<T>
    {
        var (left, columns) = (Floats<T>(g), InUnits<T>(g.Columns));
        var length = s.Rows * columns;
        for (var group = 0; group * length < left.IntLength; group++)
        {
            Launch(
                SparseKernels.SDDMM,
                new(s.Rows, SparseKernels.SddmmGroupSize),
                View(s.RowOffsets),
                View(s.OpenIndices),
                groupEnds,
                group,
                left.SubView(group * length, length),
                Floats<T>(matrix),
                columns,
                View(s.OpenGradient));
        }
    }
}
