using System.Diagnostics;
using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>What a run is about to do.</summary>
/// <param name="Model">What is trained.</param>
/// <param name="Training">How.</param>
/// <param name="Device">Where.</param>
/// <param name="Splits">Rows of each split, by name.</param>
/// <param name="StepsPerEpoch">Batches of an epoch.</param>
/// <param name="FirstStep">Steps made before this run began (resumed).</param>
/// <param name="Features">Where the training features are.</param>
public sealed record TrainingPlan(
    SaeConfig Model,
    TrainingOptions Training,
    Device Device,
    IReadOnlyDictionary<string, long> Splits,
    long StepsPerEpoch,
    long FirstStep,
    FeatureResidency Features);

/// <summary>Watches a run.</summary>
public interface ITrainingObserver
{
    /// <summary>The data are open and the model is ready.</summary>
    void Started(TrainingPlan plan);

    /// <summary>A step was made.</summary>
    void Stepped(in StepMetrics metrics);

    /// <summary>An evaluation goes on.</summary>
    /// <param name="split">train, val or test.</param>
    /// <param name="rows">Rows so far.</param>
    /// <param name="total">Rows in all.</param>
    void Evaluating(string split, long rows, long total);

    /// <summary>An evaluation was made.</summary>
    void Evaluated(EvaluationRow row);

    /// <summary>A checkpoint was saved.</summary>
    void Saved(long step);
}

/// <summary>How a run ended.</summary>
public enum TrainingEnd
{
    /// <summary>All epochs are done.</summary>
    Completed,

    /// <summary>It was asked to stop; the checkpoint is saved.</summary>
    Stopped,

    /// <summary>The folder held this run complete, and it was left alone.</summary>
    Skipped,
}

/// <summary>Trains an autoencoder from feature files into a run folder.</summary>
/// <param name="device">Where.</param>
/// <param name="options">How.</param>
/// <param name="configure">The model's configuration, given the number of features.</param>
/// <param name="observer">Who watches; may be null.</param>
public sealed class Trainer(Device device, TrainingOptions options, Func<int, SaeConfig> configure, ITrainingObserver? observer = null)
{
    private TrainingOptions Options => options;

    private ITrainingObserver? Observer => observer;

    private readonly RunFolder _folder = new(options.Output);
    private readonly List<StepMetrics> _metrics = [];
    private readonly List<EvaluationRow> _evaluations = [];
    private bool _begun;

    /// <summary>The results, once <see cref="Run(CancellationToken)"/> has returned <see cref="TrainingEnd.Completed"/>; null before.</summary>
    public CompletedRun? Completed { get; private set; }

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <param name="stop">Asks to stop after the present step; the checkpoint is saved then.</param>
    /// <exception cref="ConfigurationException">The settings cannot be.</exception>
    /// <exception cref="DataException">A file cannot be read or written.</exception>
    public TrainingEnd Run(CancellationToken stop = default)
    {
        options.Validate();
        if (options.SkipExisting && _folder.IsComplete)
        {
            return TrainingEnd.Skipped;
        }

        if (_folder.HasRun && !options.Resume && !options.SkipExisting)
        {
            throw new ConfigurationException(
                $"{options.Output} already contains a run: use Resume to continue it, SkipExisting to skip completed runs, or a different Output",
                nameof(TrainingOptions.Resume),
                nameof(TrainingOptions.SkipExisting),
                nameof(TrainingOptions.Output));
        }

        var train = OpenSplit(options.Train, "train")!;
        var splits = new List<(string Name, FeatureSet Set)>();
        foreach (var (name, paths) in new[] { ("val", options.Validation), ("test", options.Test) })
        {
            if (OpenSplit(paths, name) is { } set)
            {
                splits.Add((name, set));
                if (set.Dimension != train.Dimension)
                {
                    throw new DataException(
                        $"{set.Files[0]}: its features have {set.Dimension} dimensions, those of the training set {train.Dimension}");
                }
            }
        }

        var config = configure(train.Dimension);
        var freeBytes = TrainingMemory.Check(device, config, options.BatchSize);
        using var model = SparseAutoencoder.Create(device, config);
        using var adam = new Adam(device, model.Parameters);
        using var feed = BatchLoader.Open(device, train, BatchOptions(), freeBytes);
        try
        {
            return Run(model, adam, feed, train, splits, stop);
        }
        catch (Exception) when (_begun && !File.Exists(_folder.State))
        {
            // What failed before its first checkpoint leaves nothing: neither a run that cannot go on nor a name that is taken.
            _folder.Delete();
            throw;
        }
    }

