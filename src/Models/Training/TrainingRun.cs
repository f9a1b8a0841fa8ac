using System.Diagnostics;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>A run from its first or next step to its end: epochs, evaluations, checkpoints and the files that they leave.</summary>
internal sealed class TrainingRun : IDisposable
{
    // Steps in a row without an active latent after which the user is told.
    private const int MostSilentSteps = 100;

    private readonly SparseAutoencoder _model;
    private readonly TrainingOptions _options;
    private readonly RunFolder _folder;
    private readonly FeatureSet _train;
    private readonly Vocabulary? _vocabulary;
    private readonly ITrainingObserver? _observer;
    private readonly BatchLoader _loader;
    private readonly TrainingStep _step;
    private readonly List<EvaluationSplit> _splits;
    private readonly List<StepMetrics> _metrics = [];
    private readonly List<EvaluationRow> _evaluations = [];
    private readonly Stopwatch _clock = new();
    private bool _isNew;
    private int _silentSteps;
    private bool _reportedSilence;

    /// <summary>Opens the training set for a run.</summary>
    /// <param name="model">The model, with weights of zero.</param>
    /// <param name="options">The settings.</param>
    /// <param name="folder">The run folder, which no other process may be writing to.</param>
    /// <param name="train">The training set.</param>
    /// <param name="heldOut">The validation and test sets that there are.</param>
    /// <param name="vocabulary">What the latents are named by at the end; null for no names.</param>
    /// <param name="freeBytes">Bytes of the device's memory that features may take.</param>
    /// <param name="observer">Watches the run; may be null.</param>
    public TrainingRun(
        SparseAutoencoder model,
        TrainingOptions options,
        RunFolder folder,
        FeatureSet train,
        IReadOnlyList<(string Name, FeatureSet Set)> heldOut,
        Vocabulary? vocabulary,
        long freeBytes,
        ITrainingObserver? observer)
    {
        (_model, _options, _folder, _train, _vocabulary, _observer) = (model, options, folder, train, vocabulary, observer);
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
            FeatureResidency.Memory => batches.MemoryLimit - train.Bytes,
            FeatureResidency.Files => 0,
            _ => throw new UnreachableException($"{_loader.Residency}"),
        };
        foreach (var (name, set) in heldOut)
        {
            var keep = name == "val" && options.EvalEvery > 0 && options.EvalEvery < options.Epochs && set.Bytes <= left;
            _splits.Add(new HeldOutSplit(name, set, model.Device, options.BatchSize, keep));
        }

        _step = new TrainingStep(model, options with { TotalSteps = options.Epochs * _loader.BatchesPerEpoch }, _loader);
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

            foreach (var notice in _vocabulary?.Notices ?? [])
            {
                _observer?.Noticed(notice);
            }

            if (!Train(position, stop))
            {
                return TrainingEnd.Stopped;
            }

