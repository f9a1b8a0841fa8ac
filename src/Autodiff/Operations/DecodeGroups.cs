using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>Reconstructions from nested groups of latents, and how far they are from their target.</summary>
/// <param name="Loss">The mean over the groups of the mean over B·D of (reconstruction − target)².</param>
/// <param name="Groups">The mean squared error of each group's reconstruction, without a gradient.</param>
/// <param name="Reconstruction">The last group's reconstruction, that from all latents, B×D.</param>
public sealed record GroupsResult(Scalar Loss, IReadOnlyList<Scalar> Groups, Variable Reconstruction);

public sealed partial class Tape
{
    /// <summary>
    /// Decodes nested groups of latents and compares every reconstruction with a target (Matryoshka SAEs, Bussmann et al. 2025,
    /// arXiv 2503.17547): r_g = bias + Σ of z_m·W_m over m &lt; end_g, mapped back by r·σ + μ where the input was layer-normalized.
    /// </summary>
    /// <param name="latents">z, B×M.</param>
    /// <param name="weights">W, M×D.</param>
    /// <param name="bias">1×D, or null.</param>
    /// <param name="groupEnds">One past the last latent of each group; the last is M.</param>
    /// <param name="target">B×D, a constant.</param>
    /// <param name="deviation">σ, 1×B, gets no gradient; null for 1.</param>
    /// <param name="mean">μ, 1×B, gets no gradient; null for 0.</param>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public GroupsResult DecodeGroups(
        SparseVariable latents,
        Variable weights,
        Variable? bias,
        DeviceArray<int> groupEnds,
        Tensor target,
        Tensor? deviation,
        Tensor? mean) =>
        Record(tape => new DecodeGroupsOperation(tape)).Forward(latents, weights, bias, groupEnds, target, deviation, mean);

    /// <summary>
    /// With E_g = ∂loss/∂r_g, a latent of group h is part of r_h … r_G and gets G_h = Σ of E_g over g ≥ h: ∂z_m = G_h·W_m, ∂W_m = zᵀ·G_h,
    /// ∂bias = column sums of G_1. The errors of the forward pass become the G_h in place.
    /// </summary>
    private sealed class DecodeGroupsOperation(Tape tape) : Operation
    {
        private readonly Device _device = tape.Device;
        private readonly Tensor _errors = tape.Device.Tensor(0, 0);
        private readonly Variable _reconstruction = new(tape.Device.Tensor(0, 0));
        private DeviceScalars? _squares;
        private GroupsResult? _result;
        private SparseVariable? _latents;
        private Variable? _weights;
        private Variable? _bias;
        private DeviceArray<int>? _groupEnds;
        private Tensor? _deviation;

        public GroupsResult Forward(
            SparseVariable latents,
            Variable weights,
            Variable? bias,
            DeviceArray<int> groupEnds,
            Tensor target,
            Tensor? deviation,
            Tensor? mean)
        {
            (_latents, _weights, _bias, _groupEnds, _deviation) = (latents, weights, bias, groupEnds, deviation);
            var groups = (int)groupEnds.Length;
            if (_result?.Groups.Count != groups)
            {
                Prepare(groups);
            }

            _device.DecodeGroups(new GroupDecodeArgs
            {
                Latents = latents.Value,
                Matrix = weights.Value,
                Bias = bias?.Value,
                GroupEnds = groupEnds,
                Target = target,
                Scale = deviation,
                Shift = mean,
                Errors = _errors,
                Result = _reconstruction.Value,
                Squares = _squares!.ToWrite(),
            });
            return _result!;
        }

        public override void Backward()
        {
            var factor = 2 * _result!.Loss.Gradient / _errors.Count;
            if (factor == 0 && !_reconstruction.HasGradient)
            {
                return;
            }

            _device.SumGroupErrors(
                _errors,
                _result.Groups.Count,
                factor,
                _deviation,
                _reconstruction.HasGradient ? _reconstruction.Gradient : null);
            if (_bias is not null)
            {
                _device.SumColumns(1, _errors, _bias.AccumulateGradient(), _latents!.Value.Rows);
            }

            if (_latents!.Defers && _latents.DeferredDecode is null && !_latents.IsGate)
            {
                _latents.DeferredDecode = new(_errors, _weights!.Value, _weights, _groupEnds);
                return;
            }

            var latents = _latents.AccumulateGradient();
            _device.SDDMM(latents, _errors, _weights!.Value, _groupEnds);
            _device.BuildColumnIndex(latents);
            _device.SpMMTransposed(latents, useGradient: false, _errors, _weights.AccumulateGradient(), _groupEnds);
        }

        public override void ClearGradients()
        {
            _reconstruction.ClearGradient();
            if (_result is not null)
            {
                _result.Loss.Gradient = 0;
            }
        }

        public override void Dispose()
        {
            _errors.Dispose();
            _reconstruction.Dispose();
        }

        /// <summary>A method of its own: what its closures hold is allocated when it is entered.</summary>
        private void Prepare(int groups)
        {
            _squares = tape.DeviceScalars(groups);
            _result = new GroupsResult(
                new Scalar(MeanError), [.. Enumerable.Range(0, groups).Select(g => new Scalar(() => Error(g)))], _reconstruction);
        }

        private double MeanError()
        {
            var sum = 0.0;
            for (var g = 0; g < _result!.Groups.Count; g++)
            {
                sum += Error(g);
            }

            return sum / _result.Groups.Count;
        }

        private double Error(int group) => _squares!.Read(group) / _reconstruction.Value.Count;
    }
}
