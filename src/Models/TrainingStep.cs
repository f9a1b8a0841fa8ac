using MonoLoss.Autodiff;

namespace MonoLoss.Models;

/// <summary>The training set, of which a step may need more than its batch.</summary>
public interface ITrainingData
{
    /// <summary>The first batch of the first epoch on the host, B×D values in rows. An epoch that is under way is interrupted.</summary>
    float[] FirstBatch();

    /// <summary>All rows in the order of the files, in batches of which the last may be smaller; each is valid until the next.</summary>
    IEnumerable<Batch> InFileOrder();
}

/// <summary>The parts of a training step.</summary>
public enum StepPhase
{
    /// <summary>Encoding, decoding and losses.</summary>
    Forward,

    /// <summary>All gradients, MonoLoss included.</summary>
    Backward,

    /// <summary>Clipping, projection and Adam.</summary>
    Optimizer,
}

/// <summary>
/// A training step: take the scheduled values, encode, count the latents that fired, compute the loss, backpropagate, clip, step Adam,
/// and call the model's <see cref="SparseAutoencoder.AfterStep"/> (restarts, thresholds). <see cref="Trainer"/>, the benchmarks and the
/// tests use it.
/// </summary>
/// <example><code>
/// using var step = new TrainingStep(model, new StepOptions { BatchSize = x.Rows });
/// StepMetrics metrics = step.Run(x);
/// </code></example>
public sealed class TrainingStep : IDisposable
{
    private readonly SparseAutoencoder _model;
    private readonly StepOptions _options;
    private readonly ITrainingData? _data;
    private readonly Tape _tape;
    private readonly DatasetMonoLoss? _dataset;
    private readonly TrainingSchedule _schedule;
    private readonly ArchitectureTraits _traits;
    private readonly TargetL0? _target;
    private bool _begun;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">The model; it is not owned by the step.</param>
    /// <param name="options">The settings.</param>
    /// <param name="data">
    /// The training set; null if only batches are available. It is needed if <see cref="StepOptions.MonoPeriod"/> exceeds 1, and to
    /// continue an earlier run: without it, the first batch is the first one that is trained on.
    /// </param>
    /// <exception cref="ConfigurationException">A setting is out of range.</exception>
    /// <exception cref="ArgumentNullException"><see cref="StepOptions.MonoPeriod"/> exceeds 1, but there is no training set.</exception>
    public TrainingStep(SparseAutoencoder model, StepOptions options, ITrainingData? data = null)
        : this(model, options, data, new Tape(model.Device))
    {
    }

    /// <summary>Prepares to train a model on a given tape, which the step owns.</summary>
    internal TrainingStep(SparseAutoencoder model, StepOptions options, ITrainingData? data, Tape tape)
    {
        options.Validate();
        _schedule = new TrainingSchedule(model.Config, options);
        (_model, _options, _data, _tape) = (model, options, data, tape);
        _traits = model.Config.Architecture.Traits();
        // With a bandwidth the penalty is L0, else L1.
        _target = options.TargetL0 is { } target
            ? new TargetL0(target, model.Config.L1Coefficient, isL0Penalty: _traits.UsesBandwidth)
            : null;
        model.TrainingNumbers = _target?.StateNumbers ?? [];
        if (options.MonoPeriod > 1 && model.Config.MonoCoefficient > 0)
        {
            ArgumentNullException.ThrowIfNull(data);
            _dataset = new DatasetMonoLoss(model);
        }

        Optimizer = new Adam(model.Device, model.Parameters);
        if (data is not null)
        {
            Begin(data.FirstBatch);
        }
    }

    /// <summary>Adam, which counts the steps.</summary>
    public Adam Optimizer { get; }

    /// <summary>Called at the end of each phase of a step, for measurements; kernels may still be running. Null for nothing.</summary>
    public Action<StepPhase>? PhaseEnded { get; set; }

