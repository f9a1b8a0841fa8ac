using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// What BatchTopK, JumpReLU, Vanilla and Gated share: W_enc and W_dec (M×D, the rows of W_dec kept near unit length), b_enc and b_dec,
/// and the decoder recon = z·W_dec + b_dec.
/// </summary>
public abstract class StandardAutoencoder : SparseAutoencoder
{
    /// <param name="device">The device.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="encoderBias">The name of the bias that the encoder's product gets.</param>
    private protected StandardAutoencoder(Device device, SaeConfig config, string encoderBias = "b_enc")
        : base(device, config)
    {
        Encoder = new Parameter("W_enc", device.Tensor(config.Latents, config.Dimension));
        EncoderBias = new Parameter(encoderBias, device.Tensor(1, config.Latents));
        Decoder = new Parameter("W_dec", device.Tensor(config.Latents, config.Dimension), unitRows: true, project: true);
        DecoderBias = new Parameter("b_dec", device.Tensor(1, config.Dimension));
        Parameters = [Encoder, EncoderBias, Decoder, DecoderBias];
        StoredTensors =
        [
            new StoredTensor("W_enc", Encoder) { Transposed = true },
            new StoredTensor(encoderBias, EncoderBias) { Optional = true },
            new StoredTensor("W_dec", Decoder),
            new StoredTensor("b_dec", DecoderBias) { Optional = true },
        ];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredTensor> StoredTensors { get; }

    private protected Parameter Encoder { get; }

    private protected Parameter EncoderBias { get; }

    private protected Parameter Decoder { get; }

    private protected Parameter DecoderBias { get; }

    /// <summary>
    /// Draws W_enc uniformly in ±√(6/M), the Kaiming bound (He et al. 2015) that PyTorch computes for a D×M matrix; W_dec
    /// gets the same rows, each scaled to length 1; biases are 0.
    /// </summary>
    /// <param name="random">The source of random numbers.</param>
    public override void Initialize(Random random)
    {
        Initialization.Uniform(Encoder.Value, Math.Sqrt(6.0 / Encoder.Value.Rows), random);
        Device.LinearCombination(1, Encoder.Value, 0, Encoder.Value, Decoder.Value);
        Device.NormalizeRows(Decoder.Value);
    }

    private protected override Variable DecodeLatents(Tape tape, SparseVariable latents) =>
        tape.Decode(latents, Decoder.Variable, DecoderBias.Variable);
}
