namespace MonoLoss.Kernels;

/// <summary>The settings of one step of Adam for one parameter.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="LearningRate">α, the learning rate.</param>
/// <param name="Beta1">β₁, the decay of the first moment.</param>
/// <param name="Beta2">β₂, the decay of the second moment.</param>
/// <param name="Epsilon">ε, added to the root of the second moment.</param>
/// <param name="UnitRows">Whether the parameter's rows are first scaled to unit length.</param>
/// <param name="Project">Whether the part of the gradient along the (scaled) row is removed.</param>
public readonly record struct AdamStep(
    long Step, float LearningRate, float Beta1, float Beta2, float Epsilon, bool UnitRows, bool Project);