    /// <summary>Trains on a batch.</summary>
    /// <param name="batch">The rows.</param>
    /// <returns>The figures of the step. The number of the epoch and the speed are left at 0.</returns>
    /// <exception cref="ConfigurationException">The loss is not finite; the weights are invalid afterwards.</exception>
    /// <exception cref="ArgumentException">The rows do not have D features.</exception>
    public StepMetrics Run(in Batch batch)
    {
        var x = batch.X;
        if (!_begun)
        {
            Begin(x.ToArray);
        }

        if (Optimizer.Steps == 0 && _options.DecoderBiasStart != DecoderBiasStart.Zero)
        {
            _model.StartDecoderBias(x, _options.DecoderBiasStart);
        }

        var values = ValuesOfStep();
        _model.Scheduled = values;
        _tape.Reset();
        var encoding = _model.Encode(_tape, batch);
        var dead = _model.UpdateStepsSinceFired(encoding, _options.DeadAfterBatches);
        var loss = _model.Loss(_tape, x, encoding, dead, batchMonoLoss: _dataset is null);
        PhaseEnded?.Invoke(StepPhase.Forward);

        _tape.Backward(loss.Total);
        PhaseEnded?.Invoke(StepPhase.Backward);

        if (_dataset is not null && (Optimizer.Steps + 1) % _options.MonoPeriod == 0)
        {
            _dataset.AddGradient(_data!.InFileOrder(), values.MonoCoefficient);
        }

        var norm = Optimizer.Step(
            (float)values.LearningRate,
            (float)_options.AdamEpsilon,
            _options.MaxGradientNorm ?? _model.DefaultMaxGradientNorm,
            (float)_options.WeightDecay);
        PhaseEnded?.Invoke(StepPhase.Optimizer);

        var metrics = Read(values, loss, norm, _model.CountDead(_options.DeadAfterBatches));
        if (!double.IsFinite(metrics.Loss))
        {
            throw new ConfigurationException(
                $"the loss became {metrics.Loss} at step {metrics.Step}: try a lower LearningRate", nameof(StepOptions.LearningRate));
        }

        _target?.Observe(metrics.L0, metrics.ReconstructionLoss, values.LearningRate);
        _model.AfterStep(new CompletedStep(Optimizer.Steps, encoding, _options));
        return metrics;
    }

    /// <summary>Frees the memory of the step. The model stays.</summary>
    public void Dispose()
    {
        _tape.Dispose();
        Optimizer.Dispose();
        _dataset?.Dispose();
    }

    /// <summary>The only place where it is decided what a step computes with.</summary>
    private StepValues ValuesOfStep()
    {
        var values = _schedule.At(Optimizer.Steps);
        return _target is null ? values : values with { L1Coefficient = _target.Coefficient };
    }

    private void Begin(Func<float[]> firstBatch)
    {
        _model.BeforeTraining(_options, firstBatch);
        _begun = true;
    }

    /// <summary>Reads the figures last: the first waits for the device, and one copy brings them all.</summary>
    private StepMetrics Read(in StepValues values, in StepLoss loss, Scalar gradientNorm, Scalar deadLatents) => new()
    {
        Step = Optimizer.Steps,
        Loss = loss.Total.Read(),
        ReconstructionLoss = loss.Reconstruction.Read(),
        AuxLoss = _model.ReportedAuxiliaryFactor * (loss.Auxiliary?.Read() ?? 0),
        SparsityLoss = values.L1Coefficient * (loss.Sparsity?.Read() ?? 0),
        MonoLoss = loss.Mono?.Loss.Read() ?? 0,
        MonoScore = loss.Mono?.MeanScore.Read() ?? 0,
        L0 = loss.L0.Read(),
        DeadLatents = (int)deadLatents.Read(),
        GradientNorm = gradientNorm.Read(),
        LearningRate = values.LearningRate,
        L1Coefficient = _traits.HasSparsityPenalty ? values.L1Coefficient : null,
        MonoCoefficient = values.MonoCoefficient,
        K = _traits.SelectsK ? values.K : null,
    };
}
