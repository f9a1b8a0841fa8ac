using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Rows to train on or to evaluate.</summary>
/// <param name="X">B×D rows of features, of unit length unless the model takes rows as they are.</param>
/// <param name="Similarity">
/// B×E rows, in the order of <paramref name="X"/>, whose directions MonoScore compares in place of the features: another model's embeddings
/// of the same samples. Null to compare the features.
/// </param>
public readonly record struct Batch(Tensor X, Tensor? Similarity = null)
{
    /// <summary>B.</summary>
    public int Rows => X.Rows;

    /// <summary>A batch whose features are compared.</summary>
    public static implicit operator Batch(Tensor x) => new(x);

    /// <summary>A batch whose features are compared.</summary>
    /// <param name="x">B×D rows.</param>
    public static Batch FromTensor(Tensor x) => new(x);
}
