using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// JumpReLU: pre = ReLU(x̂·W_enc + b_enc), z = pre where pre &gt; θ = exp(log_threshold), else 0; recon = z·W_dec + b_dec;
/// loss = mean (recon − x)² + l1_coef·mean over rows of L0(z) + mono_coef·MonoLoss, with straight-through gradients of
/// bandwidth h to the thresholds.
/// </summary>
public sealed class JumpReLU : StandardAutoencoder
{
    private readonly Parameter _logThreshold;
    private readonly Tensor _bounds;
    private Scalar? _l0;

    internal JumpReLU(Device device, SaeConfig config)
        : base(device, config)
    {
        _logThreshold = new Parameter("log_threshold", device.Tensor(1, config.Latents));
        _bounds = device.Tensor(1, config.Latents);
        Parameters = [.. base.Parameters, _logThreshold];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss)
    {
        var encoding = Encode(tape, x);
        var l0 = _l0!;
        var reconstruction = Reconstruct(tape, encoding);
        UpdateStepsSinceFired(encoding.Latents.Value, fired: 0);
        var error = tape.MeanSquaredError(reconstruction, x);
        var mono = MonoLossInputs(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (l0, Config.L1Coefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, null, l0, mono, l0);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _bounds.Dispose();
    }

    private protected override SparseVariable EncodeInput(Tape tape, Tensor input)
    {
        var bandwidth = (float)Config.Bandwidth;
        Device.JumpReLUBounds(_logThreshold.Value, bandwidth, _bounds);
        var selection = new Selection(SelectionKind.Threshold, Bounds: _bounds);
        var latents = tape.Encode(input, Encoder.Variable, EncoderBias.Variable, null, selection);
        _l0 = tape.JumpReLU(latents, input, Encoder.Value, EncoderBias.Value, _logThreshold.Variable, bandwidth);
        return latents;
    }
}
