namespace MonoLoss.Models;

/// <summary>The figures of a training step: a row of metrics.parquet.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="Epoch">The number of the epoch, from 1.</param>
/// <param name="Loss">The loss that was differentiated.</param>
/// <param name="ReconstructionLoss">Mean squared error; NMSE for TopK.</param>
/// <param name="AuxLoss">The auxiliary loss: with its coefficient for BatchTopK, without for TopK.</param>
/// <param name="SparsityLoss">The L1 or L0 penalty with its coefficient; 0 without one.</param>
/// <param name="MonoLoss">MonoLoss of the batch without its coefficient; 0 when it is off.</param>
/// <param name="MonoScore">Mean score of the batch's active latents; 0 when MonoLoss is off.</param>
/// <param name="L0">Mean number of active latents per row.</param>
/// <param name="DeadLatents">Number of latents that have not fired for more than <see cref="StepOptions.DeadAfterBatches"/> steps.</param>
/// <param name="GradientNorm">The global norm of the gradient before clipping.</param>
/// <param name="SamplesPerSecond">Rows of the batch divided by the seconds of the step.</param>
public readonly record struct StepMetrics(
    long Step,
    int Epoch,
    double Loss,
    double ReconstructionLoss,
    double AuxLoss,
    double SparsityLoss,
    double MonoLoss,
    double MonoScore,
    double L0,
    int DeadLatents,
    double GradientNorm,
    double SamplesPerSecond)
{
    /// <summary>The learning rate of the step; null in files of versions that did not keep it, as the following.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The coefficient of the sparsity penalty; null for models without one.</summary>
    public double? L1Coefficient { get; init; }

    /// <summary>The coefficient of MonoLoss.</summary>
    public double? MonoCoefficient { get; init; }

    /// <summary>k; null for models that do not select k latents.</summary>
    public int? K { get; init; }
}
