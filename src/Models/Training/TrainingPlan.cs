using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>What a run is about to do.</summary>
/// <param name="Model">The configuration of the model.</param>
/// <param name="Training">The settings of its training.</param>
/// <param name="Device">The device that it runs on.</param>
/// <param name="Splits">Number of rows of each split, by name.</param>
/// <param name="StepsPerEpoch">Batches per epoch.</param>
/// <param name="FirstStep">Number of steps made before, if the run is resumed.</param>
/// <param name="Features">Where the training features are.</param>
public sealed record TrainingPlan(
    SaeConfig Model,
    TrainingOptions Training,
    Device Device,
    IReadOnlyDictionary<string, long> Splits,
    long StepsPerEpoch,
    long FirstStep,
    FeatureResidency Features);
