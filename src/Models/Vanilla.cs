using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// Vanilla: z = ReLU((x̂ − b_dec)·W_enc + b_enc); recon = z·W_dec + b_dec;
/// loss = mean (recon − x)² + l1_coef·mean over rows of Σ|z| + mono_coef·MonoLoss.
/// </summary>
public sealed class Vanilla : SparseAutoencoder
{
    private readonly Parameter _encoder;
    private readonly Parameter _encoderBias;
    private readonly Parameter _decoder;
    private readonly Parameter _decoderBias;

    internal Vanilla(Device device, SaeConfig config)
        : base(device, config)
    {
        _encoder = new Parameter("W_enc", device.Tensor(config.Latents, config.Dimension));
        _encoderBias = new Parameter("b_enc", device.Tensor(1, config.Latents));
        _decoder = new Parameter("W_dec", device.Tensor(config.Latents, config.Dimension), unitRows: true, project: true);
        _decoderBias = new Parameter("b_dec", device.Tensor(1, config.Dimension));
        Parameters = [_encoder, _encoderBias, _decoder, _decoderBias];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override void Initialize(Random random) => Initialization.TransposedPair(_encoder, _decoder, random);

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss)
    {
        var encoding = Encode(tape, x);
        var reconstruction = Reconstruct(tape, encoding);
        CountSilent(encoding.Latents.Value, fired: 0);
        var error = tape.MeanSquaredError(reconstruction, x);
        var l1 = tape.L1(encoding.Latents);
        var mono = MonoTerm(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (l1, Config.L1Coefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, null, l1, mono, MeanActive(encoding.Latents.Value));
    }

    private protected override SparseVariable EncodeInput(Tape tape, Tensor input) =>
        tape.Encode(input, _encoder.Variable, _encoderBias.Variable, _decoderBias.Variable, new Selection(SelectionKind.Threshold));

    private protected override Variable DecodeLatents(Tape tape, SparseVariable latents) =>
        tape.Decode(latents, _decoder.Variable, _decoderBias.Variable);
}
