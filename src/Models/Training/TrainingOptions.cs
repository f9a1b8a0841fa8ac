using System.Text.Json.Serialization;

namespace MonoLoss.Models;

/// <summary>How an autoencoder is trained, and on which features. The defaults are those of the official code.</summary>
public sealed record TrainingOptions : StepOptions
{
    /// <summary>Files of features, folders or patterns to train on.</summary>
    public required IReadOnlyList<string> Train { get; init; }

    /// <summary>Files of features, folders or patterns to validate on; may be empty.</summary>
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>Files of features, folders or patterns to test on; may be empty.</summary>
    public IReadOnlyList<string> Test { get; init; } = [];

    /// <summary>The column of features, or a pattern for one column per dimension; null to detect it.</summary>
    public string? FeaturesColumn { get; init; }

    /// <summary>The columns that the pattern found, once the training set is open; null if it has one column of lists.</summary>
    public IReadOnlyList<string>? FeatureNames { get; init; }

    /// <summary>
    /// A column of another model's embeddings, in the same files, whose directions MonoScore and MonoLoss compare; null to compare the
    /// features.
    /// </summary>
    public string? SimilarityColumn { get; init; }

    /// <summary>The column of labels, in the files of features or in those of labels; null to detect it by its name.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>A file with the labels of the rows of <see cref="Train"/>, in order; null if they are in the files.</summary>
    public string? LabelsFile { get; init; }

    /// <summary>The same for <see cref="Validation"/>.</summary>
    public string? ValidationLabelsFile { get; init; }

    /// <summary>The same for <see cref="Test"/>.</summary>
    public string? TestLabelsFile { get; init; }

    /// <summary>Whether labels are read, for class purity.</summary>
    [JsonIgnore]
    public bool ReadLabels { get; init; } = true;

    /// <summary>The run folder.</summary>
    public required string Output { get; init; }

    /// <summary>Passes over the training set.</summary>
    public int Epochs { get; init; } = 50;

    /// <summary>Whether rows are shuffled.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Bytes of memory that features may take; 0 for half of the machine's.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Evaluate every this many epochs; 0 for never.</summary>
    public int EvalEvery { get; init; } = 1;

    /// <summary>
    /// Top, middle and bottom samples of every latent to keep from the last evaluation, as many of each; 0 for none.
    /// </summary>
    public int Samples { get; init; } = LatentSamples.UsualCount;

    /// <summary>
    /// A file of texts and their embeddings in the features' space (<see cref="Models.Vocabulary"/>), which name the latents at the end;
    /// null for no names.
    /// </summary>
    public string? Vocabulary { get; init; }

    /// <summary>The column of texts in <see cref="Vocabulary"/>; null to detect it by its name.</summary>
    public string? VocabularyColumn { get; init; }

    /// <summary>Save a checkpoint every this many steps, in addition to the one after each epoch; 0 for only those.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>A run folder whose weights to start from; null to draw them.</summary>
    public string? InitializeFrom { get; init; }

    /// <summary>Whether to continue from the checkpoint in <see cref="Output"/>.</summary>
    [JsonIgnore]
    public bool Resume { get; init; }

    /// <summary>Whether to skip a run that is complete instead of failing.</summary>
    [JsonIgnore]
    public bool SkipExisting { get; init; }

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Require.Positive(Epochs);
        Require.NonNegative(MemoryBytes);
        Require.NonNegative(EvalEvery);
        if (Samples is < 0 or > LatentSamples.MaxCount)
        {
            throw new ConfigurationException($"Samples must be from 0 to {LatentSamples.MaxCount}, but is {Samples}", nameof(Samples));
        }

        Require.NonNegative(CheckpointEvery);
        if (VocabularyColumn is not null && Vocabulary is null)
        {
            throw new ConfigurationException("VocabularyColumn needs Vocabulary", nameof(VocabularyColumn), nameof(Vocabulary));
        }

        if (Vocabulary is not null && EvalEvery == 0)
        {
            throw new ConfigurationException(
                "Vocabulary needs the evaluation at the end, which writes the names: EvalEvery must not be 0",
                nameof(Vocabulary),
                nameof(EvalEvery));
        }

        if (InitializeFrom is not null && DecoderBiasStart != DecoderBiasStart.Zero)
        {
            throw new ConfigurationException(
                "DecoderBiasStart would replace the bias of InitializeFrom: use one of them",
                nameof(DecoderBiasStart),
                nameof(InitializeFrom));
        }
    }
}
