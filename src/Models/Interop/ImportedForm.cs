namespace MonoLoss.Models;

/// <summary>What is done to a row before it is encoded, and undone after it is decoded.</summary>
public enum InputNormalization
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>(x − μ)/(σ + 1e-5), with the sample standard deviation; undone by y·σ + μ.</summary>
    LayerNorm,

    /// <summary>x·√D/‖x‖; undone by y·‖x‖/√D.</summary>
    ConstantNorm,
}

/// <summary>How pre-activations become latents.</summary>
public enum ActivationRule
{
    /// <summary>max(pre, 0).</summary>
    ReLU,

    /// <summary>The k largest pre-activations of a row, then max(·, 0).</summary>
    TopK,

    /// <summary>The k largest pre-activations of a row, negative ones too.</summary>
    SignedTopK,

    /// <summary>The latents form k consecutive groups; the largest max(pre, 0) of each group.</summary>
    GroupMax,

    /// <summary>max(pre, 0) where pre exceeds the threshold of its latent.</summary>
    Threshold,

    /// <summary>exp(r_mag)·π + b_mag, where positive, behind a gate that is open where π + b_gate is positive.</summary>
    Gated,

    /// <summary>The B·k largest max(pre, 0) of a batch of B rows; outside a batch as <see cref="Threshold"/>.</summary>
    BatchTopK,
}

/// <summary>What an autoencoder of another tool computes: z = act((norm(c·x) − [b_dec])·W_enc + b_enc).</summary>
public sealed record ImportedForm
{
    /// <summary>The tool that wrote it, as <c>--format</c> names it.</summary>
    public required string Tool { get; init; }

    /// <summary>How the pre-activations become latents.</summary>
    public required ActivationRule Rule { get; init; }

    /// <summary>What is done to rows first.</summary>
    public InputNormalization Normalization { get; init; }

    /// <summary>c, by which rows are multiplied before anything else; reconstructions are divided by it.</summary>
    public double InputScale { get; init; } = 1;

    /// <summary>Whether b_dec is subtracted from the normalized row.</summary>
    public bool SubtractsDecoderBias { get; init; }

    /// <summary>
    /// The numbers of latents of the nested groups that it was trained with, in order; null without groups. They change nothing about what
    /// is computed.
    /// </summary>
    public IReadOnlyList<int>? GroupSizes { get; init; }
}
