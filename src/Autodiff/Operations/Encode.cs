using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>The rules by which pre-activations become latents.</summary>
public enum SelectionKind
{
    /// <summary>Keeps the k largest of every row.</summary>
    TopK,

    /// <summary>Keeps the B·k largest of the whole batch.</summary>
    BatchTopK,

    /// <summary>Keeps all that exceed the bound of their latent.</summary>
    Threshold,
}

/// <summary>A rule by which pre-activations become latents, with its parameters.</summary>
/// <param name="Kind">The rule.</param>
/// <param name="K">k for <see cref="SelectionKind.TopK"/> and <see cref="SelectionKind.BatchTopK"/>.</param>
/// <param name="Bounds">The bounds of <see cref="SelectionKind.Threshold"/>, 1×M; null for 0.</param>
public readonly record struct Selection(SelectionKind Kind, int K = 0, Tensor? Bounds = null);

public sealed partial class Tape
{
    /// <summary>
    /// Encodes and selects in one: latents = select(ReLU((x − center)·Wᵀ + bias)). The pre-activations, B×M, are not kept.
    /// </summary>
    /// <param name="x">B×D; gets no gradient.</param>
    /// <param name="weights">W, M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="center">1×D, or null for 0.</param>
    /// <param name="selection">The rule that selects latents.</param>
    /// <param name="subset">Indexes of the latents that may be selected, ascending; null for all.</param>
    /// <returns>The latents, B×M.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together, or k is not in 0 … M.</exception>
    public SparseVariable Encode(
        Tensor x, Variable weights, Variable? bias, Variable? center, in Selection selection, DeviceArray<int>? subset = null) =>
        Record(tape => new EncodeOperation(tape.Device)).Forward(x, weights, bias, center, selection, subset, FuseLatents);

    /// <summary>
    /// With δ = ∂loss/∂latents and its column sums s: ∂W = δᵀ·(x − center), ∂bias = s, ∂center = −s·W. Entries that are 0 carry no
    /// gradient. Where the latents' consumers defer, δ is formed here as well, in the same visit to each latent.
    /// </summary>
    private sealed class EncodeOperation(Device device) : Operation
    {
        private readonly SparseVariable _latents = new(device.CsrMatrix());
        private readonly Tensor _centered = device.Tensor(0, 0);
        private readonly Tensor _subsetWeights = device.Tensor(0, 0);
        private readonly Tensor _subsetBias = device.Tensor(0, 0);
        private readonly Tensor _columnSums = device.Tensor(0, 0);
        private Tensor? _x;
        private Tensor? _input;
        private Variable? _weights;
        private Variable? _bias;
        private Variable? _center;

        public SparseVariable Forward(
            Tensor x, Variable weights, Variable? bias, Variable? center, in Selection selection, DeviceArray<int>? subset, bool fuse)
        {
            (_weights, _bias, _center, _x, _input) = (weights, bias, center, x, x);
            _latents.Defers = fuse;
            _latents.Features = x.Columns;
            if (center is not null)
            {
                device.AddRow(x, -1, center.Value, _centered);
                _input = _centered;
            }

            var (rows, biasValue) = (weights.Value, bias?.Value);
            if (subset is not null)
            {
                device.GatherRows(weights.Value, subset, _subsetWeights);
                rows = _subsetWeights;
                if (bias is not null)
                {
                    device.GatherElements(bias.Value, subset, _subsetBias);
                    biasValue = _subsetBias;
                }
            }

            var latents = _latents.Value;
            switch (selection.Kind)
            {
                case SelectionKind.TopK:
                    device.EncodeTopK(_input, rows, biasValue, selection.K, latents);
                    break;
                case SelectionKind.BatchTopK:
                    device.EncodeBatchTopK(_input, rows, biasValue, selection.K, latents);
                    break;
                default:
                    device.EncodeThreshold(_input, rows, biasValue, selection.Bounds, latents);
                    break;
            }

            if (subset is not null)
            {
                device.RemapColumns(latents, subset, weights.Value.Rows);
            }

            return _latents;
        }

        public override void Backward()
        {
            if (_latents.Defers)
            {
                VisitLatents();
                return;
            }

            var latents = _latents.AccumulateGradient();
            device.BuildColumnIndex(latents);
            device.SpMMTransposed(latents, useGradient: true, _input!, _weights!.AccumulateGradient());
            if (_bias is null && _center is null)
            {
                return;
            }

            _columnSums.Resize(1, latents.Columns);
            _columnSums.Clear();
            device.SumGradientColumns(latents, _columnSums);
            if (_bias is not null)
            {
                device.LinearCombination(1, _columnSums, 1, _bias.AccumulateGradient(), _bias.Gradient);
            }

            if (_center is not null)
            {
                device.AddVectorMatrixProduct(-1, _columnSums, _weights.Value, _center.AccumulateGradient());
            }
        }

        private void VisitLatents()
        {
            // Behind a gate, its magnitudes are what is decoded and scored.
            var gate = _latents.DeferredGate;
            var latents = gate?.Latents ?? _latents;
            device.BuildColumnIndex(latents.Value);
            // The decoder's gradient comes first: with tied weights the encoder's is the same tensor, and is then added to.
            var decode = latents.DeferredDecode;
            var decoder = decode?.Variable;
            var addToDecoder = false;
            var decoderGradient = decoder?.OverwriteGradient(out addToDecoder);
            var encoderGradient = _weights!.OverwriteGradient(out var addToEncoder);
            device.FusedLatentBackward(new FusedBackwardArgs
            {
                Latents = latents.Value,
                AddToLatentGradient = latents.HasGradient,
                DecodedGradient = decode?.Gradient,
                GroupEnds = decode?.GroupEnds,
                Decoder = decode?.Weights,
                DecoderGradient = decoderGradient,
                AddToDecoderGradient = addToDecoder,
                DecoderGradientSquares = decoder is not null && decoder != _weights ? decoder.WriteGradientRowSquares() : null,
                PositiveAmount = latents.DeferredPositiveAmount,
                Mono = latents.DeferredMono,
                JumpReLU = latents.DeferredJumpReLU,
                Gate = gate is { } magnitudes ? Gate(magnitudes) : default,
                Input = _x!,
                Center = _center?.Value,
                Encoder = _weights.Value,
                EncoderGradient = encoderGradient,
                AddToEncoderGradient = addToEncoder,
                EncoderGradientSquares = _weights.WriteGradientRowSquares(),
                BiasGradient = _bias?.AccumulateGradient(),
                CenterGradient = _center?.AccumulateGradient(),
            });
        }

        /// <summary>The term of these latents as the gate of others.</summary>
        private GateTerm Gate(GatedLatents gate) => new()
        {
            Gate = _latents.Value,
            AddToGateGradient = _latents.HasGradient,
            DecodedGradient = _latents.DeferredDecode?.Gradient,
            Decoder = _latents.DeferredDecode?.Weights,
            PositiveAmount = _latents.DeferredPositiveAmount,
            Scale = gate.Scale.Value,
            MagBias = gate.MagBias.Value,
            ScaleGradient = gate.Scale.AccumulateGradient(),
            MagBiasGradient = gate.MagBias.AccumulateGradient(),
        };

        public override void ClearGradients() => _latents.ClearGradient();

        public override void Dispose()
        {
            _latents.Dispose();
            _centered.Dispose();
            _subsetWeights.Dispose();
            _subsetBias.Dispose();
            _columnSums.Dispose();
        }
    }
}
