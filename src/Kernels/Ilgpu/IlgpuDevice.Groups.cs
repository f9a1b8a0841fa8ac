namespace MonoLoss.Kernels.Ilgpu;

/// <content>Nested groups of latents (Matryoshka).</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void DecodeGroups(in GroupDecodeArgs work)
    {
        var (s, d, groups) = (work.Latents, work.Matrix.Columns, (int)work.GroupEnds.Length);
        Require(s.Columns == work.Matrix.Rows && groups > 0, $"{s.Columns} columns times {work.Matrix.Rows} rows");
        Require(work.Target.Rows == s.Rows && work.Target.Columns == d, "shapes do not fit");
        work.Result.Resize(s.Rows, d);
        work.Errors.Resize(groups * s.Rows, d);
        if (IsVectorizable(d))
        {
            DecodeGroups<Float4>(work);
        }
        else
        {
            DecodeGroups<Float1>(work);
        }
    }

    /// <inheritdoc/>
    public override void SumGroupErrors(Tensor errors, int groups, double factor, Tensor? scale, Tensor? last)
    {
        Require(groups > 0 && errors.Rows % groups == 0, $"{errors.Rows} rows for {groups} groups");
        var rows = errors.Rows / groups;
        Require(
            (scale is null || scale.Count == rows) && (last is null || (last.Rows == rows && last.Columns == errors.Columns)),
            "shapes do not fit");
        if (IsVectorizable(errors.Columns))
        {
            SumGroupErrors<Float4>(errors, groups, factor, scale, last);
        }
        else
        {
            SumGroupErrors<Float1>(errors, groups, factor, scale, last);
        }
    }

    private void DecodeGroups<T>(in GroupDecodeArgs work)
        where T : unmanaged, IFloats<T>
    {
        var (s, result, errors) = (work.Latents, Floats<T>(work.Result), Floats<T>(work.Errors));
        var columns = InUnits<T>(work.Matrix.Columns);
        Launch(
            GroupKernels.Decode,
            Elements(result.Length),
            View(s.RowOffsets),
            View(s.OpenIndices),
            View(s.OpenValues),
            View(work.GroupEnds),
            Floats<T>(work.Matrix),
            RowsOrNone<T>(work.Bias),
            columns,
            new RowScale(RowsOrNone<float>(work.Scale), RowsOrNone<float>(work.Shift)),
            Floats<T>(work.Target),
            errors,
            result);
        var squares = Scratch.RowErrors.WithLength(work.Errors.Rows).View;
        Launch(GroupKernels.RowSquares, Warps(work.Errors.Rows), errors, work.Errors.Rows, columns, squares);
        Launch(SparseKernels.SumParts, new((int)work.GroupEnds.Length, GroupSize), squares, View(work.Squares));
    }

    private void SumGroupErrors<T>(Tensor errors, int groups, double factor, Tensor? scale, Tensor? last)
        where T : unmanaged, IFloats<T>
    {
        var view = Floats<T>(errors);
        Launch(
            GroupKernels.SumErrors,
            Elements(view.Length / groups),
            view,
            groups,
            InUnits<T>(errors.Columns),
            (float)factor,
            new RowScale(RowsOrNone<float>(scale), default),
            RowsOrNone<T>(last));
    }

    /// <summary>Checks that there are as many rows as latents have, for every group of columns.</summary>
    private static void RequireRows(CsrMatrix s, Tensor x, DeviceArray<int>? groupEnds) =>
        Require(x.Rows == s.Rows * (groupEnds?.Length ?? 1), $"{x.Rows} rows for {s.Rows}");
}