    private TrainingEnd Run(
        SparseAutoencoder model,
        Adam adam,
        BatchLoader feed,
        FeatureSet train,
        List<(string Name, FeatureSet Set)> splits,
        CancellationToken stop)
    {
        var position = Begin(model, adam, model.Config);
        observer?.Started(new TrainingPlan(
            model.Config,
            options,
            device,
            splits.Prepend(("train", train)).ToDictionary(split => split.Item1, split => split.Item2.Rows),
            feed.BatchesPerEpoch,
            position.Step,
            feed.Place));

        using var loop = new Loop(this, model, adam, feed);
        position = loop.Train(position, splits, stop);
        if (position.Epoch < options.Epochs)
        {
            return TrainingEnd.Stopped;
        }

        Finish(model, train, splits);
        return TrainingEnd.Completed;
    }

    /// <summary>The rows of a set in file order, in batches of which the last may be smaller; each is valid until the next.</summary>
    internal static IEnumerable<(Tensor X, int[] Labels)> Sequential(FeatureSet set, Device device, int batchSize)
    {
        using var reader = set.OpenReader();
        using var x = device.Tensor(0, 0);
        var rows = new float[checked(batchSize * set.Dimension)];
        var labels = set.HasLabels ? new int[batchSize] : [];
        int count;
        while ((count = reader.Read(rows, labels)) > 0)
        {
            x.Resize(count, set.Dimension);
            x.Set(rows.AsSpan(0, count * set.Dimension));
            yield return (x, labels);
        }
    }

    /// <summary>Evaluates a model on a set.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">The set, read in file order.</param>
    /// <param name="batchSize">Rows at a time; BatchTopK selects within them.</param>
    /// <param name="progress">Told the rows so far; may be null.</param>
    public static EvaluationResult Evaluate(SparseAutoencoder model, FeatureSet set, int batchSize, Action<long>? progress = null)
    {
        using var evaluation = new Evaluation(model, set.HasLabels ? set.Classes.Count : 0);
        var rows = 0L;
        foreach (var (x, labels) in Sequential(set, model.Device, batchSize))
        {
            evaluation.Add(x, set.HasLabels ? labels.AsSpan(0, x.Rows) : []);
            rows += x.Rows;
            progress?.Invoke(rows);
        }

        return evaluation.Finish();
    }

    private FeatureSet? OpenSplit(IReadOnlyList<string> paths, string name)
    {
        if (paths.Count == 0)
        {
            return name == "train"
                ? throw new ConfigurationException("no training data: Train is empty", nameof(TrainingOptions.Train))
                : null;
        }

        return FeatureSet.Open(paths, new FeatureSetOptions
        {
            FeaturesColumn = options.FeaturesColumn,
            LabelColumn = options.LabelColumn,
        });
    }

    private BatchOptions BatchOptions() => new()
    {
        BatchSize = options.BatchSize,
        Seed = (ulong)options.Seed,
        Shuffle = options.Shuffle,
        MemoryBytes = options.MemoryBytes,
    };

    /// <summary>Fills the model: from the checkpoint, from other weights, or newly drawn.</summary>
    private TrainingPosition Begin(SparseAutoencoder model, Adam adam, SaeConfig config)
    {
        if (_folder.HasRun && File.Exists(_folder.State))
        {
            CheckSameRun(config);
            var position = _folder.ReadState(model, adam);
            _metrics.AddRange(MetricsFiles.ReadSteps(_folder.Metrics).TakeWhile(row => row.Step <= position.Step));
            if (File.Exists(_folder.Evaluations))
            {
                _evaluations.AddRange(MetricsFiles.ReadEvaluations(_folder.Evaluations).Where(row => row.Epoch <= position.Epoch));
            }

            return position;
        }

        if (options.InitializeFrom is { } initial)
        {
            new RunFolder(initial).ReadWeights(model);
        }
        else
        {
            model.Initialize(new Random(options.Seed));
        }

        _begun = true;
        try
        {
            Directory.CreateDirectory(options.Output);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{options.Output}: cannot be made a folder: {exception.Message}", exception);
        }

        _folder.WriteConfig(config, options);
        return default;
    }

