using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

public sealed partial class Tape
{
    /// <summary>Mean over B·D of (r − t)².</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D.</param>
    public Scalar MeanSquaredError(Variable r, Variable t) =>
        Record(tape => new SquaredErrorOperation(tape.Device, tape.DeviceScalars(1)))
            .Forward(r, t.Value, t, 1.0 / r.Value.Count, relative: false);

    /// <summary>Mean over B·D of (r − t)², t a constant.</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D.</param>
    public Scalar MeanSquaredError(Variable r, Tensor t) =>
        Record(tape => new SquaredErrorOperation(tape.Device, tape.DeviceScalars(1)))
            .Forward(r, t, null, 1.0 / r.Value.Count, relative: false);

    /// <summary>NMSE: mean over rows of Σ_d (r − t)² / Σ_d t². A row with t = 0 counts 0.</summary>
    /// <param name="r">B×D.</param>
    /// <param name="t">B×D, a constant.</param>
    public Scalar NormalizedMeanSquaredError(Variable r, Tensor t) =>
        Record(tape => new SquaredErrorOperation(tape.Device, tape.DeviceScalars(1)))
            .Forward(r, t, null, 1.0 / r.Value.Rows, relative: true);

    /// <summary>Mean over rows of Σ|z|, for z ≥ 0.</summary>
    /// <param name="latents">z, B×M.</param>
    public Scalar L1(SparseVariable latents) => Record(tape => new L1Operation(tape.Device, tape.DeviceScalars(2))).Forward(latents);

    /// <summary>Mean over rows of the number of positive latents: no gradient.</summary>
    /// <param name="latents">z, B×M.</param>
    public Scalar MeanActive(SparseVariable latents) =>
        Record(tape => new MeanActiveOperation(tape.Device, tape.DeviceScalars(2))).Forward(latents);

    /// <summary>Σ of coefficient · term over the terms that are there.</summary>
    /// <param name="terms">DeviceScalars of this tape and what each counts.</param>
    public Scalar WeightedSum(params ReadOnlySpan<(Scalar? Term, double Coefficient)> terms) =>
        Record(_ => new WeightedSumOperation()).Forward(terms);

    /// <summary>∂r = 2w(r − t), ∂t = −∂r; w is a weight a row.</summary>
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

    private sealed class L1Operation(Device device, DeviceScalars sums) : Operation
    {
        private Scalar? _result;
        private SparseVariable? _latents;

        public Scalar Forward(SparseVariable latents)
        {
            _latents = latents;
            device.SumAndCountPositive(latents.Value, sums.ToWrite());
            return _result ??= new Scalar(() => sums.Read(1) / _latents!.Value.Rows);
        }

        public override void Backward()
        {
            var amount = (float)(_result!.Gradient / _latents!.Value.Rows);
            if (_latents.Defers)
            {
                _latents.DeferredPositiveAmount += amount;
            }
            else
            {
                device.AddToGradientWherePositive(_latents.AccumulateGradient(), amount);
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
