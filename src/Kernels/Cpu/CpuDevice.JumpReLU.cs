namespace MonoLoss.Kernels.Cpu;

/// <content>JumpReLU and its straight-through gradient.</content>
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void JumpReLU(
        CsrMatrix s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre)
    {
        Require(logThreshold.Count == s.Columns && bias.Count == s.Columns, "there is not one threshold and bias for each latent");
        Require(x.Rows == s.Rows && weights.Rows == s.Columns && x.Columns == weights.Columns, "shapes do not fit");
        pre.Resize(s.NonzeroCount);
        var rows = RowsPerTask(x.Columns);
        _pool.Run(
            TaskCount(s.Rows, rows),
            new JumpReLUWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                Pointer(s.Values),
                s.Rows,
                rows,
                Pointer(x),
                Pointer(weights),
                Pointer(bias),
                x.Columns,
                Pointer(logThreshold),
                bandwidth,
                Pointer(pre)));
    }

    /// <inheritdoc/>
    public override void JumpReLUGradient(
        CsrMatrix s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient)
    {
        RequireColumnIndex(s);
        Require(pre.Length == s.NonzeroCount && logThreshold.Count == s.Columns && gradient.Count == s.Columns, "shapes do not fit");
        _pool.Run(
            TaskCount(s.Columns, LatentsPerTask),
            new JumpReLUGradientWork(
                Pointer(s.ColumnOffsets),
                Pointer(s.EntryOf),
                Pointer(s.Values),
                Pointer(s.Gradient),
                s.Columns,
                Pointer(pre),
                Pointer(logThreshold),
                bandwidth,
                l0Factor,
                Pointer(gradient)));
    }

    /// <inheritdoc/>
    public override void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds)
    {
        bounds.Resize(1, logThreshold.Columns);
        var source = Pointer(logThreshold);
        var target = Pointer(bounds);
        for (var m = 0L; m < logThreshold.Count; m++)
        {
            var threshold = MathF.Exp(source[m]);
            target[m] = threshold - (bandwidth / 2) - EdgeDoubt(threshold);
        }
    }

    /// <summary>The distance from an edge within which float32 rounding can put a pre-activation on its wrong side.</summary>
    private static float EdgeDoubt(float threshold) => 1e-6f * (1 + threshold);

    private readonly struct JumpReLUWork(
        int* offsets,
        int* indices,
        float* values,
        int rows,
        int rowsPerTask,
        float* x,
        float* weights,
        float* bias,
        int d,
        float* logThreshold,
        float bandwidth,
        float* pre) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
                {
                    var m = indices[entry];
                    var threshold = MathF.Exp(logThreshold[m]);
                    var distance = Math.Abs(values[entry] - threshold);
                    var toEdge = Math.Min(distance, Math.Abs(distance - (bandwidth / 2)));
                    var value = toEdge < EdgeDoubt(threshold) ? PreActivation(i, m) : values[entry];
                    pre[entry] = value;
                    values[entry] = value > threshold ? value : 0;
                }
            }
        }

        private float PreActivation(int i, int m)
        {
            float* row = x + ((long)i * d), weight = weights + ((long)m * d);
            double sum = bias[m];
            for (var j = 0; j < d; j++)
            {
                sum += (double)row[j] * weight[j];
            }

            return Math.Max((float)sum, 0);
        }
    }

    /// <summary>Sums the straight-through gradient of one latent's threshold (<see cref="Device.JumpReLUGradient"/>).</summary>
    private struct ThresholdBand(float threshold, float bandwidth)
    {
        private readonly float _half = bandwidth / 2;
        private double _preSum;
        private int _l0Count;

        /// <summary>Adds a nonzero; where the latent is off, the gradient of the pre-activation becomes 0.</summary>
        public void Add(float pre, float z, ref float gradient)
        {
            _preSum += Math.Abs(pre - threshold) < _half ? gradient : 0;
            _l0Count += Math.Abs(z - threshold) < _half ? 1 : 0;
            if (z == 0)
            {
                gradient = 0;
            }
        }

        /// <summary>The gradient of log θ.</summary>
        public readonly float Gradient(double l0Factor) => (float)(-((threshold * _preSum) + (l0Factor * _l0Count)) / bandwidth);
    }

    private readonly struct JumpReLUGradientWork(
        int* offsets,
        int* entryOf,
        float* values,
        float* gradient,
        int latents,
        float* pre,
        float* logThreshold,
        float bandwidth,
        double l0Factor,
        float* thresholdGradient) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var band = new ThresholdBand(MathF.Exp(logThreshold[m]), bandwidth);
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    var entry = entryOf[j];
                    band.Add(pre[entry], values[entry], ref gradient[entry]);
                }

                thresholdGradient[m] += band.Gradient(l0Factor);
            }
        }
    }
}
