namespace MonoLoss.Kernels.Ilgpu;

/// <content>Squared errors and their gradients.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result)
    {
        RequireSameShape(r, t);
        if (IsVectorizable(r.Columns))
        {
            SquaredError<Float4>(r, t, weight, relative, result);
        }
        else
        {
            SquaredError<Float1>(r, t, weight, relative, result);
        }
    }

    /// <inheritdoc/>
    public override void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient)
    {
        RequireSameShape(r, t);
        RequireSameShape(r, gradient);
        factor *= 2 * weight;
        if (IsVectorizable(relative ? r.Columns : r.Count))
        {
            SquaredErrorGradient<Float4>(r, t, relative, factor, gradient);
        }
        else
        {
            SquaredErrorGradient<Float1>(r, t, relative, factor, gradient);
        }
    }

    /// <inheritdoc/>
    public override void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums)
    {
        RequireSameShape(x, r);
        Require(sums.Length == 3L * x.Columns, "three sums per column");
        if (IsVectorizable(x.Columns))
        {
            AccumulateColumnErrors<Float4, Double4>(x, r, sums);
        }
        else
        {
            AccumulateColumnErrors<Float1, Double1>(x, r, sums);
        }
    }

    private void SquaredError<T>(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result)
        where T : unmanaged, IFloats<T>
    {
        var errors = Scratch.RowErrors.WithLength(r.Rows).View;
        Launch(
            LossKernels.SquaredErrors<T>,
            Warps(r.Rows),
            Floats<T>(r),
            Floats<T>(t),
            r.Rows,
            InUnits<T>(r.Columns),
            weight,
            relative ? 1 : 0,
            errors);
        AddTotal(errors, 0, result);
    }

    private void SquaredErrorGradient<T>(Tensor r, Tensor t, bool relative, double factor, Tensor gradient)
        where T : unmanaged, IFloats<T>
    {
        var (left, right, target, columns) = (Floats<T>(r), Floats<T>(t), Floats<T>(gradient), InUnits<T>(r.Columns));
        if (relative)
        {
            Launch(LossKernels.AddRelativeDifference<T>, RowGroups(r.Rows, columns), left, right, columns, factor, target);
        }
        else
        {
            Launch(LossKernels.AddScaledDifference<T>, Elements(left.Length), left, right, (float)factor, target);
        }
    }

    private void AccumulateColumnErrors<T, TSums>(Tensor x, Tensor r, DeviceArray<double> sums)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var (rowsPerPart, parts) = Parts(x.Rows);
        var partials = Scratch.PartialSums.WithLength(3L * parts * x.Columns).View;
        var columns = InUnits<T>(x.Columns);
        Launch(
            SumKernels.SumColumnErrors<T, TSums>,
            Columns(columns, parts),
            Floats<T>(x),
            Floats<T>(r),
            x.Rows,
            columns,
            rowsPerPart,
            partials.Cast<TSums>());
        Launch(SumKernels.AddPartials, Columns(3 * x.Columns), partials, parts, 3 * x.Columns, View(sums));
    }
}
