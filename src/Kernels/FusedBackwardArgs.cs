namespace MonoLoss.Kernels;

/// <summary>
/// The arguments of <see cref="Device.FusedLatentBackward"/>: everything that contributes to ∂z, and every gradient that follows from it.
/// A latent fires on few rows of a batch, so those rows of the input and of the decoded gradient stay in cache while all of
/// its gradients are formed.
/// </summary>
public struct FusedBackwardArgs
{
    /// <summary>
    /// z, B×M, its columns indexed. Its gradient becomes ∂z (with <see cref="Gate"/> that of the pre-activations), unless the device keeps
    /// z dense: then it is not kept.
    /// </summary>
    public required CsrMatrix Latents;

    /// <summary>Whether the gradient of <see cref="Latents"/> already holds a part of ∂z.</summary>
    public bool AddToLatentGradient;

    /// <summary>
    /// G = ∂loss/∂(z·W_dec + b_dec), B×D; null if the latents are not decoded. With <see cref="GroupEnds"/> one such matrix for the latents
    /// of each group, G·B×D.
    /// </summary>
    public Tensor? DecodedGradient;

    /// <summary>
    /// Where the latents form groups: one past the last of each (<see cref="Device.SumGroupErrors"/>). Null for one group.
    /// </summary>
    public DeviceArray<int>? GroupEnds;

    /// <summary>W_dec, M×D.</summary>
    public Tensor? Decoder;

    /// <summary>Becomes zᵀ·G, M×D.</summary>
    public Tensor? DecoderGradient;

    /// <summary>Whether <see cref="DecoderGradient"/> is added to; otherwise it is overwritten.</summary>
    public bool AddToDecoderGradient;

    /// <summary>Becomes the sum of squares of each row of <see cref="DecoderGradient"/>, M; null if not wanted.</summary>
    public DeviceArray<double>? DecoderGradientSquares;

    /// <summary>Added to ∂z wherever z is positive (L1).</summary>
    public float PositiveAmount;

    /// <summary>MonoLoss, if <see cref="MonoLossInputs.X"/> is not null.</summary>
    public MonoLossInputs Mono;

    /// <summary>JumpReLU, if <see cref="JumpReLUTerm.Pre"/> is not null.</summary>
    public JumpReLUTerm JumpReLU;

    /// <summary>Gated, if <see cref="GateTerm.Gate"/> is not null.</summary>
    public GateTerm Gate;

    /// <summary>The encoder's input, B×D, before <see cref="Center"/> was subtracted.</summary>
    public required Tensor Input;

    /// <summary>What was subtracted from every row of the input, 1×D; null for nothing.</summary>
    public Tensor? Center;

    /// <summary>W_enc, M×D.</summary>
    public required Tensor Encoder;

    /// <summary>Becomes ∂zᵀ·(input − center), M×D. May be the same tensor as <see cref="DecoderGradient"/> (tied weights).</summary>
    public required Tensor EncoderGradient;

    /// <summary>Whether <see cref="EncoderGradient"/> is added to; otherwise it is overwritten.</summary>
    public bool AddToEncoderGradient;

    /// <summary>Becomes the sum of squares of each row of <see cref="EncoderGradient"/>, M; null if not wanted.</summary>
    public DeviceArray<double>? EncoderGradientSquares;

    /// <summary>The column sums of ∂z (with <see cref="Gate"/> of ∂ĝ) are added to it, 1×M; null if there is no bias.</summary>
    public Tensor? BiasGradient;

    /// <summary>−(column sums of ∂z)·W_enc is added to it, 1×D; null if there is no center.</summary>
    public Tensor? CenterGradient;
}

/// <summary>MonoLoss in <see cref="FusedBackwardArgs"/> (<see cref="MonoScore"/>).</summary>
public struct MonoLossInputs
{
    /// <summary>The rows to compare, B×D.</summary>
    public Tensor? X;

    /// <summary>Their <see cref="Device.RowNorms"/>, B.</summary>
    public DeviceArray<double>? Norms;

    /// <summary>P = Σ x/‖x‖ over the rows (<see cref="Device.SumUnitRows"/>), D.</summary>
    public DeviceArray<double>? UnitRowSum;

    /// <summary>∂loss/∂MonoLoss.</summary>
    public double Factor;

    /// <summary>Becomes the scores, 1×M, 0 for a latent that is not active.</summary>
    public Tensor? Scores;

    /// <summary>Becomes the sum of the scores and the number of active latents.</summary>
    public DeviceArray<double>? Result;
}

/// <summary>JumpReLU in <see cref="FusedBackwardArgs"/>.</summary>
public struct JumpReLUTerm
{
    /// <summary>The pre-activation at every nonzero.</summary>
    public DeviceArray<float>? Pre;

    /// <summary>log θ, 1×M.</summary>
    public Tensor? LogThreshold;

    /// <summary>h.</summary>
    public float Bandwidth;

    /// <summary>∂loss/∂L0.</summary>
    public double L0Factor;

    /// <summary>The gradient of log θ is added to it, 1×M.</summary>
    public Tensor? Gradient;
}

/// <summary>
/// Gated in <see cref="FusedBackwardArgs"/>: the latents are z = ReLU(exp(r_mag)·π + b_mag) where the gate ĝ = ReLU(π + b_gate) is open
/// (<see cref="Device.Gate"/>). The pre-activations get ∂π = exp(r_mag)·∂z·1[z &gt; 0] + ∂ĝ·1[ĝ &gt; 0].
/// </summary>
public struct GateTerm
{
    /// <summary>ĝ, with an entry for every one of z.</summary>
    public CsrMatrix? Gate;

    /// <summary>Whether the gradient of <see cref="Gate"/> already holds a part of ∂ĝ.</summary>
    public bool AddToGateGradient;

    /// <summary>∂loss/∂(ĝ·W), B×D; null if ĝ is not decoded.</summary>
    public Tensor? DecodedGradient;

    /// <summary>W, M×D; gets no gradient.</summary>
    public Tensor? Decoder;

    /// <summary>Added to ∂ĝ wherever ĝ is positive (L1).</summary>
    public float PositiveAmount;

    /// <summary>r_mag, 1×M.</summary>
    public Tensor? Scale;

    /// <summary>b_mag, 1×M.</summary>
    public Tensor? MagBias;

    /// <summary>∂r_mag is added to it, 1×M.</summary>
    public Tensor? ScaleGradient;

    /// <summary>∂b_mag is added to it, 1×M.</summary>
    public Tensor? MagBiasGradient;
}