    /// <summary>A resumed run must be the one that was begun; only how far it goes and how often it reports may change.</summary>
    private void CheckSameRun(SaeConfig config)
    {
        var (storedModel, storedTraining) = _folder.ReadConfig();
        if (storedModel != config)
        {
            throw new ConfigurationException($"{options.Output} holds a run of another model: {Difference(storedModel, config)}");
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
            Resume = false,
            SkipExisting = false,
        };
        if (storedTraining is not null && Difference(Comparable(storedTraining), Comparable(options)) is { Length: > 0 } difference)
        {
            throw new ConfigurationException($"{options.Output} holds a run with other settings: {difference}");
        }
    }

    private static string Difference<T>(T stored, T now) => string.Join(", ", typeof(T).GetProperties()
        .Select(property => (property.Name, Stored: $"{property.GetValue(stored)}", Now: $"{property.GetValue(now)}"))
        .Where(entry => entry.Stored != entry.Now)
        .Select(entry => $"{entry.Name} was {entry.Stored}, now {entry.Now}"));

    private void Save(SparseAutoencoder model, Adam adam, TrainingPosition position)
    {
        // A run that was complete and goes on is not complete any more.
        File.Delete(_folder.Results);
        MetricsFiles.WriteSteps(_folder.Metrics, _metrics);
        if (_evaluations.Count > 0)
        {
            MetricsFiles.WriteEvaluations(_folder.Evaluations, _evaluations);
        }

        _folder.WriteWeights(model);
        _folder.WriteState(model, adam, position);
        observer?.Saved(position.Step);
    }

    private EvaluationResult EvaluateSplit(SparseAutoencoder model, string name, FeatureSet set, int epoch)
    {
        var result = Evaluate(model, set, options.BatchSize, rows => observer?.Evaluating(name, rows, set.Rows));
        var row = new EvaluationRow(epoch, name, EvaluationSummary.Of(result));
        _evaluations.Add(row);
        observer?.Evaluated(row);
        return result;
    }

    /// <summary>Evaluates every split, and writes what is left to write; results.json last.</summary>
    private void Finish(SparseAutoencoder model, FeatureSet train, List<(string Name, FeatureSet Set)> splits)
    {
        var final = new Dictionary<string, EvaluationSummary>();
        (EvaluationResult Result, FeatureSet Set)? last = null;
        if (options.EvalEvery > 0)
        {
            _evaluations.RemoveAll(row => row.Epoch == options.Epochs);
            foreach (var (name, set) in splits.Prepend(("train", train)))
            {
                var result = EvaluateSplit(model, name, set, options.Epochs);
                final[name] = EvaluationSummary.Of(result);
                last = (result, set);
            }

            MetricsFiles.WriteEvaluations(_folder.Evaluations, _evaluations);
            MetricsFiles.WriteLatents(_folder.Latents, last!.Value.Result.Latents, last.Value.Set.Classes, last.Value.Set.LabelsAreIntegers);
        }

        _folder.WriteConfig(model.Config, options);
        var results = new TrainingResults(model.Config, options, _metrics[^1].Step, _metrics[^1], final);
        _folder.WriteResults(results);
        Completed = new CompletedRun(results, _metrics, _evaluations, last?.Result.Latents ?? [], last?.Set.Classes ?? []);
    }

    /// <summary>The loop over epochs and steps.</summary>
    private sealed class Loop : IDisposable
    {
        // Restarts draw from a stream of their own for every step, so that a resumed run draws the same.
        private const int RestartSeedStride = 7919;

        private readonly Trainer _trainer;
        private readonly TrainingOptions _options;
        private readonly SparseAutoencoder _model;
        private readonly Adam _adam;
        private readonly BatchLoader _feed;
        private readonly Tape _tape;
        private readonly DatasetMonoLoss? _dataset;
        private readonly float[] _restartPool = [];

        public Loop(Trainer trainer, SparseAutoencoder model, Adam adam, BatchLoader feed)
        {
            (_trainer, _model, _adam, _feed, _options) = (trainer, model, adam, feed, trainer.Options);
            _tape = new Tape(model.Device);
            _dataset = _options.MonoPeriod > 1 && model.Config.MonoCoefficient > 0 ? new DatasetMonoLoss(model) : null;
            if (model is TopK && _options.DeadCheckInterval > 0)
            {
                _restartPool = feed.FirstBatch();
            }
        }

