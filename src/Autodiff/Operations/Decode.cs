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
        Record(tape => new DecodeOperation(tape.Device)).Forward(latents, weights.Value, bias?.Value, weights, bias);

    /// <summary>Decodes sparse latents by weights and a bias that get no gradient.</summary>
    /// <param name="latents">z, B×M.</param>
    /// <param name="weights">W, M×D.</param>
    /// <param name="bias">1×D, or null.</param>
    /// <returns>The result, B×D.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public Variable Decode(SparseVariable latents, Tensor weights, Tensor? bias) =>
        Record(tape => new DecodeOperation(tape.Device)).Forward(latents, weights, bias, null, null);

    /// <summary>
    /// With G = ∂loss/∂result: ∂z = G·Wᵀ at the nonzeros of z (SDDMM), ∂W = zᵀ·G, ∂bias = column sums of G. The first decode of the latents
    /// defers ∂z and ∂W to their producer; one by constant weights does if, and only if, the latents are a gate.
    /// </summary>
    private sealed class DecodeOperation(Device device) : Operation
    {
        private readonly Variable _result = new(device.Tensor(0, 0));
        private SparseVariable? _latents;
        private Tensor? _weights;
        private Variable? _trainedWeights;
        private Variable? _trainedBias;

        public Variable Forward(
            SparseVariable latents, Tensor weights, Tensor? bias, Variable? trainedWeights, Variable? trainedBias)
        {
            (_latents, _weights, _trainedWeights, _trainedBias) = (latents, weights, trainedWeights, trainedBias);
            device.SpMM(latents.Value, weights, bias, _result.Value);
            return _result;
        }

        public override void Backward()
        {
            if (!_result.HasGradient)
            {
                return;
            }

            if (_trainedBias is not null)
            {
                device.SumColumns(1, _result.Gradient, _trainedBias.AccumulateGradient());
            }

            if (_latents!.Defers && _latents.DeferredDecode is null && _trainedWeights is null == _latents.IsGate)
            {
                _latents.DeferredDecode = new(_result.Gradient, _weights!, _trainedWeights);
                return;
            }

            var latents = _latents.AccumulateGradient();
            device.SDDMM(latents, _result.Gradient, _weights!);
            if (_trainedWeights is not null)
            {
                device.BuildColumnIndex(latents);
                device.SpMMTransposed(latents, useGradient: false, _result.Gradient, _trainedWeights.AccumulateGradient());
            }
        }

        public override void ClearGradients() => _result.ClearGradient();

        public override void Dispose() => _result.Dispose();
    }
}
