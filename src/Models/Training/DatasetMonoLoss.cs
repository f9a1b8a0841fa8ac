using MonoLoss.Autodiff;

namespace MonoLoss.Models;

/// <summary>
/// MonoScore of a model over a whole dataset and its gradient, by streaming. The first pass encodes every batch and sums, per latent, what
/// the scores need; the second encodes again and carries ∂score/∂z of each batch back to the parameters. Nothing of size N×M is kept.
/// </summary>
public sealed class DatasetMonoLoss : IDisposable
{
    private readonly SparseAutoencoder _model;
    private readonly Tape _tape;
    private MonoScoreAccumulator? _scores;

    /// <summary>Prepares for a model.</summary>
    /// <param name="model">The model; its present weights are read in every pass.</param>
    public DatasetMonoLoss(SparseAutoencoder model)
    {
        _model = model;
        _tape = new Tape(model.Device);
    }

    /// <summary>The score of every latent over a dataset.</summary>
    /// <param name="batches">
    /// The dataset in batches of unit-length rows; BatchTopK selects within each. A dataset's score compares these rows for every model,
    /// a batch's (<see cref="Encoding.ComparedRows"/>) the layer-normalized ones for all but TopK, as in the official code. Where batches
    /// have similarity rows, both compare those.
    /// </param>
    public double[] Scores(IEnumerable<Batch> batches)
    {
        _scores?.Clear();
        foreach (var batch in batches)
        {
            _tape.Reset();
            var compared = batch.Similarity ?? batch.X;
            _scores ??= new MonoScoreAccumulator(_model.Device, _model.Config.Latents, compared.Columns);
            _scores.Add(_model.Encode(_tape, batch).Latents.Value, compared);
        }

        return _scores?.Scores() ?? new double[_model.Config.Latents];
    }

    /// <summary>
    /// Adds to the parameters' gradients that of −(coefficient/#active)·Σ score over the active latents, those whose score is not 0.
    /// </summary>
    /// <param name="batches">The dataset in batches, the same in both passes; BatchTopK selects within each.</param>
    /// <param name="coefficient">The coefficient of the mean score.</param>
    /// <returns>The score of every latent.</returns>
    public double[] AddGradient(IEnumerable<Batch> batches, double coefficient)
    {
        var scores = Scores(batches);
        var active = scores.Count(score => score != 0);
        if (active == 0)
        {
            return scores;
        }

        var device = _model.Device;
        foreach (var batch in batches)
        {
            _tape.Reset();
            var compared = batch.Similarity ?? batch.X;
            var latents = _model.Encode(_tape, batch).Latents.AccumulateGradient();
            device.RowNorms(compared, _scores!.Norms);
            device.BuildColumnIndex(latents);
            device.AddDatasetMonoGradient(latents, compared, _scores.Norms, _scores.Sums, _scores.DeviceScores, -coefficient / active);
            _tape.Backward();
        }

        return scores;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape.Dispose();
        _scores?.Dispose();
    }
}
