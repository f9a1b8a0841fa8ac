using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// BatchTopK: acts = ReLU((x̂ − b_dec)·W_enc), of which the batch's B·k largest are kept; recon = z·W_dec + b_dec.
/// loss = mean (recon − x)² + aux + mono_coef·MonoLoss, where, if latents are dead, the largest min(aux_k, #dead) of their
/// activations reconstruct the error e = x − recon: aux = aux_coef·mean (z_aux·W_dec − e)².
/// </summary>
public sealed class BatchTopK : StandardAutoencoder
{
    private const int DefaultAuxK = 512;

    // As SAELens forms the threshold of inference: a running mean of the smallest activation kept.
    private const double ThresholdRate = 0.01;

    internal BatchTopK(Device device, SaeConfig config)
        : base(device, config)
    {
    }

    /// <summary>
    /// The activation above which a latent counts as active outside a batch: a running mean of the smallest that training kept.
    /// Null before the first step.
    /// </summary>
    public double? InferenceThreshold { get; set; }

    /// <inheritdoc/>
    public override double ReportedAuxiliaryFactor => Config.AuxCoefficient;

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss)
    {
        var encoding = Encode(tape, x);
        var latents = encoding.Latents;
        DeviceArray<int>? dead = null;
        if (Config.AuxCoefficient == 0)
        {
            UpdateStepsSinceFired(latents.Value, fired: 0);
        }
        else
        {
            dead = FindDead(latents.Value, fired: 0, deadAfter);
        }

        var reconstruction = Reconstruct(tape, encoding);
        InferenceThreshold = InferenceThreshold is { } threshold
            ? threshold + (ThresholdRate * (latents.SmallestKept - threshold))
            : latents.SmallestKept;

        var error = tape.MeanSquaredError(reconstruction, x);
        var auxiliary = AuxiliaryLoss(tape, x, encoding.Input, reconstruction, dead);
        var mono = MonoLossInputs(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (auxiliary, Config.AuxCoefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, null, mono, tape.MeanActive(latents));
    }

    private protected override SparseVariable EncodeInput(Tape tape, Tensor input) =>
        tape.Encode(
            input, Encoder.Variable, null, DecoderBias.Variable, new Selection(SelectionKind.BatchTopK, Config.K));

    private Scalar? AuxiliaryLoss(Tape tape, Tensor x, Tensor input, Variable reconstruction, DeviceArray<int>? dead)
    {
        if (dead is null)
        {
            return null;
        }

        var k = (int)Math.Min(Config.AuxK ?? DefaultAuxK, dead.Length);
        var selection = new Selection(SelectionKind.TopK, k);
        var latents = tape.Encode(input, Encoder.Variable, null, DecoderBias.Variable, selection, dead);
        return tape.MeanSquaredError(tape.Decode(latents, Decoder.Variable, null), tape.Subtract(x, reconstruction));
    }
}
