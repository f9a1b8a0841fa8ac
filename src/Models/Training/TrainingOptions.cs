using System.Text.Json.Serialization;

namespace MonoLoss.Models;

/// <summary>How an autoencoder is trained, and on what. The defaults are the official ones.</summary>
public sealed record TrainingOptions
{
    /// <summary>Parquet files, folders or globs to train on.</summary>
    public required IReadOnlyList<string> Train { get; init; }

    /// <summary>The same to validate on; may be empty.</summary>
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>The same to test on; may be empty.</summary>
    public IReadOnlyList<string> Test { get; init; } = [];

    /// <summary>The column of features; null for the one that fits.</summary>
    public string? FeaturesColumn { get; init; }

    /// <summary>The column of labels; null for the one that is named so, if any.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>The run folder.</summary>
    public required string Output { get; init; }

    /// <summary>Rows of a batch.</summary>
    public int BatchSize { get; init; } = 2048;

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 50;

    /// <summary>Adam's α.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Adam's ε.</summary>
    public double AdamEpsilon { get; init; } = 6.25e-10;

    /// <summary>The gradient's norm is clipped to this; null for the model's own: 1, and no clipping for TopK.</summary>
    public double? MaxGradientNorm { get; init; }

    /// <summary>1 for MonoLoss of every batch; P &gt; 1 for that of the whole dataset at every P-th step instead.</summary>
    public int MonoPeriod { get; init; } = 1;

    /// <summary>A latent is dead after so many samples without firing.</summary>
    public long DeadAfter { get; init; } = 10_000_000;

    /// <summary>TopK restarts dead latents every so many steps; 0 for never.</summary>
    public int DeadCheckInterval { get; init; } = 1000;

    /// <summary>What weights and the order of rows are drawn from.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Whether rows are shuffled.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Bytes that features may take in memory; 0 for half of what the machine has.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Evaluate after every so many epochs; 0 for no evaluation at all.</summary>
    public int EvalEvery { get; init; } = 1;

    /// <summary>Save a checkpoint after every so many steps, besides the one after each epoch; 0 for only those.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>A folder whose weights to start from; null to draw them.</summary>
    public string? InitializeFrom { get; init; }

    /// <summary>Whether to go on from the checkpoint in <see cref="Output"/>.</summary>
    [JsonIgnore]
    public bool Resume { get; init; }

    /// <summary>Whether a run that is complete is left alone instead of being an error.</summary>
    [JsonIgnore]
    public bool SkipExisting { get; init; }

    /// <summary>n, the number of silent batches after which a latent is dead.</summary>
    [JsonIgnore]
    public int DeadAfterBatches => (int)Math.Clamp(DeadAfter / BatchSize, 1, int.MaxValue - 1);

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="ConfigurationException">A setting is out of range; one line that names it.</exception>
    public void Validate()
    {
        Require.Positive(BatchSize);
        Require.Positive(Epochs);
        Require.Positive(LearningRate);
        Require.NonNegative(AdamEpsilon);
        Require.Positive(MaxGradientNorm ?? 1, nameof(MaxGradientNorm));
        Require.Positive(MonoPeriod);
        Require.Positive(DeadAfter);
        Require.NonNegative(DeadCheckInterval);
        Require.NonNegative(MemoryBytes);
        Require.NonNegative(EvalEvery);
        Require.NonNegative(CheckpointEvery);
    }
}
