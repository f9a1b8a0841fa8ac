using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// BatchTopK (Bussmann et al. 2024, arXiv 2412.06410): acts = ReLU((x̂ − b_dec)·W_enc), of which the B·k largest of the batch are kept;
/// recon = z·W_dec + b_dec. loss = mean (recon − x)² + aux + mono_coef·MonoLoss, where, if there are dead latents, the largest
/// min(aux_k, #dead) of their activations reconstruct the error e = x − recon (AuxK, Gao et al. 2024, arXiv 2406.04093):
/// aux = aux_coef·mean (z_aux·W_dec − e)².
/// </summary>
public sealed class BatchTopK : StandardAutoencoder
{
    private const int DefaultAuxK = 512;

    // As SAELens forms the threshold of inference: a running mean of the smallest activation kept.
    private const double ThresholdRate = 0.01;

    internal BatchTopK(Device device, SaeConfig config)
        : base(device, config)
    {
        StoredNumbers =
        [
            new StoredNumber("inference_threshold", "threshold", () => InferenceThreshold, value => InferenceThreshold = value),
        ];
    }

    /// <summary>
    /// The activation above which a latent counts as active outside a batch: a running mean of the smallest that training kept.
    /// Null before the first step.
    /// </summary>
    public double? InferenceThreshold { get; set; }

    /// <inheritdoc/>
    public override double ReportedAuxiliaryFactor => Config.AuxCoefficient;

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "batch_topk",
        Create = (device, config) => new BatchTopK(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = 2,
            VectorElements = config.Dimension + config.Latents,
            Selection = SelectionKind.BatchTopK,
            ActivePerRow = config.K,
            AuxiliaryPerRow = config.AuxCoefficient > 0 ? config.AuxK ?? DefaultAuxK : 0,
            AuxiliaryMatrices = 5,
        },
        SelectsK = true,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredNumber> StoredNumbers { get; }

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.BatchTopK,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = true,
    };

    /// <summary>Outside a batch BatchTopK is a JumpReLU with one threshold for all latents, and SAELens stores it so too.</summary>
    internal override string SaeLensArchitecture => "jumprelu";

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var reconstruction = Reconstruct(tape, encoding);
        var error = tape.MeanSquaredError(reconstruction, x);
        var auxiliary = AuxiliaryLoss(tape, x, encoding, reconstruction, dead);
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (auxiliary, Config.AuxCoefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, null, mono, tape.MeanActive(encoding.Latents));
    }

    /// <summary>Moves <see cref="InferenceThreshold"/> towards the smallest activation that the step's batch kept.</summary>
    /// <param name="step">The step that was made.</param>
    public override void AfterStep(in CompletedStep step)
    {
        var smallest = step.Encoding.Latents.SmallestKept;
        InferenceThreshold = InferenceThreshold is { } threshold ? threshold + (ThresholdRate * (smallest - threshold)) : smallest;
    }

    private protected override int? AuxiliaryDeadSteps(int deadAfter) => Config.AuxCoefficient > 0 ? deadAfter : null;

    private protected override (SparseVariable Latents, Scalar? L0) EncodeInput(Tape tape, Tensor input)
    {
        var selection = new Selection(SelectionKind.BatchTopK, Config.K);
        return (tape.Encode(input, Encoder.Variable, null, DecoderBias.Variable, selection), null);
    }

    private Scalar? AuxiliaryLoss(Tape tape, Tensor x, in Encoding encoding, Variable reconstruction, DeviceArray<int>? dead)
    {
        if (dead is null)
        {
            return null;
        }

        var selection = new Selection(SelectionKind.TopK, (int)Math.Min(Config.AuxK ?? DefaultAuxK, dead.Length));
        var latents = tape.Encode(encoding.Input, Encoder.Variable, null, DecoderBias.Variable, selection, dead);
        return tape.MeanSquaredError(tape.Decode(latents, Decoder.Variable, null), tape.Subtract(x, reconstruction));
    }
}
