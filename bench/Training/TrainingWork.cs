using System.Diagnostics;
using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>The seconds of a step's phases.</summary>
/// <param name="Copy">Copying the batch to the device.</param>
/// <param name="Forward">Encode, decode, losses.</param>
/// <param name="Backward">All gradients, MonoLoss included.</param>
/// <param name="Optimizer">Clipping, projection, Adam.</param>
/// <param name="Metrics">Reading the figures that a step reports.</param>
internal readonly record struct StepPhases(double Copy, double Forward, double Backward, double Optimizer, double Metrics);

/// <summary>A model and data in memory: the trainer's step without its files, and MonoScore of the data.</summary>
internal sealed class TrainingWork : IDisposable
{
    /// <summary>
    /// So small that the weights hardly change: every step costs the same, however many are measured. The work does not
    /// depend on it.
    /// </summary>
    public const double LearningRate = 1e-9;

    private readonly Device _device;
    private readonly SparseAutoencoder _model;
    private readonly TrainingStep _training;
    private readonly Tape _tape;
    private readonly float[] _data;
    private readonly Tensor _x;
    // For a device with separate memory: all the data, and the row numbers of the batch, as the trainer does with features that fit.
    private readonly Tensor? _resident;
    private readonly DeviceArray<int>? _rows;
    // Created when needed: its sums take as much memory as two weight matrices, which a training step does not use.
    private MonoScoreAccumulator? _scores;
    private int _batch;

    /// <summary>Creates the model of a case and draws its data and weights.</summary>
    /// <param name="device">The device to train on.</param>
    /// <param name="training">The case.</param>
    /// <param name="sizes">The sizes.</param>
    /// <param name="mono">Whether MonoLoss is on.</param>
    public TrainingWork(Device device, TrainingCase training, WorkSizes sizes, bool mono)
        : this(device, training.Config(sizes, mono), sizes.Rows, sizes.Samples)
    {
        if (training.StartsSparse)
        {
            var bias = _model.Parameters.Single(parameter => parameter.Name == "b_enc").Value;
            bias.Set(Enumerable.Repeat(training.EncoderBias(sizes), sizes.Latents).ToArray());
        }
    }

    /// <summary>Creates a model of any size and draws its data and weights.</summary>
    /// <param name="device">The device to train on.</param>
    /// <param name="config">The model.</param>
    /// <param name="rows">Rows per batch.</param>
    /// <param name="samples">Rows of data, a multiple of the rows per batch.</param>
    public TrainingWork(Device device, SaeConfig config, int rows, int samples)
    {
        _device = device;
        _model = SparseAutoencoder.Create(device, config);
        _model.Initialize(new Random(42));
        // Without restarts, which would be part of a measured step.
        _training = new TrainingStep(_model, new StepOptions { BatchSize = rows, LearningRate = LearningRate, DeadCheckInterval = 0 });
        _tape = new Tape(device);
        _data = SyntheticData.UnitRows(samples, config.Dimension, seed: 1);
        _x = device.Tensor(rows, config.Dimension);
        if (device.Memory is not null && samples > rows)
        {
            _resident = device.Tensor(samples, config.Dimension).Set(_data);
            _rows = device.Allocate<int>(rows);
        }

        ParameterCount = _model.Parameters.Sum(parameter => parameter.Value.Count);
        NextBatch();
    }

    /// <summary>Number of trained parameters.</summary>
    public long ParameterCount { get; }

    /// <summary>The fraction of latents that are active in the last step's batch.</summary>
    public double ActiveShare { get; private set; }

    /// <summary>Runs one training step, with everything that the trainer does for it.</summary>
    public void Step()
    {
        NextBatch();
        Train();
    }

    /// <summary>
    /// Runs a step phase by phase: each begins when the device has finished the one before. Training does not wait for a GPU between
    /// phases, so a whole step takes less than their sum.
    /// </summary>
    public StepPhases StepByPhase()
    {
        var ends = new long[Enum.GetValues<StepPhase>().Length];
        var start = Clock();
        NextBatch();
        var copied = Clock();
        _training.PhaseEnded = phase => ends[(int)phase] = Clock();
        Train();
        _training.PhaseEnded = null;
        return new StepPhases(
            Seconds(start, copied),
            Seconds(copied, ends[(int)StepPhase.Forward]),
            Seconds(ends[(int)StepPhase.Forward], ends[(int)StepPhase.Backward]),
            Seconds(ends[(int)StepPhase.Backward], ends[(int)StepPhase.Optimizer]),
            Seconds(ends[(int)StepPhase.Optimizer], Clock()));
    }

    /// <summary>Encodes the last step's batch again.</summary>
    public void Encode()
    {
        _tape.Reset();
        _model.Encode(_tape, _x);
    }

    /// <summary>Encodes the last step's batch and adds it to the sums of MonoScore.</summary>
    public void AddToScores()
    {
        _scores ??= new MonoScoreAccumulator(_device, _model.Config.Latents, _model.Config.Dimension);
        _tape.Reset();
        _scores.Add(_model.Encode(_tape, _x).Latents.Value, _x);
    }

    /// <summary>Computes MonoScore of all the data: encodes every batch once and finishes the scores.</summary>
    public double MonoScore()
    {
        _scores?.Clear();
        for (var row = 0; row < _data.Length / _x.Columns; row += _x.Rows)
        {
            NextBatch();
            AddToScores();
        }

        return _scores!.Scores().Average();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _training.Dispose();
        _model.Dispose();
        _tape.Dispose();
        _scores?.Dispose();
        _x.Dispose();
        _resident?.Dispose();
        _rows?.Dispose();
    }

    private static double Seconds(long start, long end) => Stopwatch.GetElapsedTime(start, end).TotalSeconds;

    private long Clock()
    {
        _device.Synchronize();
        return Stopwatch.GetTimestamp();
    }

    private void Train() => ActiveShare = _training.Run(_x).L0 / _model.Config.Latents;

    private void NextBatch()
    {
        var (rows, columns) = (_x.Rows, _x.Columns);
        var batches = _data.Length / columns / rows;
        var first = _batch++ % batches * rows;
        if (batches == 1 && _batch > 1)
        {
            return;
        }

        if (_resident is null)
        {
            _x.Set(_data.AsSpan(first * columns, rows * columns));
            return;
        }

        _rows!.CopyFrom([.. Enumerable.Range(first, rows)]);
        _device.GatherRows(_resident, _rows, _x);
    }
}
