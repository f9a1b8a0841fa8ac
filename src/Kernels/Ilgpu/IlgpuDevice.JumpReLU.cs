namespace MonoLoss.Kernels.Ilgpu;

/// <content>JumpReLU.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void JumpReLU(
        CsrMatrix s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre)
    {
        Require(logThreshold.Count == s.Columns && bias.Count == s.Columns, "one threshold and bias per latent");
        Require(x.Rows == s.Rows && weights.Rows == s.Columns && x.Columns == weights.Columns, "shapes do not fit");
        pre.Resize(s.NonzeroCount);
        if (s.NonzeroCount == 0)
        {
            return;
        }

        var thresholds = Scratch.Thresholds.WithLength(s.Columns).View;
        var doubtful = Scratch.DoubtfulEntries.WithLength(s.NonzeroCount).View;
        var doubtfulCount = Scratch.DoubtfulCount.WithLength(1);
        doubtfulCount.Clear();
        var (indices, values, preActivations) = (View(s.OpenIndices), View(s.OpenValues), View(pre));
        Launch(JumpReLUKernels.Thresholds, Elements(s.Columns), View(logThreshold), thresholds);
        Launch(
            JumpReLUKernels.JumpReLU,
            Elements(s.NonzeroCount),
            indices,
            values,
            thresholds,
            bandwidth,
            preActivations,
            doubtful,
            doubtfulCount.View);
        Launch(
            JumpReLUKernels.JumpReLUAgain,
            new(GroupsOf(s.NonzeroCount), GroupSize),
            doubtful,
            doubtfulCount.View,
            View(s.RowOffsets),
            indices,
            View(x),
            View(weights),
            View(bias),
            x.Columns,
            thresholds,
            preActivations,
            values);
    }

    /// <inheritdoc/>
    public override void JumpReLUGradient(
        CsrMatrix s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient)
    {
        RequireColumnIndex(s);
        Require(pre.Length == s.NonzeroCount && logThreshold.Count == s.Columns && gradient.Count == s.Columns, "shapes do not fit");
        if (s.NonzeroCount > 0)
        {
            Launch(
                JumpReLUKernels.Gradient,
                Warps(s.Columns),
                View(s.ColumnOffsets),
                View(s.OpenEntryOf),
                View(s.OpenValues),
                View(s.OpenGradient),
                View(pre),
                View(logThreshold),
                bandwidth,
                l0Factor,
                View(gradient));
        }
    }

    /// <inheritdoc/>
    public override void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds)
    {
        bounds.Resize(1, logThreshold.Columns);
        Launch(JumpReLUKernels.Bounds, Elements(bounds.Count), View(logThreshold), bandwidth, View(bounds));
    }
}
