using System.Text.Json.Serialization;

namespace MonoLoss.Models;

/// <summary>The settings of a training step. The defaults are those of the official code.</summary>
public record StepOptions
{
    /// <summary>B, the number of rows per batch.</summary>
    public int BatchSize { get; init; } = 2048;

    /// <summary>Adam's learning rate α.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Adam's ε.</summary>
    public double AdamEpsilon { get; init; } = 6.25e-10;

    /// <summary>λ of AdamW, which shrinks every parameter by α·λ of itself in each step; 0 for Adam.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Steps in which the learning rate rises to its value (<see cref="Schedules.Warmup"/>); 0 for none.</summary>
    public int LearningRateWarmup { get; init; }

    /// <summary>How the learning rate falls at the end of training (<see cref="Schedules.Decay"/>).</summary>
    public LearningRateDecay LearningRateDecay { get; init; }

    /// <summary>Steps over which it falls; null for all after the warm-up.</summary>
    public int? LearningRateDecaySteps { get; init; }

    /// <summary>Steps in which <see cref="SaeConfig.L1Coefficient"/> rises to its value; 0 for none.</summary>
    public int L1Warmup { get; init; }

    /// <summary>Steps in which <see cref="SaeConfig.MonoCoefficient"/> rises to its value; 0 for none.</summary>
    public int MonoWarmup { get; init; }

    /// <summary>k of the first step, from which it goes to <see cref="SaeConfig.K"/>; null for the latter from the start.</summary>
    public int? KStart { get; init; }

    /// <summary>Steps in which k goes from <see cref="KStart"/> to <see cref="SaeConfig.K"/> (<see cref="Schedules.K"/>).</summary>
    public int KAnneal { get; init; }

    /// <summary>
    /// The mean number of active latents per row that the coefficient of the sparsity penalty is steered to, from
    /// <see cref="SaeConfig.L1Coefficient"/> on (<see cref="Models.TargetL0"/>); null for a given coefficient.
    /// </summary>
    public double? TargetL0 { get; init; }

    /// <summary>What the decoder's bias is at the first step.</summary>
    public DecoderBiasStart DecoderBiasStart { get; init; }

    /// <summary>T, the number of steps of the whole training, which <see cref="LearningRateDecay"/> needs; null if not known.</summary>
    [JsonIgnore]
    public long? TotalSteps { get; init; }

    /// <summary>
    /// The gradient's norm is clipped to this; null for the model's default (<see cref="SparseAutoencoder.DefaultMaxGradientNorm"/>).
    /// </summary>
    public double? MaxGradientNorm { get; init; }

    /// <summary>1: MonoLoss of every batch; P &gt; 1: MonoLoss of the whole training set every P steps instead.</summary>
    public int MonoPeriod { get; init; } = 1;

    /// <summary>A latent is dead after this many samples without firing.</summary>
    public long DeadAfter { get; init; } = 10_000_000;

    /// <summary>TopK restarts dead latents every this many steps; 0 for never.</summary>
    public int DeadCheckInterval { get; init; } = 1000;

    /// <summary>Seed of weight initialization, shuffling and restarts.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>n, the number of batches without firing after which a latent is dead.</summary>
    [JsonIgnore]
    public int DeadAfterBatches => (int)Math.Clamp(DeadAfter / BatchSize, 1, int.MaxValue - 1);

    /// <summary>Checks that every setting is in range.</summary>
    /// <exception cref="ConfigurationException">A setting is out of range; one line that names it.</exception>
    public virtual void Validate()
    {
        Require.Positive(BatchSize);
        Require.Positive(LearningRate);
        Require.NonNegative(AdamEpsilon);
        Require.NonNegative(WeightDecay);
        Require.Positive(TargetL0 ?? 1, nameof(TargetL0));
        Require.NonNegative(LearningRateWarmup);
        Require.Positive(LearningRateDecaySteps ?? 1, nameof(LearningRateDecaySteps));
        Require.NonNegative(L1Warmup);
        Require.NonNegative(MonoWarmup);
        Require.Positive(KStart ?? 1, nameof(KStart));
        Require.NonNegative(KAnneal);
        if (MaxGradientNorm is { } norm && !double.IsPositiveInfinity(norm))
        {
            Require.Positive(norm, nameof(MaxGradientNorm));
        }

        Require.Positive(MonoPeriod);
        Require.Positive(DeadAfter);
        Require.NonNegative(DeadCheckInterval);
    }
}
