using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// Vanilla: z = ReLU((x̂ − b_dec)·W_enc + b_enc); recon = z·W_dec + b_dec;
/// loss = mean (recon − x)² + l1_coef·mean over rows of Σ|z| + mono_coef·MonoLoss.
/// </summary>
public sealed class Vanilla : StandardAutoencoder
{
    internal Vanilla(Device device, SaeConfig config)
        : base(device, config)
    {
    }

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss)
    {
        var encoding = Encode(tape, x);
        var reconstruction = Reconstruct(tape, encoding);
        UpdateStepsSinceFired(encoding.Latents.Value, fired: 0);
        var error = tape.MeanSquaredError(reconstruction, x);
        var l1 = tape.L1(encoding.Latents);
        var mono = MonoLossInputs(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (l1, Config.L1Coefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, null, l1, mono, tape.MeanActive(encoding.Latents));
    }

    private protected override SparseVariable EncodeInput(Tape tape, Tensor input) =>
        tape.Encode(input, Encoder.Variable, EncoderBias.Variable, DecoderBias.Variable, new Selection(SelectionKind.Threshold));
}