            Finish(stop);
            return TrainingEnd.Completed;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Latents were being named: the checkpoint is that of the last epoch.
            return TrainingEnd.Stopped;
        }
        finally
        {
            if (_isNew && !_folder.HasCheckpoint)
            {
                // A run that ends before its first checkpoint cannot be resumed.
                _folder.Delete();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step.Dispose();
        _loader.Dispose();
        _splits.ForEach(split => split.Dispose());
    }

    /// <summary>Fills the model: from the checkpoint, from other weights, or with newly drawn ones.</summary>
    private TrainingPosition Begin()
    {
        if (_folder.HasCheckpoint)
        {
            var position = _folder.ReadCheckpoint(_model, _step.Optimizer);
            _metrics.AddRange(MetricsFiles.ReadSteps(_folder.Metrics).TakeWhile(row => row.Step <= position.Step));
            if (File.Exists(_folder.Evaluations))
            {
                _evaluations.AddRange(MetricsFiles.ReadEvaluations(_folder.Evaluations).Where(row => row.Epoch <= position.Epoch));
            }

            _silentSteps = _metrics.AsEnumerable().Reverse().TakeWhile(step => step.L0 == 0).Count();
            return position;
        }

        if (_options.InitializeFrom is { } initial)
        {
            if (ModelSource.HasWeightsOnly(initial))
            {
                new RunFolder(initial).ReadWeights(_model);
            }
            else
            {
                ModelSource.Open(initial).Initialize(_model);
            }
        }
        else
        {
            _model.Initialize(new Random(_options.Seed));
        }

        _isNew = true;
        _folder.Delete();
        _folder.WriteConfig(_model, _options);
        return default;
    }

    /// <summary>Trains until all epochs are done.</summary>
    /// <returns>False if it was asked to stop before.</returns>
    private bool Train(TrainingPosition position, CancellationToken stop)
    {
        if (stop.IsCancellationRequested && position.Epoch < _options.Epochs)
        {
            return false;
        }

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
                CountSilentSteps(metrics);
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

    private void CountSilentSteps(in StepMetrics step)
    {
        _silentSteps = step.L0 == 0 ? _silentSteps + 1 : 0;
        if (_silentSteps >= MostSilentSteps && !_reportedSilence)
        {
            _reportedSilence = true;
            _observer?.NothingFires(_silentSteps);
        }
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

        _folder.WriteCheckpoint(_model, _step.Optimizer, position, _train.Fingerprints);
        _observer?.Saved(position.Step);
        _clock.Restart();
    }

    private EvaluationResult Evaluate(EvaluationSplit split, int epoch, bool byThreshold = false, LatentSamples? samples = null)
    {
        var name = byThreshold ? TrainingResults.NameByThreshold(split.Name) : split.Name;
        var rows = split.Set.Rows;
        _model.SelectsByThreshold = byThreshold;
        var result = Evaluation.Run(
            _model, split.Set, split.Batches(), done => _observer?.Evaluating(name, done, rows), observer: samples);
        _model.SelectsByThreshold = false;
        var row = new EvaluationRow(epoch, name, EvaluationSummary.Of(result));
        _evaluations.Add(row);
        _observer?.Evaluated(row);
        if (result.HasTooManyLabels)
        {
            _observer?.Noticed($"{split.Name}: no class purity: latents fire for too many classes to count");
        }

        return result;
    }

    private void WriteSamples(LatentSamples? samples, FeatureSet set)
    {
        // Those of an earlier end of the run would be of other weights.
        File.Delete(_folder.Samples);
        if (samples is not null && SamplesFile.Write(_folder.Samples, samples, set) is { } notice)
        {
            _observer?.Noticed(notice);
        }
    }

    /// <summary>Finishes the model, evaluates every split, and writes the files of a complete run; results.json last.</summary>
    /// <param name="stop">Cancels the naming of latents, which can take long.</param>
    /// <exception cref="OperationCanceledException">It was cancelled: the run is not complete.</exception>
    private void Finish(CancellationToken stop)
    {
        _model.AfterTraining(_splits[0].Batches());
        _folder.WriteWeights(_model);
        var final = new Dictionary<string, EvaluationSummary>();
        var byThreshold = new Dictionary<string, EvaluationSummary>();
        EvaluationResult? last = null;
        var classes = _splits[^1].Set.Classes;
        if (_options.EvalEvery > 0)
        {
            _evaluations.RemoveAll(row => row.Epoch == _options.Epochs);
            var samples = _options.Samples > 0 ? new LatentSamples(_model.Config.Latents, _options.Samples) : null;
            foreach (var split in _splits)
            {
                last = Evaluate(split, _options.Epochs, samples: split == _splits[^1] ? samples : null);
                final[split.Name] = EvaluationSummary.Of(last);
                if (split is TrainingSplit)
                {
                    _folder.WriteSparsity(last.Latents, last.Rows);
                }
            }

            foreach (var split in _splits.Where(_ => _model.SelectsFromBatch))
            {
                byThreshold[split.Name] = EvaluationSummary.Of(Evaluate(split, _options.Epochs, byThreshold: true));
            }

            if (_vocabulary is not null)
            {
                var rows = _vocabulary.Rows;
                last = last!.WithNames(
                    _vocabulary.NamesOf(_model, progress: done => _observer?.Evaluating("names", done, rows), stop: stop));
            }

            MetricsFiles.WriteEvaluations(_folder.Evaluations, _evaluations);
            var set = _splits[^1].Set;
            MetricsFiles.WriteLatents(_folder.Latents, last!.Latents, classes, set.ClassNumbers, set.HasClassNames);
            WriteSamples(samples, set);
        }

        _folder.WriteConfig(_model, _options, Provenance.Of(_model.Config, _options, final, _train.Origin));
        var results = new TrainingResults(_model.Config, _options, _metrics[^1].Step, _metrics[^1], final)
        {
            ByThreshold = byThreshold,
        };
        _folder.WriteResults(results);
        Completed = new CompletedRun(results, _metrics, _evaluations, last?.Latents ?? [], last is null ? [] : classes);
    }
}
