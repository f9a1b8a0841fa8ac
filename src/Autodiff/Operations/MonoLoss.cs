using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>MonoLoss of a batch.</summary>
/// <param name="Loss">1 − the mean score over active latents; 1 if no latent is active.</param>
/// <param name="MeanScore">The mean score over active latents; 0 if no latent is active.</param>
/// <param name="Scores">
/// The score of every latent, 1×M; 0 for inactive ones. Valid once the loss was read or the backward pass is done.
/// </param>
public sealed record MonoLossResult(Scalar Loss, Scalar MeanScore, Tensor Scores);

public sealed partial class Tape
{
    /// <summary>
    /// MonoLoss (arXiv 2602.12403) of latents over the batch: 1 − the mean of <see cref="MonoScore"/> over active latents. The cost is
    /// linear in the number of nonzeros.
    /// </summary>
    /// <param name="latents">z ≥ 0, B×M.</param>
    /// <param name="x">The rows whose directions should be alike where a latent is active, B×D; gets no gradient.</param>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public MonoLossResult MonoLoss(SparseVariable latents, Tensor x) =>
        Record(tape => new MonoLossOperation(tape.Device, tape.DeviceScalars(2))).Forward(latents, x);

    /// <summary>
    /// ∂z = −(1/#active)·∂score/∂z, which a visit to each latent forms together with its score. The backward pass forms both in the fused
    /// visit of the latents' producer; if the loss is read without a backward pass, it takes a separate visit.
    /// </summary>
    private sealed class MonoLossOperation : Operation
    {
        private readonly Device _device;
        private readonly DeviceArray<double> _norms;
        private readonly DeviceArray<double> _directions;
        private readonly DeviceScalars _sumAndActive;
        private readonly DeviceArray<float> _scoreGradient;
        private readonly Tensor _scores;
        private readonly MonoLossResult _result;
        private SparseVariable? _latents;
        private Tensor? _x;
        private bool _visited;

        public MonoLossOperation(Device device, DeviceScalars sumAndActive)
        {
            (_device, _sumAndActive) = (device, sumAndActive);
            _norms = device.Allocate<double>(0);
            _directions = device.Allocate<double>(0);
            _scoreGradient = device.Allocate<float>(0);
            _scores = device.Tensor(0, 0);
            _result = new MonoLossResult(new Scalar(() => 1 - MeanScore()), new Scalar(MeanScore), _scores);
        }

        public MonoLossResult Forward(SparseVariable latents, Tensor x)
        {
            (_latents, _x, _visited) = (latents, x, false);
            _device.RowNorms(x, _norms);
            _directions.Resize(x.Columns);
            _directions.Clear();
            _device.SumUnitRows(x, _norms, _directions);
            _scores.Resize(1, latents.Value.Columns);
            return _result;
        }

        public override void Backward()
        {
            // The visit goes through rows of the features' length only, and a gate's is that of its magnitudes.
            if (_latents!.Defers && !_latents.IsGate && _x!.Columns == _latents.Features)
            {
                _latents.DeferredMono = new MonoLossInputs
                {
                    X = _x,
                    Norms = _norms,
                    UnitRowSum = _directions,
                    Factor = _result.Loss.Gradient,
                    Scores = _scores,
                    Result = _sumAndActive.ToWrite(),
                };
                _visited = true;
                return;
            }

            Visit();
            _device.AddMonoGradient(_latents.AccumulateGradient(), _scoreGradient, _sumAndActive.Array, _result.Loss.Gradient);
        }

        public override void ClearGradients() => _result.Loss.Gradient = 0;

        public override void Dispose()
        {
            _norms.Dispose();
            _directions.Dispose();
            _scoreGradient.Dispose();
            _scores.Dispose();
        }

        private double MeanScore()
        {
            Visit();
            var active = _sumAndActive.Read(1);
            return active > 0 ? _sumAndActive.Read(0) / active : 0;
        }

        private void Visit()
        {
            if (!_visited)
            {
                _device.BuildColumnIndex(_latents!.Value);
                _device.MonoScores(_latents.Value, _x!, _norms, _directions, _scores, _scoreGradient, _sumAndActive.ToWrite());
                _visited = true;
            }
        }
    }
}
