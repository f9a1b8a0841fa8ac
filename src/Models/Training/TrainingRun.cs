using System.Diagnostics;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>A run from its first or next step to its end: epochs, evaluations, checkpoints and the files that they leave.</summary>
internal sealed class TrainingRun : IDisposable
{
    private readonly SparseAutoencoder _model;
    private readonly TrainingOptions _options;
    private readonly RunFolder _folder;
    private readonly ITrainingObserver? _observer;
    private readonly BatchLoader _loader;
    private readonly TrainingStep _step;
    private readonly List<EvaluationSplit> _splits;
    private readonly List<StepMetrics> _metrics = [];
    private readonly List<EvaluationRow> _evaluations = [];
    private readonly Stopwatch _clock = new();
    private bool _createdFolder;

    /// <summary>Opens the training set for a run.</summary>
    /// <param name="model">The model, with weights of zero.</param>
    /// <param name="options">The settings.</param>
    /// <param name="folder">The run folder.</param>
    /// <param name="train">The training set.</param>
    /// <param name="heldOut">The validation and test sets that there are.</param>
    /// <param name="freeBytes">Bytes of the device's memory that features may take.</param>
    /// <param name="observer">Watches the run; may be null.</param>
    public TrainingRun(
        SparseAutoencoder model,
        TrainingOptions options,
        RunFolder folder,
        FeatureSet train,
        IReadOnlyList<(string Name, FeatureSet Set)> heldOut,
        long freeBytes,
        ITrainingObserver? observer)
    {
        (_model, _options, _folder, _observer) = (model, options, folder, observer);
        var batches = new BatchOptions
        {
            BatchSize = options.BatchSize,
            Seed = (ulong)options.Seed,
            Shuffle = options.Shuffle,
            MemoryBytes = options.MemoryBytes,
        };
        _loader = BatchLoader.Open(model.Device, train, batches, freeBytes);
        _splits = [new TrainingSplit(train, _loader)];

        // Memory that the training set leaves is for the validation set, the only other one that is evaluated more than once.
        var left = _loader.Residency switch
        {
            FeatureResidency.Device => batches.MemoryLimit,
            FeatureResidency.Memory => batches.MemoryLimit - Bytes(train),
            FeatureResidency.Files => 0,
            _ => throw new UnreachableException($"{_loader.Residency}"),
        };
        foreach (var (name, set) in heldOut)
        {
            var keep = name == "val" && options.EvalEvery > 0 && options.EvalEvery < options.Epochs && Bytes(set) <= left;
            _splits.Add(new HeldOutSplit(name, set, model.Device, options.BatchSize, keep));
        }

        _step = new TrainingStep(model, options, _loader);
    }

