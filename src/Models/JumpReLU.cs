using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// JumpReLU (Rajamanoharan et al. 2024, arXiv 2407.14435): pre = ReLU(x̂·W_enc + b_enc), z = pre where pre &gt; θ = exp(log_threshold),
/// else 0; recon = z·W_dec + b_dec; loss = mean (recon − x)² + l1_coef·mean over rows of L0(z) + mono_coef·MonoLoss, with
/// straight-through gradients of bandwidth h to the thresholds.
/// </summary>
public sealed class JumpReLU : StandardAutoencoder
{
    // The threshold starts high: a generous guess of the share of latents that exceed it.
    private const double InitialActiveShare = 1.0 / 16;

    // Stands for the logarithm of a threshold of 0, a ReLU: its exponential is 0, no step of Adam moves it, and unlike −∞ it can be
    // multiplied by 0.
    private const float LogOfZero = -1e9f;

    private readonly Parameter _logThreshold;
    private readonly Tensor _bounds;

    internal JumpReLU(Device device, SaeConfig config)
        : base(device, config)
    {
        _logThreshold = new Parameter("log_threshold", device.Tensor(1, config.Latents));
        _bounds = device.Tensor(1, config.Latents);
        Parameters = [.. base.Parameters, _logThreshold];
        StoredTensors =
        [
            .. base.StoredTensors,
            new StoredTensor("threshold", _logThreshold)
            {
                ToFile = MathF.Exp,
                FromFile = threshold => threshold > 0 ? MathF.Log(threshold) : LogOfZero,
                Least = 0,
            },
        ];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "jumprelu",
        Create = (device, config) => new JumpReLU(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = 2,
            VectorElements = config.Dimension + (3L * config.Latents),
            Selection = SelectionKind.Threshold,
            ActivePerRow = InitialActiveShare * config.Latents,
            CentersInput = false,
            KeepsPreActivations = true,
        },
        HasSparsityPenalty = true,
        UsesBandwidth = true,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredTensor> StoredTensors { get; }

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.Threshold,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = false,
    };

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var error = tape.MeanSquaredError(Reconstruct(tape, encoding), x);
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var l0 = encoding.L0!;
        var total = tape.WeightedSum((error, 1), (l0, Scheduled.L1Coefficient), (mono?.Loss, Scheduled.MonoCoefficient));
        return new StepLoss(total, error, null, l0, mono, l0);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _bounds.Dispose();
    }

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input)
    {
        var bandwidth = (float)Config.Bandwidth;
        Device.JumpReLUBounds(_logThreshold.Value, bandwidth, _bounds);
        var selection = new Selection(SelectionKind.Threshold, Bounds: _bounds);
        var latents = tape.Encode(input, Encoder.Variable, EncoderBias.Variable, null, selection);
        var l0 = tape.JumpReLU(latents, input, Encoder.Value, EncoderBias.Value, _logThreshold.Variable, bandwidth);
        return new(latents) { L0 = l0 };
    }
}
