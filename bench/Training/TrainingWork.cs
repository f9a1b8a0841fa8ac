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
internal readonly record struct StepPhases(double Copy, double Forward, double Backward, double Optimizer, double Metrics)
{
    /// <summary>The whole step.</summary>
    public double Total => Copy + Forward + Backward + Optimizer + Metrics;
}

/// <summary>A model, data and an optimizer: the trainer's step without its files.</summary>
internal sealed class TrainingWork : IDisposable
{
    /// <summary>Rows of data; batches take turns.</summary>
    public const int Samples = 8192;

    /// <summary>
    /// So small that the weights stay where they are: every step costs what the first did, however many are measured. The work
    /// done does not depend on it.
    /// </summary>
    public const float LearningRate = 1e-9f;

    private const float AdamEpsilon = 6.25e-10f;
    private const int DeadAfterBatches = 10_000_000 / Sizes.Rows;

    private readonly SparseAutoencoder _model;
    private readonly Tape _tape;
    private readonly Adam _adam;
    private readonly float[] _data;
    private readonly Tensor _x;
    // Its sums take as much memory as two weights' matrices, which a training step has no use for.
    private DatasetMonoLoss? _dataset;
    private int _step;

    /// <summary>Draws data and weights.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="training">What.</param>
    /// <param name="mono">With MonoLoss or without.</param>
    public TrainingWork(Device device, TrainingCase training, bool mono)
    {
        _model = SparseAutoencoder.Create(device, training.Config(mono));
        _model.Initialize(new Random(42));
        if (training.EncoderBias != 0)
        {
            var bias = _model.Parameters.Single(parameter => parameter.Name == "b_enc").Value;
            bias.Set(Enumerable.Repeat(training.EncoderBias, Sizes.Latents).ToArray());
        }

        _tape = new Tape(device);
        _adam = new Adam(device, _model.Parameters);
        _data = SyntheticData.UnitRows(Samples, Sizes.Features, seed: 1);
        _x = device.Tensor(Sizes.Rows, Sizes.Features);
        ParameterCount = _model.Parameters.Sum(parameter => parameter.Value.Count);
    }

    /// <summary>How many numbers are trained.</summary>
    public long ParameterCount { get; }

    /// <summary>The share of latents that the last step's batch activated.</summary>
    public double ActiveShare { get; private set; }

    /// <summary>One training step, with everything that the trainer does for one.</summary>
    public StepPhases Step()
    {
        var start = Stopwatch.GetTimestamp();
        NextBatch();
        var copied = Stopwatch.GetTimestamp();
        _tape.Reset();
        var loss = _model.Loss(_tape, _x, DeadAfterBatches, batchMonoLoss: true);
        var forward = Stopwatch.GetTimestamp();
        _tape.Backward(loss.Total);
        var backward = Stopwatch.GetTimestamp();
        _adam.Step(LearningRate, AdamEpsilon, _model.DefaultMaxGradientNorm);
        var optimized = Stopwatch.GetTimestamp();
        _model.CountDead(DeadAfterBatches);
        var sum = loss.Total.Read() + loss.Reconstruction.Read() + (loss.Auxiliary?.Read() ?? 0) + (loss.Sparsity?.Read() ?? 0)
            + (loss.Mono?.Loss.Read() ?? 0) + (loss.Mono?.MeanScore.Read() ?? 0);
        ActiveShare = loss.L0.Read() / Sizes.Latents;
        if (!double.IsFinite(sum))
        {
            throw new BenchException("the loss is not finite: what is measured is not a training step");
        }

        return new StepPhases(
            Seconds(start, copied), Seconds(copied, forward), Seconds(forward, backward), Seconds(backward, optimized), Seconds(optimized));
    }

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
        for (var row = 0; row < Samples; row += Sizes.Rows)
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
    }

    private static double Seconds(long start, long end = 0) =>
        Stopwatch.GetElapsedTime(start, end == 0 ? Stopwatch.GetTimestamp() : end).TotalSeconds;

    private void NextBatch()
    {
        const int Batches = Samples / Sizes.Rows;
        _x.Set(_data.AsSpan(_step++ % Batches * Sizes.Rows * Sizes.Features, Sizes.Rows * Sizes.Features));
    }
}