    /// <summary>The results, once the run is complete.</summary>
    public CompletedRun? Completed { get; private set; }

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <param name="stop">Asks to stop after the present step; the checkpoint is saved then.</param>
    public TrainingEnd Run(CancellationToken stop)
    {
        try
        {
            var position = Begin();
            _observer?.Started(new TrainingPlan(
                _model.Config,
                _options,
                _model.Device,
                _splits.ToDictionary(split => split.Name, split => split.Set.Rows),
                _loader.BatchesPerEpoch,
                position.Step,
                _loader.Residency));
            foreach (var (split, notice) in _splits.SelectMany(split => split.Set.Notices.Select(notice => (split, notice))))
            {
                _observer?.Noticed($"{split.Name}: {notice}");
            }

            if (!Train(position, stop))
            {
                return TrainingEnd.Stopped;
            }

            Finish();
            return TrainingEnd.Completed;
        }
        catch (Exception) when (_createdFolder && !File.Exists(_folder.State))
        {
            // A run that fails before its first checkpoint could not be resumed, and its folder would block the name.
            _folder.Delete();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step.Dispose();
        _loader.Dispose();
        _splits.ForEach(split => split.Dispose());
    }

    private static long Bytes(FeatureSet set) => set.Rows * set.Dimension * sizeof(float);

    /// <summary>Fills the model: from the checkpoint, from other weights, or with newly drawn ones.</summary>
    private TrainingPosition Begin()
    {
        if (_folder.HasRun && File.Exists(_folder.State))
        {
            CheckSameRun();
            var position = _folder.ReadCheckpoint(_model, _step.Optimizer);
            _metrics.AddRange(MetricsFiles.ReadSteps(_folder.Metrics).TakeWhile(row => row.Step <= position.Step));
            if (File.Exists(_folder.Evaluations))
            {
                _evaluations.AddRange(MetricsFiles.ReadEvaluations(_folder.Evaluations).Where(row => row.Epoch <= position.Epoch));
            }

            return position;
        }

        if (_options.InitializeFrom is { } initial)
        {
            new RunFolder(initial).ReadWeights(_model);
        }
        else
        {
            _model.Initialize(new Random(_options.Seed));
        }

        _createdFolder = true;
        try
        {
            Directory.CreateDirectory(_folder.Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{_folder.Path}: cannot create the folder: {exception.Message}", exception);
        }

        _folder.WriteConfig(_model, _options);
        return default;
    }

    /// <summary>A resumed run must be the one that was begun; only how far it goes, what it evaluates and where it is may change.</summary>
    private void CheckSameRun()
    {
        var (storedModel, storedTraining) = _folder.ReadConfig();
        if (storedModel != _model.Config)
        {
            throw new ConfigurationException(
                $"{_options.Output} contains a run of another model: {Difference(storedModel, _model.Config)}");
        }

        static TrainingOptions Comparable(TrainingOptions run) => run with
        {
            Output = string.Empty,
            Epochs = 1,
            EvalEvery = 0,
            CheckpointEvery = 0,
            Validation = [],
            Test = [],
            Train = [],
            FeatureNames = null,
            ReadLabels = true,
            Resume = false,
            SkipExisting = false,
        };
        if (storedTraining is { FeatureNames: { } names } && !names.SequenceEqual(_options.FeatureNames ?? []))
        {
            throw new ConfigurationException(
                $"{_options.Output} contains a run on other columns: {Some(names)}, now {Some(_options.FeatureNames ?? [])}");
        }

        if (storedTraining is not null && Difference(Comparable(storedTraining), Comparable(_options)) is { Length: > 0 } difference)
        {
            throw new ConfigurationException($"{_options.Output} contains a run with other settings: {difference}");
        }
    }

    private static string Some(IReadOnlyList<string> names) =>
        names.Count == 0 ? "a column of lists" : $"{names.Count} from {names[0]} to {names[^1]}";

    private static string Difference<T>(T stored, T now) => string.Join(", ", typeof(T).GetProperties()
        .Select(property => (property.Name, Stored: $"{property.GetValue(stored)}", Now: $"{property.GetValue(now)}"))
        .Where(entry => entry.Stored != entry.Now)
        .Select(entry => $"{entry.Name} was {entry.Stored}, now {entry.Now}"));

    /// <summary>Trains until all epochs are done.</summary>
    /// <returns>False if it was asked to stop before.</returns>
    private bool Train(TrainingPosition position, CancellationToken stop)
    {
        _clock.Restart();
        for (var (epoch, batch) = (position.Epoch, position.Batch); epoch < _options.Epochs; epoch++, batch = 0)
        {
            _loader.StartEpoch(epoch, batch);
            while (_loader.Next() is { } x)
            {
                batch++;
                var metrics = _step.Run(x) with { Epoch = epoch + 1, SamplesPerSecond = _options.BatchSize / _clock.Elapsed.TotalSeconds };
                _metrics.Add(metrics);
                _observer?.Stepped(metrics);
                _clock.Restart();

                // The last batch of an epoch is followed by an evaluation and a checkpoint in any case.
                if (batch < _loader.BatchesPerEpoch)
                {
                    if (stop.IsCancellationRequested)
                    {
                        Save(new TrainingPosition(epoch, batch, metrics.Step));
                        return false;
                    }

                    if (_options.CheckpointEvery > 0 && metrics.Step % _options.CheckpointEvery == 0)
                    {
                        Save(new TrainingPosition(epoch, batch, metrics.Step));
                    }
                }
            }

            // After the last epoch every split is evaluated, once the weights are saved.
            if (_options.EvalEvery > 0 && (epoch + 1) % _options.EvalEvery == 0 && epoch + 1 < _options.Epochs)
            {
                foreach (var split in _splits.Where(split => split.Name == "val"))
                {
                    Evaluate(split, epoch + 1);
                }
            }

            Save(new TrainingPosition(epoch + 1, 0, _step.Optimizer.Steps));
            if (stop.IsCancellationRequested && epoch + 1 < _options.Epochs)
            {
                return false;
            }
        }

        return true;
    }

    private void Save(TrainingPosition position)
    {
        // A complete run that is continued is no longer complete.
        File.Delete(_folder.Results);
        MetricsFiles.WriteSteps(_folder.Metrics, _metrics);
        if (_evaluations.Count > 0)
        {
            MetricsFiles.WriteEvaluations(_folder.Evaluations, _evaluations);
        }

        _folder.WriteCheckpoint(_model, _step.Optimizer, position);
        _observer?.Saved(position.Step);
        _clock.Restart();
    }

    private EvaluationResult Evaluate(EvaluationSplit split, int epoch)
    {
        var rows = split.Set.Rows;
        var result = Evaluation.Run(_model, split.Set, split.Batches(), done => _observer?.Evaluating(split.Name, done, rows));
        var row = new EvaluationRow(epoch, split.Name, EvaluationSummary.Of(result));
        _evaluations.Add(row);
        _observer?.Evaluated(row);
        if (result.HasTooManyLabels)
        {
            _observer?.Noticed($"{split.Name}: no class purity: latents fire for too many classes to count");
        }

        return result;
    }

    /// <summary>Evaluates every split, and writes the files of a complete run; results.json last.</summary>
    private void Finish()
    {
        var final = new Dictionary<string, EvaluationSummary>();
        EvaluationResult? last = null;
        var classes = _splits[^1].Set.Classes;
        if (_options.EvalEvery > 0)
        {
            _evaluations.RemoveAll(row => row.Epoch == _options.Epochs);
            foreach (var split in _splits)
            {
                last = Evaluate(split, _options.Epochs);
                final[split.Name] = EvaluationSummary.Of(last);
            }

            MetricsFiles.WriteEvaluations(_folder.Evaluations, _evaluations);
            var set = _splits[^1].Set;
            MetricsFiles.WriteLatents(_folder.Latents, last!.Latents, classes, set.ClassNumbers, set.HasClassNames);
        }

        _folder.WriteConfig(_model, _options);
        var results = new TrainingResults(_model.Config, _options, _metrics[^1].Step, _metrics[^1], final);
        _folder.WriteResults(results);
        Completed = new CompletedRun(results, _metrics, _evaluations, last?.Latents ?? [], last is null ? [] : classes);
    }
}
