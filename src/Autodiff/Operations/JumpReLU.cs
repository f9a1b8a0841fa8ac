using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

public sealed partial class Tape
{
    /// <summary>
    /// JumpReLU (Rajamanoharan et al. 2024, arXiv 2407.14435), in place: z = pre where pre &gt; θ = exp(logThreshold), else 0; and L0, the
    /// mean number of z &gt; θ per row. Where pre is within half a bandwidth of θ the straight-through gradient reaches θ, so the latents
    /// must have entries there although z is 0: encode with <see cref="Device.JumpReLUBounds"/>.
    /// </summary>
    /// <param name="pre">Encoded pre-activations ReLU(x·weightsᵀ + bias), B×M; becomes z.</param>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M.</param>
    /// <param name="logThreshold">1×M.</param>
    /// <param name="bandwidth">h, positive.</param>
    /// <returns>L0.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public Scalar JumpReLU(SparseVariable pre, Tensor x, Tensor weights, Tensor bias, Variable logThreshold, float bandwidth) =>
        Record(tape => new JumpReLUOperation(tape.Device, tape.DeviceScalars(2)))
            .Forward(pre, x, weights, bias, logThreshold, bandwidth);

    /// <summary>
    /// The straight-through estimator of that paper, with rect(t) = 1 for −½ &lt; t &lt; ½: ∂pre = ∂z where pre &gt; θ,
    /// ∂logθ = Σ −(θ/h)·rect((pre − θ)/h)·∂z, and of L0 = Σ 1[z &gt; θ]: ∂logθ = Σ −(1/h)·rect((z − θ)/h).
    /// </summary>
    private sealed class JumpReLUOperation(Device device, DeviceScalars sums) : Operation
    {
        private readonly DeviceArray<float> _pre = device.Allocate<float>(0);
        private Scalar? _l0;
        private SparseVariable? _latents;
        private Variable? _logThreshold;
        private float _bandwidth;

        public Scalar Forward(
            SparseVariable latents, Tensor x, Tensor weights, Tensor bias, Variable logThreshold, float bandwidth)
        {
            (_latents, _logThreshold, _bandwidth) = (latents, logThreshold, bandwidth);
            device.JumpReLU(latents.Value, x, weights, bias, logThreshold.Value, bandwidth, _pre);
            device.SumAndCountPositive(latents.Value, sums.ToWrite());
            return _l0 ??= new Scalar(() => sums.Read(0) / _latents!.Value.Rows);
        }

        public override void Backward()
        {
            var l0Factor = _l0!.Gradient / _latents!.Value.Rows;
            if (_latents.Defers)
            {
                _latents.DeferredJumpReLU = new JumpReLUTerm
                {
                    Pre = _pre,
                    LogThreshold = _logThreshold!.Value,
                    Bandwidth = _bandwidth,
                    L0Factor = l0Factor,
                    Gradient = _logThreshold.AccumulateGradient(),
                };
                return;
            }

            var latents = _latents.AccumulateGradient();
            device.BuildColumnIndex(latents);
            device.JumpReLUGradient(
                latents, _pre, _logThreshold!.Value, _bandwidth, l0Factor, _logThreshold.AccumulateGradient());
        }

        public override void ClearGradients()
        {
            if (_l0 is not null)
            {
                _l0.Gradient = 0;
            }
        }

        public override void Dispose() => _pre.Dispose();
    }
}
