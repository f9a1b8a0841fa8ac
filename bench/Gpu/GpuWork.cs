using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Bench;

/// <summary>A training step with MonoLoss, or a batch of a dataset's MonoScore, at any sizes on any device.</summary>
internal sealed class GpuWork : IDisposable
{
    private const float AdamEpsilon = 6.25e-10f;
    private const int NeverDead = 1_000_000;

    private readonly SparseAutoencoder _model;
    private readonly Tape _tape;
    private readonly Adam _adam;
    private readonly DatasetMonoLoss _dataset;
    private readonly Tensor _x;

    /// <summary>Draws a batch and weights.</summary>
    public GpuWork(Device device, Architecture architecture, WorkSizes sizes)
    {
        _model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = architecture,
            Dimension = sizes.Features,
            Latents = sizes.Latents,
            K = sizes.Active,
            MonoCoefficient = TrainingCase.All.First(training => training.Config(sizes, mono: true).Architecture == architecture).Mono,
        });
        _model.Initialize(new Random(42));
        _tape = new Tape(device);
        _adam = new Adam(device, _model.Parameters);
        _dataset = new DatasetMonoLoss(_model);
        _x = device.Tensor(sizes.Rows, sizes.Features).Set(SyntheticData.UnitRows(sizes.Rows, sizes.Features, seed: 1));
    }

    /// <summary>A whole training step, its metrics read.</summary>
    public void Step()
    {
        _tape.Reset();
        var loss = _model.Loss(_tape, _x, NeverDead, batchMonoLoss: true);
        _tape.Backward(loss.Total);
        _adam.Step(TrainingWork.LearningRate, AdamEpsilon, _model.DefaultMaxGradientNorm);
        _model.CountDead(NeverDead);
        _ = loss.Total.Read() + loss.Reconstruction.Read() + loss.Mono!.Loss.Read() + loss.Mono.MeanScore.Read() + loss.L0.Read();
    }

    /// <summary>Encodes a batch and adds it to the dataset's sums.</summary>
    public void AddToScores()
    {
        _tape.Reset();
        _dataset.Add(_model.Encode(_tape, _x).Latents.Value, _x);
    }

    /// <summary>The scores of what was added.</summary>
    public void FinishScores() => _dataset.Scores();

    /// <inheritdoc/>
    public void Dispose()
    {
        _model.Dispose();
        _tape.Dispose();
        _adam.Dispose();
        _dataset.Dispose();
        _x.Dispose();
    }
}
