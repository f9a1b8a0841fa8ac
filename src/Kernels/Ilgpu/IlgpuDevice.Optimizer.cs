using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Losses, dead latents and the optimizer.</content>
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

    /// <inheritdoc/>
    public override void CountSilentBatches(SparseRows s, DeviceArray<int> counters, int fired)
    {
        Require(s.ColumnsIndexed && counters.Length == s.Columns, "columns indexed, and one counter a latent");
        Launch(
            TrainingKernels.CountSilentBatches,
            Elements(s.Columns),
            View(s.ColumnOffsets),
            View(s.PlaceOf),
            View(s.Values),
            View(counters),
            fired);
    }

    /// <inheritdoc/>
    public override int ListSilent(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        list.Resize(counters.Length);
        var groups = Elements(counters.Length);
        var counts = Scratch<int>("silent counts", groups.GridDim.X).View;
        var total = Scratch<int>("silent total", 1);
        Launch(TrainingKernels.CountSilent, groups, View(counters), least, counts);
        Launch(
            TrainingKernels.ListSilent, groups, View(counters), least, counts, View(list), total.View);
        Span<int> count = stackalloc int[1];
        total.CopyTo(count);
        list.Resize(count[0]);
        return count[0];
    }

    /// <inheritdoc/>
    public override void AddSumSquares(Tensor x, DeviceArray<double> result)
    {
        var isVectorizable = IsVectorizable(x.Count);
        var groups = SumGroups(isVectorizable ? x.Count / 4 : x.Count);
        var partials = PartialSums(groups.GridDim.X);
        if (isVectorizable)
        {
            Launch(SumKernels.SumSquares<Float4>, groups, Vectors(x), partials);
        }
        else
        {
            Launch(SumKernels.SumSquares<Float1>, groups, Singles(x), partials);
        }

        Launch(SumKernels.AddTotal, Groups(1), partials, 1.0, View(result));
    }

    /// <inheritdoc/>
    public override void AddSum(DeviceArray<double> values, DeviceArray<double> result) => AddTotal(View(values), 1, result);

    /// <inheritdoc/>
    public override void NormalizeRows(Tensor x)
    {
        if (IsVectorizable(x.Columns))
        {
            Launch(RowKernels.NormalizeRows<Float4>, RowGroups(x.Rows, x.Columns / 4), Vectors(x), x.Columns / 4);
        }
        else
        {
            Launch(RowKernels.NormalizeRows<Float1>, RowGroups(x.Rows, x.Columns), Singles(x), x.Columns);
        }
    }

    /// <inheritdoc/>
    public override void Adam(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step)
    {
        RequireSameShape(parameter, gradient);
        RequireSameShape(parameter, firstMoment);
        RequireSameShape(parameter, secondMoment);
        var factors = new AdamFactors(
            step.Beta1,
            1 - step.Beta1,
            step.Beta2,
            1 - step.Beta2,
            step.GradientScale,
            (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step))),
            (float)(1 / Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step))),
            step.Epsilon);
        if (step.UnitRows || step.Project)
        {
            AdamByRows(parameter, gradient, firstMoment, secondMoment, step, factors);
        }
        else if (IsVectorizable(parameter.Count))
        {
            Launch(
                TrainingKernels.Adam<Float4>,
                Elements(parameter.Count / 4),
                Vectors(parameter),
                Vectors(gradient),
                Vectors(firstMoment),
                Vectors(secondMoment),
                factors);
        }
        else
        {
            Launch(
                TrainingKernels.Adam<Float1>,
                Elements(parameter.Count),
                Singles(parameter),
                Singles(gradient),
                Singles(firstMoment),
                Singles(secondMoment),
                factors);
        }
    }

    private void AdamByRows(
        Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step, AdamFactors factors)
    {
        var (unitRows, project) = (step.UnitRows ? 1 : 0, step.Project ? 1 : 0);
        if (IsVectorizable(parameter.Columns))
        {
            Launch(
                TrainingKernels.AdamByRows<Float4>,
                RowGroups(parameter.Rows, parameter.Columns / 4),
                Vectors(parameter),
                Vectors(gradient),
                Vectors(firstMoment),
                Vectors(secondMoment),
                parameter.Columns / 4,
                unitRows,
                project,
                factors);
        }
        else
        {
            Launch(
                TrainingKernels.AdamByRows<Float1>,
                RowGroups(parameter.Rows, parameter.Columns),
                Singles(parameter),
                Singles(gradient),
                Singles(firstMoment),
                Singles(secondMoment),
                parameter.Columns,
                unitRows,
                project,
                factors);
        }
    }

    /// <summary>result[0] = factor·result[0] + Σ values: at once, or if they are many in parts.</summary>
    private void AddTotal(ArrayView<double> values, double factor, DeviceArray<double> result)
    {
        if (values.Length > MostForOneGroup)
        {
            var groups = SumGroups(values.Length);
            var partials = PartialSums(groups.GridDim.X);
            Launch(SumKernels.Sum, groups, values, partials);
            values = partials;
        }

        Launch(SumKernels.AddTotal, Groups(1), values, factor, View(result));
    }
}
