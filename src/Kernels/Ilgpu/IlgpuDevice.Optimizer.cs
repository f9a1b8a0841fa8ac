using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Losses, dead latents and the optimizer.</content>
public sealed partial class IlgpuDevice
{
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
                OptimizerKernels.Adam<Float4>,
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
                OptimizerKernels.Adam<Float1>,
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
                OptimizerKernels.AdamByRows<Float4>,
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
                OptimizerKernels.AdamByRows<Float1>,
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
        if (values.Length > MaxForOneGroup)
        {
            var groups = SumGroups(values.Length);
            var partials = PartialSums(groups.GridDim.X);
            Launch(SumKernels.Sum, groups, values, partials);
            values = partials;
        }

        Launch(SumKernels.AddTotal, Groups(1), values, factor, View(result));
    }
}
