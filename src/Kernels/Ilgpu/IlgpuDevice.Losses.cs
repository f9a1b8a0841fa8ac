using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Squared errors and their gradients.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result)
    {
        RequireSameShape(r, t);
        var errors = Scratch<double>("row errors", r.Rows).View;
        if (IsVectorizable(r.Columns))
        {
            Launch(
                LossKernels.SquaredErrors<Float4>,
                Warps(r.Rows),
                Vectors(r),
                Vectors(t),
                r.Rows,
                r.Columns / 4,
                weight,
                relative ? 1 : 0,
                errors);
        }
        else
        {
            Launch(
                LossKernels.SquaredErrors<Float1>,
                Warps(r.Rows),
                Singles(r),
                Singles(t),
                r.Rows,
                r.Columns,
                weight,
                relative ? 1 : 0,
                errors);
        }

        AddTotal(errors, 0, result);
    }

    /// <inheritdoc/>
    public override void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient)
    {
        RequireSameShape(r, t);
        RequireSameShape(r, gradient);
        factor *= 2 * weight;
        if (!relative && IsVectorizable(r.Count))
        {
            Launch(
                LossKernels.AddScaledDifference<Float4>, Elements(r.Count / 4), Vectors(r), Vectors(t), (float)factor, Vectors(gradient));
        }
        else if (!relative)
        {
            Launch(LossKernels.AddScaledDifference<Float1>, Elements(r.Count), Singles(r), Singles(t), (float)factor, Singles(gradient));
        }
        else if (IsVectorizable(r.Columns))
        {
            Launch(
                LossKernels.AddRelativeDifference<Float4>, RowGroups(r.Rows, r.Columns / 4), Vectors(r), Vectors(t), r.Columns / 4, factor, Vectors(gradient));
        }
        else
        {
            Launch(LossKernels.AddRelativeDifference<Float1>, RowGroups(r.Rows, r.Columns), Singles(r), Singles(t), r.Columns, factor, Singles(gradient));
        }
    }

    /// <inheritdoc/>
    public override void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums)
    {
        RequireSameShape(x, r);
        Require(sums.Length == 3L * x.Columns, "three sums a column");
        var (rowsPerPart, parts) = Parts(x.Rows);
        var partials = PartialSums(3L * parts * x.Columns);
        if (IsVectorizable(x.Columns))
        {
            Launch(
                SumKernels.SumColumnErrors<Float4, Double4>,
                Columns(x.Columns / 4, parts),
                Vectors(x),
                Vectors(r),
                x.Rows,
                x.Columns / 4,
                rowsPerPart,
                partials.Cast<Double4>());
        }
        else
        {
            Launch(
                SumKernels.SumColumnErrors<Float1, Double1>,
                Columns(x.Columns, parts),
                Singles(x),
                Singles(r),
                x.Rows,
                x.Columns,
                rowsPerPart,
                partials.Cast<Double1>());
        }

        Launch(SumKernels.AddPartials, Columns(3 * x.Columns), partials, parts, 3 * x.Columns, View(sums));
    }
}