        public TrainingPosition Train(TrainingPosition position, List<(string Name, FeatureSet Set)> splits, CancellationToken stop)
        {
            var clock = Stopwatch.StartNew();
            var (epoch, batch, step) = position;
            for (; epoch < _options.Epochs; epoch++, batch = 0)
            {
                _feed.StartEpoch(epoch, batch);
                while (_feed.Next() is { } x)
                {
                    batch++;
                    step++;
                    Step(x, step, epoch + 1, clock);
                    clock.Restart();
                    if (stop.IsCancellationRequested && batch < _feed.BatchesPerEpoch)
                    {
                        _trainer.Save(_model, _adam, new TrainingPosition(epoch, batch, step));
                        return new TrainingPosition(epoch, batch, step);
                    }

                    if (_options.CheckpointEvery > 0 && step % _options.CheckpointEvery == 0 && batch < _feed.BatchesPerEpoch)
                    {
                        _trainer.Save(_model, _adam, new TrainingPosition(epoch, batch, step));
                        clock.Restart();
                    }
                }

                // The last epoch's evaluation is the final one, of every split.
                if (_options.EvalEvery > 0 && (epoch + 1) % _options.EvalEvery == 0 && epoch + 1 < _options.Epochs)
                {
                    foreach (var (name, set) in splits.Where(split => split.Name == "val"))
                    {
                        _trainer.EvaluateSplit(_model, name, set, epoch + 1);
                    }
                }

                _trainer.Save(_model, _adam, new TrainingPosition(epoch + 1, 0, step));
                if (stop.IsCancellationRequested && epoch + 1 < _options.Epochs)
                {
                    return new TrainingPosition(epoch + 1, 0, step);
                }

                clock.Restart();
            }

            return new TrainingPosition(epoch, batch, step);
        }

        public void Dispose()
        {
            _tape.Dispose();
            _dataset?.Dispose();
        }

        private void Step(Tensor x, long step, int epoch, Stopwatch clock)
        {
            _tape.Reset();
            var loss = _model.Loss(_tape, x, _options.DeadAfterBatches, batchMonoLoss: _dataset is null);
            _tape.Backward(loss.Total);
            var total = loss.Total.Read();
            if (!double.IsFinite(total))
            {
                throw new ConfigurationException(
                    $"the loss became {total} at step {step}: try a lower LearningRate; the last checkpoint is kept",
                    nameof(TrainingOptions.LearningRate));
            }

            if (_dataset is not null && step % _options.MonoPeriod == 0)
            {
                _dataset.AddGradient(_feed.InFileOrder(), _model.Config.MonoCoefficient);
            }

            var norm = _adam.Step(
                (float)_options.LearningRate, (float)_options.AdamEpsilon, _options.MaxGradientNorm ?? _model.DefaultMaxGradientNorm);
            var dead = _model.CountDead(_options.DeadAfterBatches);
            if (_model is TopK topK && _options.DeadCheckInterval > 0 && step > 1 && (step - 1) % _options.DeadCheckInterval == 0)
            {
                topK.RestartDead(
                    _options.DeadAfterBatches, _restartPool, new Random(StepSeed(_options.Seed, step)));
            }

            var metrics = new StepMetrics(
                step,
                epoch,
                total,
                loss.Reconstruction.Read(),
                _model.ReportedAuxiliaryFactor * (loss.Auxiliary?.Read() ?? 0),
                _model.Config.L1Coefficient * (loss.Sparsity?.Read() ?? 0),
                loss.Mono?.Loss.Read() ?? 0,
                loss.Mono?.MeanScore.Read() ?? 0,
                loss.L0.Read(),
                dead,
                norm,
                _options.BatchSize / clock.Elapsed.TotalSeconds);
            _trainer._metrics.Add(metrics);
            _trainer.Observer?.Stepped(metrics);
        }

        /// <summary>A seed of its own for every step (System.HashCode differs from process to process).</summary>
        private static int StepSeed(int seed, long step) => unchecked((int)((seed * 31) + (step * RestartSeedStride)));
    }
}
