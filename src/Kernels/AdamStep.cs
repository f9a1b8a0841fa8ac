namespace MonoLoss.Kernels;

/// <summary>What one step of Adam does to one parameter.</summary>
/// <param name="Step">The step's number, from 1.</param>
/// <param name="LearningRate">α.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="GradientScale">What the gradient is multiplied by first (clipping).</param>
/// <param name="UnitRows">Whether the parameter's rows are scaled to length 1 first.</param>
/// <param name="Project">Whether the gradient's part along the (scaled) row is removed.</param>
public readonly record struct AdamStep(
    long Step, float LearningRate, float Beta1, float Beta2, float Epsilon, float GradientScale, bool UnitRows, bool Project);
