using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// Gated (Rajamanoharan et al. 2024, arXiv 2404.16014): π = (x̂ − b_dec)·W_enc; the gate is open where ĝ = ReLU(π + b_gate) is positive,
/// and there z = ReLU(exp(r_mag)·π + b_mag), else 0; recon = z·W_dec + b_dec; loss = mean (recon − x)² + l1_coef·mean over rows of Σĝ
/// + mean (ĝ·sg(W_dec) + sg(b_dec) − x)² + mono_coef·MonoLoss, where sg stops the gradient. The gate itself passes none.
/// </summary>
public sealed class Gated : StandardAutoencoder
{
    // Half of the gates are open at first, by symmetry.
    private const double InitialActiveShare = 0.5;

    private readonly Parameter _scale;
    private readonly Parameter _magBias;

    internal Gated(Device device, SaeConfig config)
        : base(device, config, encoderBias: "b_gate")
    {
        _scale = new Parameter("r_mag", device.Tensor(1, config.Latents));
        _magBias = new Parameter("b_mag", device.Tensor(1, config.Latents));
        Parameters = [.. base.Parameters, _scale, _magBias];
        StoredTensors = [.. base.StoredTensors, new StoredTensor("r_mag", _scale), new StoredTensor("b_mag", _magBias)];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "gated",
        Create = (device, config) => new Gated(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = 2,
            VectorElements = config.Dimension + (3L * config.Latents),
            Selection = SelectionKind.Threshold,
            ActivePerRow = InitialActiveShare * config.Latents,
            HasGate = true,
        },
        HasSparsityPenalty = true,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredTensor> StoredTensors { get; }

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.Gated,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = true,
    };

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var error = tape.MeanSquaredError(Reconstruct(tape, encoding), x);
        var gate = encoding.Gate!;
        var l1 = tape.L1(gate);
        var opened = ToInputScale(tape, tape.Decode(gate, Decoder.Value, DecoderBias.Value), encoding);
        var auxiliary = tape.MeanSquaredError(opened, x);
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum(
            (error, 1), (l1.Loss, Scheduled.L1Coefficient), (auxiliary, 1), (mono?.Loss, Scheduled.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, l1.Loss, mono, tape.MeanActive(encoding.Latents));
    }

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input)
    {
        var gate = tape.Encode(
            input, Encoder.Variable, EncoderBias.Variable, DecoderBias.Variable, new Selection(SelectionKind.Threshold));
        return new(tape.Gate(gate, _scale.Variable, EncoderBias.Variable, _magBias.Variable)) { Gate = gate };
    }
}
