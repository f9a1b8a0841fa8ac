namespace MonoLoss.Kernels.Ilgpu;

/// <content>Sparse.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void IndexColumns(SparseRows s)
    {
        if (s.ColumnsIndexed)
        {
            return;
        }

        s.ColumnOffsets.Resize(s.Columns + 1);
        s.RowOf.Resize(s.Count);
        s.PlaceOf.Resize(s.Count);
        var length = (s.Rows + ColumnIndexKernels.Block - 1L) / ColumnIndexKernels.Block * s.Columns;
        var bitmap = Scratch<int>("bitmap of places", length);
        bitmap.Clear();
        var (words, before) = (bitmap.View, Scratch<int>("places before a block of rows", length).View);
        var (rowOffsets, indices, columnOffsets) = (View(s.RowOffsets), View(s.Indices), View(s.ColumnOffsets));
        if (s.Count > 0)
        {
            Launch(ColumnIndexKernels.SetBits, Warps(s.Rows), rowOffsets, indices, words, s.Rows, s.Columns);
        }

        if (s.Columns > 0)
        {
            Launch(ColumnIndexKernels.CountColumns, Elements(s.Columns), words, before, columnOffsets, s.Columns);
        }

        ExclusiveScan(s.ColumnOffsets);
        if (s.Count > 0)
        {
            Launch(
                ColumnIndexKernels.ListPlaces,
                Warps(s.Rows),
                rowOffsets,
                indices,
                words,
                before,
                columnOffsets,
                View(s.RowOf),
                View(s.PlaceOf),
                s.Rows,
                s.Columns);
        }

        s.ColumnsIndexed = true;
    }

    /// <inheritdoc/>
    public override void SpMM(SparseRows s, Tensor matrix, Tensor? bias, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SpMMTransposed(SparseRows s, bool useGradient, Tensor x, Tensor result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void Sddmm(SparseRows s, Tensor g, Tensor matrix) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SumGradientColumns(SparseRows s, Tensor sums) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void SumPositive(SparseRows s, DeviceArray<double> result) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(SparseRows s, float amount) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override void MapColumns(SparseRows s, DeviceArray<int> list, int columns) => throw new NotImplementedException();
}
