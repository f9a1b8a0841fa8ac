using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

public sealed partial class Tape
{
    /// <summary>
    /// The magnitudes of a Gated SAE (Rajamanoharan et al. 2024, arXiv 2404.16014): with the gate ĝ = ReLU(π + gateBias),
    /// z = 1[ĝ &gt; 0]·ReLU(exp(scale)·π + magBias). Encode the gate by <see cref="SelectionKind.Threshold"/> without bounds.
    /// </summary>
    /// <param name="gate">ĝ, B×M.</param>
    /// <param name="scale">r_mag, 1×M.</param>
    /// <param name="gateBias">The bias that ĝ was encoded with, 1×M.</param>
    /// <param name="magBias">b_mag, 1×M.</param>
    /// <returns>z, B×M.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public SparseVariable Gate(SparseVariable gate, Variable scale, Variable gateBias, Variable magBias) =>
        Record(tape => new GateOperation(tape.Device)).Forward(gate, scale, gateBias, magBias);

    /// <summary>
    /// The step 1[ĝ &gt; 0] has no gradient; where z &gt; 0, and with π = ĝ − gateBias: ∂ĝ = exp(scale)·∂z, ∂scale = Σ ∂z·(z − magBias),
    /// ∂magBias = Σ ∂z, ∂gateBias = −exp(scale)·Σ ∂z. Deferred to the gate's producer, with what z's consumers have deferred.
    /// </summary>
    private sealed class GateOperation(Device device) : Operation
    {
        private readonly SparseVariable _z = new(device.CsrMatrix());
        private SparseVariable? _gate;
        private Variable? _scale;
        private Variable? _gateBias;
        private Variable? _magBias;

        public SparseVariable Forward(SparseVariable gate, Variable scale, Variable gateBias, Variable magBias)
        {
            (_gate, _scale, _gateBias, _magBias) = (gate, scale, gateBias, magBias);
            (_z.Defers, _z.Features, gate.IsGate) = (gate.Defers, gate.Features, true);
            device.Gate(gate.Value, scale.Value, gateBias.Value, magBias.Value, _z.Value);
            return _z;
        }

        public override void Backward()
        {
            if (_gate!.Defers)
            {
                _gate.DeferredGate = new(_z, _scale!, _magBias!);
                return;
            }

            var z = _z.AccumulateGradient();
            device.BuildColumnIndex(z);
            device.GateGradient(
                z,
                _gate.AccumulateGradient(),
                _scale!.Value,
                _magBias!.Value,
                _scale.AccumulateGradient(),
                _gateBias!.AccumulateGradient(),
                _magBias.AccumulateGradient());
        }

        public override void ClearGradients() => _z.ClearGradient();

        public override void Dispose() => _z.Dispose();
    }
}
