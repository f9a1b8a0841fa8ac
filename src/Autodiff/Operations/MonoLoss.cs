using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>MonoLoss of a batch.</summary>
/// <param name="Loss">1 − the mean score over active latents; 1 if there is none.</param>
/// <param name="MeanScore">The mean score over active latents; 0 if there is none.</param>
/// <param name="Scores">1×M, 0 where a latent is not active.</param>
public readonly record struct MonoLossResult(Scalar Loss, double MeanScore, Tensor Scores);

public sealed partial class Tape
{
    /// <summary>MonoLoss (arXiv 2602.12403) of latents over the batch, linear in the number of active latents.</summary>
    /// <param name="latents">z ≥ 0, B×M.</param>
    /// <param name="x">B×D: what should be alike where a latent is active; gets no gradient.</param>
    public MonoLossResult MonoLoss(SparseVariable latents, Tensor x) =>
        Record(device => new MonoLossOperation(device)).Forward(latents, x);

    /// <summary>∂z = −(1/#active)·∂score/∂z, which the forward visit to each latent forms with its score.</summary>
    private sealed class MonoLossOperation(Device device) : Operation
    {
        private readonly Scalar _loss = new(device.Allocate<double>(1));
        private readonly DeviceArray<double> _norms = device.Allocate<double>(0);
        private readonly DeviceArray<double> _directions = device.Allocate<double>(0);
        private readonly DeviceArray<double> _sumAndActive = device.Allocate<double>(2);
        private readonly double[] _host = new double[2];
        private readonly DeviceArray<float> _scoreGradient = device.Allocate<float>(0);
        private readonly Tensor _scores = device.Tensor(0, 0);
        private SparseVariable? _latents;

        public MonoLossResult Forward(SparseVariable latents, Tensor x)
        {
            _latents = latents;
            device.RowNorms(x, _norms);
            _directions.Resize(x.Columns);
            _directions.Clear();
            device.SumUnitRows(x, _norms, _directions);
            device.IndexColumns(latents.Value);
            device.MonoScores(latents.Value, x, _norms, _directions, _scores, _scoreGradient, _sumAndActive);
            _sumAndActive.CopyTo(_host);
            var mean = _host[1] > 0 ? _host[0] / _host[1] : 0;
            _loss.Value.CopyFrom([1 - mean]);
            return new MonoLossResult(_loss, mean, _scores);
        }

        public override void Backward() =>
            device.AddMonoGradient(_latents!.AccumulateGradient(), _scoreGradient, _sumAndActive, _loss.Gradient);

        public override void ClearGradients() => _loss.Gradient = 0;

        public override void Dispose()
        {
            _loss.Dispose();
            _norms.Dispose();
            _directions.Dispose();
            _sumAndActive.Dispose();
            _scoreGradient.Dispose();
            _scores.Dispose();
        }
    }
}
