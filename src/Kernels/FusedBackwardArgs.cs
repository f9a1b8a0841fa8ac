namespace MonoLoss.Kernels;

/// <summary>
/// Everything that reaches the latents of a batch on the way back, and where it goes on to: what
/// <see cref="Device.FusedLatentBackward"/> does in one visit to each latent. A latent fires on few rows of a batch, so those rows of the
/// input and of the decoded gradient stay in cache while all of its gradients are formed.
/// </summary>
public struct FusedBackwardArgs
{
    /// <summary>z, B×M, columns indexed. Its gradient becomes ∂z, unless the device keeps z dense (then ∂z is not kept).</summary>
    public required CsrMatrix Latents;

    /// <summary>Whether the gradient of <see cref="Latents"/> already holds a part of ∂z to add to.</summary>
    public bool AddToLatentGradient;

    /// <summary>G = ∂loss/∂(z·W_dec + b_dec), B×D; null if the latents are not decoded.</summary>
    public Tensor? DecodedGradient;

    /// <summary>W_dec, M×D.</summary>
    public Tensor? Decoder;

    /// <summary>Gets zᵀ·G, M×D.</summary>
    public Tensor? DecoderGradient;

    /// <summary>Whether <see cref="DecoderGradient"/> is added to; otherwise it is overwritten.</summary>
    public bool AddToDecoderGradient;

    /// <summary>Per row of <see cref="DecoderGradient"/> the sum of its squares, M; null if not wanted.</summary>
    public DeviceArray<double>? DecoderGradientSquares;

    /// <summary>What every positive z adds to ∂z (L1).</summary>
    public float PositiveAmount;

    /// <summary>MonoLoss's part, if <see cref="MonoLossInputs.X"/> is there.</summary>
    public MonoLossInputs Mono;

    /// <summary>JumpReLU's part, if <see cref="JumpReLUTerm.Pre"/> is there.</summary>
    public JumpReLUTerm JumpReLU;

    /// <summary>What was encoded, B×D, before <see cref="Center"/> was subtracted.</summary>
    public required Tensor Input;

    /// <summary>What was subtracted from the input's rows, 1×D; null for nothing.</summary>
    public Tensor? Center;

    /// <summary>W_enc, M×D.</summary>
    public required Tensor Encoder;

    /// <summary>Gets ∂zᵀ·(input − center), M×D. May be the same tensor as <see cref="DecoderGradient"/> (tied weights).</summary>
    public required Tensor EncoderGradient;

    /// <summary>Whether <see cref="EncoderGradient"/> is added to; otherwise it is overwritten.</summary>
    public bool AddToEncoderGradient;

    /// <summary>Per row of <see cref="EncoderGradient"/> the sum of its squares, M; null if not wanted.</summary>
    public DeviceArray<double>? EncoderGradientSquares;

    /// <summary>Is added the column sums of ∂z, 1×M; null if there is no bias.</summary>
    public Tensor? BiasGradient;

    /// <summary>Is added −(column sums of ∂z)·W_enc, 1×D; null if there is no center.</summary>
    public Tensor? CenterGradient;
}

/// <summary>MonoLoss in <see cref="FusedBackwardArgs"/>.</summary>
public struct MonoLossInputs
{
    /// <summary>The rows whose directions are compared, B×D.</summary>
    public Tensor? X;

    /// <summary>Their lengths, B.</summary>
    public DeviceArray<double>? Norms;

    /// <summary>The sum of their directions, D.</summary>
    public DeviceArray<double>? UnitRowSum;

    /// <summary>∂loss/∂MonoLoss.</summary>
    public double Factor;

    /// <summary>Becomes 1×M, 0 for a latent that is not active.</summary>
    public Tensor? Scores;

    /// <summary>Becomes the sum of the scores and the number of active latents.</summary>
    public DeviceArray<double>? Result;
}

/// <summary>JumpReLU in <see cref="FusedBackwardArgs"/>.</summary>
public struct JumpReLUTerm
{
    /// <summary>The pre-activation at every entry.</summary>
    public DeviceArray<float>? Pre;

    /// <summary>1×M.</summary>
    public Tensor? LogThreshold;

    /// <summary>h.</summary>
    public float Bandwidth;

    /// <summary>∂loss/∂L0.</summary>
    public double L0Factor;

    /// <summary>Is added the thresholds' gradient, 1×M.</summary>
    public Tensor? Gradient;
}
