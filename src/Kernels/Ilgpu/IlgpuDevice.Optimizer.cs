using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>The optimizer.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void AddSumSquares(Tensor x, DeviceArray<double> result)
    {
        if (IsVectorizable(x.Count))
        {
            AddSumSquares<Float4>(x, result);
        }
        else
        {
            AddSumSquares<Float1>(x, result);
        }
    }

    /// <inheritdoc/>
    public override void AddSum(DeviceArray<double> values, DeviceArray<double> result) => AddTotal(View(values), 1, result);

    /// <inheritdoc/>
    public override void ClipFactor(DeviceArray<double> squares, double maxNorm, DeviceArray<float> factor) =>
        Launch(OptimizerKernels.ClipFactor, new(1, 1), View(squares), maxNorm, ClipEpsilon, View(factor));

    /// <inheritdoc/>
    public override void NormalizeRows(Tensor x)
    {
        if (IsVectorizable(x.Columns))
        {
            Launch(RowKernels.NormalizeRows<Float4>, RowGroups(x.Rows, x.Columns / 4), Floats<Float4>(x), x.Columns / 4);
        }
        else
        {
            Launch(RowKernels.NormalizeRows<Float1>, RowGroups(x.Rows, x.Columns), Floats<Float1>(x), x.Columns);
        }
    }

    /// <inheritdoc/>
    public override void Adam(
        Tensor parameter,
        Tensor gradient,
        Tensor firstMoment,
        Tensor secondMoment,
        in AdamStep step,
        DeviceArray<float>? gradientScale = null)
    {
        RequireSameShape(parameter, gradient);
        RequireSameShape(parameter, firstMoment);
        RequireSameShape(parameter, secondMoment);
        if (IsVectorizable(step.UnitRows || step.Project ? parameter.Columns : parameter.Count))
        {
            Adam<Float4>(parameter, gradient, firstMoment, secondMoment, step, ViewOrNone(gradientScale));
        }
        else
        {
            Adam<Float1>(parameter, gradient, firstMoment, secondMoment, step, ViewOrNone(gradientScale));
        }
    }

    private void AddSumSquares<T>(Tensor x, DeviceArray<double> result)
        where T : unmanaged, IFloats<T>
    {
        var values = Floats<T>(x);
        var groups = SumGroups(values.Length);
        var partials = Scratch.PartialSums.WithLength(groups.GridDim.X).View;
        Launch(SumKernels.SumSquares<T>, groups, values, partials);
        Launch(SumKernels.AddTotal, Groups(1), partials, 1.0, View(result));
    }

    private void Adam<T>(
        Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamStep step, ArrayView<float> gradientScale)
        where T : unmanaged, IFloats<T>
    {
        var factors = new AdamFactors(
            step.Beta1,
            1 - step.Beta1,
            step.Beta2,
            1 - step.Beta2,
            step.StepSize,
            step.RootCorrection,
            step.Epsilon,
            step.RelativeDecay);
        var (values, gradients) = (Floats<T>(parameter), Floats<T>(gradient));
        var (first, second) = (Floats<T>(firstMoment), Floats<T>(secondMoment));
        if (step.UnitRows || step.Project)
        {
            var columns = InUnits<T>(parameter.Columns);
            Launch(
                OptimizerKernels.AdamByRows<T>,
                RowGroups(parameter.Rows, columns),
                values,
                gradients,
                first,
                second,
                columns,
                step.UnitRows ? 1 : 0,
                step.Project ? 1 : 0,
                gradientScale,
                factors);
        }
        else
        {
            Launch(OptimizerKernels.Adam<T>, Elements(values.Length), values, gradients, first, second, gradientScale, factors);
        }
    }

    /// <summary>result[0] = factor·result[0] + Σ values: at once, or in parts if they are many.</summary>
    private void AddTotal(ArrayView<double> values, double factor, DeviceArray<double> result)
    {
        if (values.Length > MaxForOneGroup)
        {
            var groups = SumGroups(values.Length);
            var partials = Scratch.PartialSums.WithLength(groups.GridDim.X).View;
            Launch(SumKernels.Sum, groups, values, partials);
            values = partials;
        }

        Launch(SumKernels.AddTotal, Groups(1), values, factor, View(result));
    }
}
