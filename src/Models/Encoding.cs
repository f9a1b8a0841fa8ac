using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// A batch after the encoder: all that decoding and the loss need. It is valid until the model encodes another batch or the tape is reset,
/// because both reuse their memory.
/// </summary>
/// <param name="Latents">z, B×M.</param>
/// <param name="Input">The encoder's input: x̂ with input layer norm, else x; B×D.</param>
/// <param name="ComparedRows">The rows whose directions MonoScore compares; B×D.</param>
public readonly record struct Encoding(SparseVariable Latents, Tensor Input, Tensor ComparedRows)
{
    /// <summary>μ, the mean of every row, 1×B; null without input layer norm.</summary>
    public Tensor? Mean { get; init; }

    /// <summary>σ, the sample standard deviation of every row, 1×B; null without input layer norm.</summary>
    public Tensor? Deviation { get; init; }

    /// <summary>
    /// The mean number of active latents per row, with a gradient to the thresholds; null where the model has no thresholds.
    /// </summary>
    public Scalar? L0 { get; init; }

    /// <summary>ĝ, B×M: the gates behind which the latents are; null where the model has none.</summary>
    public SparseVariable? Gate { get; init; }
}

/// <summary>What a model's encoder makes of a batch.</summary>
/// <param name="Latents">z, B×M.</param>
internal readonly record struct EncodedInput(SparseVariable Latents)
{
    /// <inheritdoc cref="Encoding.L0"/>
    public Scalar? L0 { get; init; }

    /// <inheritdoc cref="Encoding.Gate"/>
    public SparseVariable? Gate { get; init; }
}
