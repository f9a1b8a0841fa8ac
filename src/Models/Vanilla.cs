using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// Vanilla (Cunningham et al. 2023, Bricken et al. 2023): z = ReLU((x̂ − b_dec)·W_enc + b_enc); recon = z·W_dec + b_dec;
/// loss = mean (recon − x)² + l1_coef·mean over rows of Σ|z| + mono_coef·MonoLoss.
/// </summary>
public sealed class Vanilla : StandardAutoencoder
{
    // Half of the pre-activations are positive at first, by symmetry.
    private const double InitialActiveShare = 0.5;

    internal Vanilla(Device device, SaeConfig config)
        : base(device, config)
    {
    }

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "vanilla",
        Create = (device, config) => new Vanilla(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = 2,
            VectorElements = config.Dimension + config.Latents,
            Selection = SelectionKind.Threshold,
            ActivePerRow = InitialActiveShare * config.Latents,
        },
        HasSparsityPenalty = true,
    };

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.ReLU,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = true,
    };

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var error = tape.MeanSquaredError(Reconstruct(tape, encoding), x);
        var l1 = tape.L1(encoding.Latents);
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (l1.Loss, Scheduled.L1Coefficient), (mono?.Loss, Scheduled.MonoCoefficient));
        return new StepLoss(total, error, null, l1.Loss, mono, l1.MeanActive);
    }

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input) =>
        new(tape.Encode(input, Encoder.Variable, EncoderBias.Variable, DecoderBias.Variable, new Selection(SelectionKind.Threshold)));
}
