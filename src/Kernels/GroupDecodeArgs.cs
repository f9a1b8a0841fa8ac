namespace MonoLoss.Kernels;

/// <summary>
/// The arguments of <see cref="Device.DecodeGroups"/>. The latents form G consecutive groups; reconstruction g is decoded from the active
/// latents of the groups up to g: y_g[i] = scale[i]·(bias + Σ of z[i, m]·W[m] over m &lt; end_g) + shift[i].
/// </summary>
public struct GroupDecodeArgs
{
    /// <summary>z, B×M.</summary>
    public required CsrMatrix Latents;

    /// <summary>W, M×D.</summary>
    public required Tensor Matrix;

    /// <summary>1×D; null for 0.</summary>
    public Tensor? Bias;

    /// <summary>One past the last latent of each group, G values that do not descend; the last is M.</summary>
    public required DeviceArray<int> GroupEnds;

    /// <summary>What is reconstructed, B×D.</summary>
    public required Tensor Target;

    /// <summary>1×B; null for 1.</summary>
    public Tensor? Scale;

    /// <summary>1×B; null for 0.</summary>
    public Tensor? Shift;

    /// <summary>Becomes y_g − target, G·B×D: the B rows of the first group, then those of the second, and so on.</summary>
    public required Tensor Errors;

    /// <summary>Becomes the last group's reconstruction, B×D.</summary>
    public required Tensor Result;

    /// <summary>G values, which become the sums of squares of each group's errors.</summary>
    public required DeviceArray<double> Squares;
}
