using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Trains an autoencoder from feature files into a run folder. The steps are those of <see cref="TrainingStep"/>.</summary>
/// <param name="device">The device to train on.</param>
/// <param name="options">The settings.</param>
/// <param name="configure">The model's configuration, given the number of features.</param>
/// <param name="observer">Watches the run; may be null.</param>
public sealed class Trainer(Device device, TrainingOptions options, Func<int, SaeConfig> configure, ITrainingObserver? observer = null)
{
    /// <summary>The results, once <see cref="Run"/> has returned <see cref="TrainingEnd.Completed"/>; null before.</summary>
    public CompletedRun? Completed { get; private set; }

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <param name="stop">Asks to stop after the present step; the checkpoint is saved then.</param>
    /// <exception cref="ConfigurationException">A setting is invalid, or does not fit the data, the device or the run folder.</exception>
    /// <exception cref="DataException">A file cannot be read or written.</exception>
    public TrainingEnd Run(CancellationToken stop = default)
    {
        options.Validate();
        TrainingSchedule.Check(configure(1), options);
        var folder = new RunFolder(options.Output);
        if (options.SkipExisting && folder.IsComplete)
        {
            return TrainingEnd.Skipped;
        }

        if (options.Train.Count == 0)
        {
            throw new ConfigurationException("no training data: Train is empty", nameof(TrainingOptions.Train));
        }

        using var claim = new RunLock(folder.Path);
        claim.ClaimExisting();
        CheckFolder(folder);
        var train = Open(options.Train, options.LabelsFile, null);
        var names = train.FeatureNames.Count > 0 ? train.FeatureNames : null;
        var heldOut = new List<(string Name, FeatureSet Set)>();
        var splits = new[]
        {
            ("val", options.Validation, options.ValidationLabelsFile), ("test", options.Test, options.TestLabelsFile),
        };
        foreach (var (name, paths, labels) in splits.Where(split => split.Item2.Count > 0))
        {
            var set = Open(paths, labels, names);
            if (set.Dimension != train.Dimension)
            {
                throw new DataException(
                    $"{set.Files[0]}: its features have {set.Dimension} dimensions, those of the training set {train.Dimension}");
            }

            heldOut.Add((name, set));
        }

        var config = configure(train.Dimension);
        if (folder.HasCheckpoint && new ResumeCheck(folder, options).IsDone(config, train))
        {
            folder.DeleteLeftovers();
            return TrainingEnd.Skipped;
        }

        // Read now, so that it is refused before hours of training and not after.
        var vocabulary = options.Vocabulary is { } path
            ? Vocabulary.Open(path, options.VocabularyColumn, options.FeaturesColumn ?? train.FeaturesColumn, train.Dimension, stop)
            : null;
        var freeBytes = TrainingMemory.Check(device, TrainingSchedule.AtLargestK(config, options), options.BatchSize);
        using var model = SparseAutoencoder.Create(device, config);
        using var run = new TrainingRun(
            model, options with { FeatureNames = names }, folder, train, heldOut, vocabulary, freeBytes, observer);
        if (claim.ClaimOrCreate())
        {
            CheckFolder(folder);
        }

        folder.DeleteLeftovers();
        var end = run.Run(stop);
        Completed = run.Completed;
        return end;
    }

    /// <summary>Checks that the folder has a run to continue if that is wanted, and none that would be overwritten if not.</summary>
    private void CheckFolder(RunFolder folder)
    {
        if (folder.HasCheckpoint && (options.Resume || options.SkipExisting))
        {
            return;
        }

        if (folder.HasRun)
        {
            throw folder.HasCheckpoint || (!options.Resume && !options.SkipExisting)
                ? new ConfigurationException(
                    $"{options.Output} already contains a run: use Resume to continue it, SkipExisting to skip completed runs, "
                        + "or a different Output",
                    nameof(TrainingOptions.Resume),
                    nameof(TrainingOptions.SkipExisting),
                    nameof(TrainingOptions.Output))
                : new ConfigurationException(
                    $"{options.Output} contains a run without its checkpoint, {Path.GetFileName(folder.State)}: it cannot be continued; "
                        + "use a different Output",
                    nameof(TrainingOptions.Output));
        }

        if (options.Resume)
        {
            throw new ConfigurationException(
                $"{options.Output}: nothing to resume, there is no checkpoint; train without Resume, or with SkipExisting, which starts a "
                    + "run or continues it",
                nameof(TrainingOptions.Resume),
                nameof(TrainingOptions.SkipExisting));
        }
    }

    private FeatureSet Open(IReadOnlyList<string> paths, string? labels, IReadOnlyList<string>? names) =>
        FeatureSet.Open(paths, new FeatureSetOptions
        {
            Normalize = configure(1).UnitRows,
            SimilarityColumn = options.SimilarityColumn,
            FeaturesColumn = options.FeaturesColumn,
            FeatureNames = names,
            LabelColumn = options.LabelColumn,
            LabelsFile = labels,
            ReadLabels = options.ReadLabels,
        });
}
