using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

public sealed partial class Tape
{
    /// <summary>Undoes input layer norm: result[i] = x[i]·σ[i] + μ[i]. Gradient: ∂x[i] = σ[i]·∂result[i].</summary>
    /// <param name="x">B×D.</param>
    /// <param name="deviation">σ, 1×B; gets no gradient.</param>
    /// <param name="mean">μ, 1×B; gets no gradient.</param>
    /// <returns>The result, B×D.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit together.</exception>
    public Variable Denormalize(Variable x, Tensor deviation, Tensor mean) =>
        Record(tape => new DenormalizeOperation(tape.Device)).Forward(x, deviation, mean);

    /// <summary>result = x − y. Gradient: ∂y = −∂result.</summary>
    /// <param name="x">B×D; gets no gradient.</param>
    /// <param name="y">B×D.</param>
    /// <returns>The result, B×D.</returns>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public Variable Subtract(Tensor x, Variable y) => Record(tape => new SubtractOperation(tape.Device)).Forward(x, y);

    private sealed class DenormalizeOperation(Device device) : Operation
    {
        private readonly Variable _result = new(device.Tensor(0, 0));
        private readonly Tensor _scaled = device.Tensor(0, 0);
        private Variable? _x;
        private Tensor? _deviation;

        public Variable Forward(Variable x, Tensor deviation, Tensor mean)
        {
            (_x, _deviation) = (x, deviation);
            device.ScaleRows(x.Value, deviation, mean, _result.Value);
            return _result;
        }

        public override void Backward()
        {
            if (_result.HasGradient)
            {
                device.ScaleRows(_result.Gradient, _deviation!, null, _scaled);
                device.LinearCombination(1, _scaled, 1, _x!.AccumulateGradient(), _x.Gradient);
            }
        }

        public override void ClearGradients() => _result.ClearGradient();

        public override void Dispose()
        {
            _result.Dispose();
            _scaled.Dispose();
        }
    }

    private sealed class SubtractOperation(Device device) : Operation
    {
        private readonly Variable _result = new(device.Tensor(0, 0));
        private Variable? _y;

        public Variable Forward(Tensor x, Variable y)
        {
            _y = y;
            device.LinearCombination(1, x, -1, y.Value, _result.Value);
            return _result;
        }

        public override void Backward()
        {
            if (_result.HasGradient)
            {
                device.LinearCombination(-1, _result.Gradient, 1, _y!.AccumulateGradient(), _y.Gradient);
            }
        }

        public override void ClearGradients() => _result.ClearGradient();

        public override void Dispose() => _result.Dispose();
    }
}
