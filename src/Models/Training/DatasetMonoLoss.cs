using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// MonoScore over a whole dataset and its gradient, by streaming: a pass sums, per latent, Σz, Σz², Σz·p, min and max; the
/// scores follow; for the gradient a second pass encodes again and carries ∂score/∂z of each batch back to the parameters.
/// Nothing of size N×M is kept.
/// </summary>
public sealed class DatasetMonoLoss : IDisposable
{
    private readonly SparseAutoencoder _model;
    private readonly Tape _tape;
    private readonly MonoScoreSums _sums;
    private readonly DeviceArray<double> _norms;
    private readonly DeviceArray<double> _scores;

    /// <summary>Prepares for a model.</summary>
    /// <param name="model">Its weights are read at every pass.</param>
    public DatasetMonoLoss(SparseAutoencoder model)
    {
        var device = model.Device;
        _model = model;
        _tape = new Tape(device);
        _sums = new MonoScoreSums(device, model.Config.Latents, model.Config.Dimension);
        _norms = device.Allocate<double>(0);
        _scores = device.Allocate<double>(model.Config.Latents);
    }

    /// <summary>The sums of the last pass.</summary>
    public MonoScoreSums Sums => _sums;

    /// <summary>Starts a pass over the data.</summary>
    public void Begin() => _sums.Clear();

    /// <summary>Adds a batch to the pass.</summary>
    /// <param name="latents">The batch, encoded.</param>
    /// <param name="x">
    /// Its rows. A dataset's score compares these for every model, a batch's (<see cref="Encoding.ComparedRows"/>) the
    /// layer-normalized ones for three of the four: so it is in the official code.
    /// </param>
    public void Add(CsrMatrix latents, Tensor x)
    {
        var device = _model.Device;
        device.RowNorms(x, _norms);
        device.BuildColumnIndex(latents);
        device.AccumulateMonoScore(latents, x, _norms, _sums);
    }

    /// <summary>The score of every latent over the batches added since <see cref="Begin"/>.</summary>
    public double[] Scores()
    {
        _model.Device.FinishMonoScore(_sums, _scores);
        return _scores.ToArray();
    }

    /// <summary>
    /// Adds to the parameters' gradients that of −(coefficient/#active)·Σ score over the latents whose score is not 0.
    /// </summary>
    /// <param name="batches">The dataset in batches, the same at both passes; BatchTopK selects within each.</param>
    /// <param name="coefficient">What the mean score counts.</param>
    /// <returns>The mean score over active latents.</returns>
    public double AddGradient(IEnumerable<Tensor> batches, double coefficient)
    {
        Begin();
        foreach (var x in batches)
        {
            _tape.Reset();
            Add(_model.Encode(_tape, x).Latents.Value, x);
        }

        var scores = Scores();
        var active = scores.Count(score => score != 0);
        if (active == 0)
        {
            return 0;
        }

        foreach (var x in batches)
        {
            _tape.Reset();
            var latents = _model.Encode(_tape, x).Latents.AccumulateGradient();
            _model.Device.RowNorms(x, _norms);
            _model.Device.BuildColumnIndex(latents);
            _model.Device.AddDatasetMonoGradient(latents, x, _norms, _sums, _scores, -coefficient / active);
            _tape.Backward();
        }

        return scores.Sum() / active;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape.Dispose();
        _sums.Dispose();
        _norms.Dispose();
        _scores.Dispose();
    }
}
