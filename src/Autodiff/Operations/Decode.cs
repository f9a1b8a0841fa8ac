using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

public sealed partial class Tape
{
    /// <summary>Decodes sparse latents: result = z·W + bias, an SpMM.</summary>
    /// <param name="latents">z, B×M.</param>
    /// <param name="weights">W, M×D.</param>
    /// <param name="bias">1×D, or null.</param>
    /// <returns>The result, B×D.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public Variable Decode(SparseVariable latents, Variable weights, Variable? bias) =>
        Record(tape => new DecodeOperation(tape.Device)).Forward(latents, weights, bias);

    /// <summary>
    /// With G = ∂loss/∂result: ∂z = G·Wᵀ at the nonzeros of z (SDDMM), ∂W = zᵀ·G, ∂bias = column sums of G. The first decode of the latents
    /// defers ∂z and ∂W to their producer.
    /// </summary>
    private sealed class DecodeOperation(Device device) : Operation
    {
        private readonly Variable _result = new(device.Tensor(0, 0));
        private SparseVariable? _latents;
        private Variable? _weights;
        private Variable? _bias;

        public Variable Forward(SparseVariable latents, Variable weights, Variable? bias)
        {
            (_latents, _weights, _bias) = (latents, weights, bias);
            device.SpMM(latents.Value, weights.Value, bias?.Value, _result.Value);
            return _result;
        }

        public override void Backward()
        {
            if (!_result.HasGradient)
            {
                return;
            }

            if (_bias is not null)
            {
                device.SumColumns(1, _result.Gradient, _bias.AccumulateGradient());
            }

            if (_latents!.Defers && _latents.DeferredDecode is null)
            {
                _latents.DeferredDecode = new(_result.Gradient, _weights!);
                return;
            }

            var latents = _latents.AccumulateGradient();
            device.SDDMM(latents, _result.Gradient, _weights!.Value);
            device.BuildColumnIndex(latents);
            device.SpMMTransposed(latents, useGradient: false, _result.Gradient, _weights.AccumulateGradient());
        }

        public override void ClearGradients() => _result.ClearGradient();

        public override void Dispose() => _result.Dispose();
    }
}
