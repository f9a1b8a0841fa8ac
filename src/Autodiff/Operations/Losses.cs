using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>The L1 penalty of latents.</summary>
/// <param name="Loss">The mean over rows of Σ|z|.</param>
/// <param name="MeanActive">The mean number of positive latents per row, formed in the same pass.</param>
public sealed record L1Result(Scalar Loss, Scalar MeanActive);

public sealed partial class Tape
{
    /// <summary>Mean squared error: the mean over B·D of (r − t)².</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public Scalar MeanSquaredError(Variable r, Variable t) => SquaredError(r, t.Value, t, 1.0 / r.Value.Count, relative: false);

    /// <summary>Mean squared error: the mean over B·D of (r − t)².</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D, a constant.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public Scalar MeanSquaredError(Variable r, Tensor t) => SquaredError(r, t, null, 1.0 / r.Value.Count, relative: false);

    /// <summary>NMSE (Gao et al. 2024, arXiv 2406.04093): the mean over rows of Σ_d (r − t)² / Σ_d t². A row with t = 0 counts 0.</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D, a constant.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public Scalar NormalizedMeanSquaredError(Variable r, Tensor t) => SquaredError(r, t, null, 1.0 / r.Value.Rows, relative: true);

    /// <summary>L1: the mean over rows of Σ|z|, for z ≥ 0; and the mean number of positive latents per row, without a gradient.</summary>
    /// <param name="latents">z, B×M.</param>
    public L1Result L1(SparseVariable latents) => Record(tape => new L1Operation(tape.Device, tape.DeviceScalars(2))).Forward(latents);

    /// <summary>L0: the mean number of positive latents per row. It has no gradient.</summary>
    /// <param name="latents">z, B×M.</param>
    public Scalar MeanActive(SparseVariable latents) =>
        Record(tape => new MeanActiveOperation(tape.Device, tape.DeviceScalars(2))).Forward(latents);

    /// <summary>The sum of coefficient · term over the terms that are not null.</summary>
    /// <param name="terms">Scalars of this tape and their coefficients.</param>
    public Scalar WeightedSum(params ReadOnlySpan<(Scalar? Term, double Coefficient)> terms) =>
        Record(_ => new WeightedSumOperation()).Forward(terms);

    private Scalar SquaredError(Variable r, Tensor target, Variable? t, double weight, bool relative) =>
        Record(tape => new SquaredErrorOperation(tape.Device, tape.DeviceScalars(1))).Forward(r, target, t, weight, relative);

    /// <summary>Σ_i w_i·Σ_d (r − t)²: ∂r = 2w(r − t), ∂t = −∂r, with one weight w_i per row.</summary>
    private sealed class SquaredErrorOperation(Device device, DeviceScalars value) : Operation
    {
        private Scalar? _result;
        private Variable? _r;
        private Tensor? _target;
        private Variable? _t;
        private double _weight;
        private bool _relative;

        public Scalar Forward(Variable r, Tensor target, Variable? t, double weight, bool relative)
        {
            (_r, _target, _t, _weight, _relative) = (r, target, t, weight, relative);
            device.SquaredError(r.Value, target, weight, relative, value.ToWrite());
            return _result ??= new Scalar(() => value.Read(0));
        }

        public override void Backward()
        {
            if (_result!.Gradient == 0)
            {
                return;
            }

            device.SquaredErrorGradient(_r!.Value, _target!, _weight, _relative, _result.Gradient, _r.AccumulateGradient());
            if (_t is not null)
            {
                device.SquaredErrorGradient(_t.Value, _r.Value, _weight, _relative, _result.Gradient, _t.AccumulateGradient());
            }
        }

        public override void ClearGradients()
        {
            if (_result is not null)
            {
                _result.Gradient = 0;
            }
        }

        public override void Dispose()
        {
        }
    }

    /// <summary>∂z = 1/B wherever z is positive; deferred to the latents' producer.</summary>
    private sealed class L1Operation : Operation
    {
        private readonly Device _device;
        private readonly DeviceScalars _sums;
        private readonly L1Result _result;
        private SparseVariable? _latents;
        private int _rows;

        public L1Operation(Device device, DeviceScalars sums)
        {
            (_device, _sums) = (device, sums);
            _result = new L1Result(new Scalar(() => _sums.Read(1) / _rows), new Scalar(() => _sums.Read(0) / _rows));
        }

        public L1Result Forward(SparseVariable latents)
        {
            (_latents, _rows) = (latents, latents.Value.Rows);
            _device.SumAndCountPositive(latents.Value, _sums.ToWrite());
            return _result;
        }

        public override void Backward()
        {
            var amount = (float)(_result.Loss.Gradient / _rows);
            if (_latents!.Defers)
            {
                _latents.DeferredPositiveAmount += amount;
            }
            else
            {
                _device.AddToGradientWherePositive(_latents.AccumulateGradient(), amount);
            }
        }

        public override void ClearGradients() => _result.Loss.Gradient = 0;

        public override void Dispose()
        {
        }
    }

    private sealed class MeanActiveOperation : Operation
    {
        private readonly Device _device;
        private readonly DeviceScalars _sums;
        private readonly Scalar _result;
        private int _rows;

        public MeanActiveOperation(Device device, DeviceScalars sums)
        {
            (_device, _sums) = (device, sums);
            _result = new Scalar(() => _sums.Read(0) / _rows);
        }

        public Scalar Forward(SparseVariable latents)
        {
            _rows = latents.Value.Rows;
            _device.SumAndCountPositive(latents.Value, _sums.ToWrite());
            return _result;
        }

        public override void Backward()
        {
        }

        public override void ClearGradients()
        {
        }

        public override void Dispose()
        {
        }
    }

    private sealed class WeightedSumOperation : Operation
    {
        private readonly List<(Scalar Term, double Coefficient)> _terms = [];
        private readonly Scalar _result;

        public WeightedSumOperation() => _result = new Scalar(Sum);

        public Scalar Forward(ReadOnlySpan<(Scalar? Term, double Coefficient)> terms)
        {
            _terms.Clear();
            foreach (var (term, coefficient) in terms)
            {
                if (term is not null)
                {
                    _terms.Add((term, coefficient));
                }
            }

            return _result;
        }

        public override void Backward()
        {
            foreach (var (term, coefficient) in _terms)
            {
                term.Gradient += coefficient * _result.Gradient;
            }
        }

        public override void ClearGradients() => _result.Gradient = 0;

        public override void Dispose()
        {
        }

        private double Sum()
        {
            var sum = 0.0;
            foreach (var (term, coefficient) in _terms)
            {
                sum += coefficient * term.Read();
            }

            return sum;
        }
    }
}
