using System.Diagnostics;
using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>The seconds of a step's phases.</summary>
/// <param name="Copy">The batch to the device.</param>
/// <param name="Forward">Encode, decode, losses.</param>
/// <param name="Backward">All gradients, and with them MonoLoss.</param>
/// <param name="Optimizer">Clipping, projection, Adam.</param>
/// <param name="Metrics">Reading the figures that a step reports.</param>
internal readonly record struct StepPhases(double Copy, double Forward, double Backward, double Optimizer, double Metrics);

/// <summary>A model, data and an optimizer: the trainer's step without its files.</summary>
internal sealed class TrainingWork : IDisposable
{
    /// <summary>
    /// So small that the weights stay where they are: every step costs what the first did, however many are measured. The work
    /// done does not depend on it.
    /// </summary>
    public const float LearningRate = 1e-9f;

    private const float AdamEpsilon = 6.25e-10f;

    private readonly Device _device;
    private readonly WorkSizes _sizes;
    private readonly int _deadAfterBatches;
    private readonly SparseAutoencoder _model;
    private readonly Tape _tape;
    private readonly Adam _adam;
    private readonly float[] _data;
    private readonly Tensor _x;
    // Of a device with memory of its own: all the data, and which rows of them are the batch. The trainer keeps what fits there too.
    private readonly Tensor? _resident;
    private readonly DeviceArray<int>? _rows;
    // Its sums take as much memory as two weights' matrices, which a training step has no use for.
    private DatasetMonoLoss? _dataset;
    private int _step;

    /// <summary>Draws data and weights.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="training">What.</param>
    /// <param name="sizes">The sizes.</param>
    /// <param name="mono">With MonoLoss or without.</param>
    public TrainingWork(Device device, TrainingCase training, WorkSizes sizes, bool mono)
    {
        (_device, _sizes) = (device, sizes);
        _deadAfterBatches = Math.Max(1, 10_000_000 / sizes.Rows);
        _model = SparseAutoencoder.Create(device, training.Config(sizes, mono));
        _model.Initialize(new Random(42));
        if (training.EncoderBias(sizes) is var start && start != 0)
        {
            var bias = _model.Parameters.Single(parameter => parameter.Name == "b_enc").Value;
            bias.Set(Enumerable.Repeat(start, sizes.Latents).ToArray());
        }

        _tape = new Tape(device);
        _adam = new Adam(device, _model.Parameters);
        _data = SyntheticData.UnitRows(sizes.Samples, sizes.Features, seed: 1);
        _x = device.Tensor(sizes.Rows, sizes.Features);
        if (device.Memory is not null)
        {
            _resident = device.Tensor(sizes.Samples, sizes.Features).Set(_data);
            _rows = device.Allocate<int>(sizes.Rows);
        }

        ParameterCount = _model.Parameters.Sum(parameter => parameter.Value.Count);
    }

    /// <summary>How many numbers are trained.</summary>
    public long ParameterCount { get; }

    /// <summary>The share of latents that the last step's batch activated.</summary>
    public double ActiveShare { get; private set; }

    /// <summary>One training step, with everything that the trainer does for one.</summary>
    public void Step() => Step(Stopwatch.GetTimestamp);

    /// <summary>
    /// The same, phase by phase: each begins when the device is through with the one before. In training a GPU is not waited for, so that
    /// there a whole step takes less than its phases.
    /// </summary>
    public StepPhases StepByPhase() => Step(() =>
    {
        _device.Synchronize();
        return Stopwatch.GetTimestamp();
    });

    /// <summary>Encodes the last step's batch once more.</summary>
    public void Encode()
    {
        _tape.Reset();
        _model.Encode(_tape, _x);
    }

    /// <summary>MonoScore of all the data: encodes every batch once and finishes the scores.</summary>
    public double MonoScore()
    {
        _dataset ??= new DatasetMonoLoss(_model);
        _dataset.Begin();
        for (var row = 0; row < _sizes.Samples; row += _sizes.Rows)
        {
            NextBatch();
            _tape.Reset();
            _dataset.Add(_model.Encode(_tape, _x).Latents.Value, _x);
        }

        return _dataset.Scores().Average();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _model.Dispose();
        _tape.Dispose();
        _adam.Dispose();
        _dataset?.Dispose();
        _x.Dispose();
        _resident?.Dispose();
        _rows?.Dispose();
    }

    private static double Seconds(long start, long end) => Stopwatch.GetElapsedTime(start, end).TotalSeconds;

    private StepPhases Step(Func<long> clock)
    {
        var start = clock();
        NextBatch();
        var copied = clock();
        _tape.Reset();
        var loss = _model.Loss(_tape, _x, _deadAfterBatches, batchMonoLoss: true);
        var forward = clock();
        _tape.Backward(loss.Total);
        var backward = clock();
        _adam.Step(LearningRate, AdamEpsilon, _model.DefaultMaxGradientNorm);
        var optimized = clock();
        _model.CountDead(_deadAfterBatches);
        var sum = loss.Total.Read() + loss.Reconstruction.Read() + (loss.Auxiliary?.Read() ?? 0) + (loss.Sparsity?.Read() ?? 0)
            + (loss.Mono?.Loss.Read() ?? 0) + (loss.Mono?.MeanScore.Read() ?? 0);
        ActiveShare = loss.L0.Read() / _sizes.Latents;
        if (!double.IsFinite(sum))
        {
            throw new BenchException("the loss is not finite: what is measured is not a training step");
        }

        var end = clock();
        return new StepPhases(
            Seconds(start, copied),
            Seconds(copied, forward),
            Seconds(forward, backward),
            Seconds(backward, optimized),
            Seconds(optimized, end));
    }

    private void NextBatch()
    {
        var first = _step++ % (_sizes.Samples / _sizes.Rows) * _sizes.Rows;
        if (_resident is null)
        {
            _x.Set(_data.AsSpan(first * _sizes.Features, _sizes.Rows * _sizes.Features));
            return;
        }

        _rows!.CopyFrom([.. Enumerable.Range(first, _sizes.Rows)]);
        _device.GatherRows(_resident, _rows, _x);
    }
}
