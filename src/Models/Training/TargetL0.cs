namespace MonoLoss.Models;

/// <summary>
/// Steers the coefficient of a sparsity penalty so that the mean number of active latents per row, L0, arrives at a target. After every
/// step, with e = ln(L0/target) of its batch, ē its running mean of rate 0.1 (ē' before the step), and α the step's learning rate:
/// <code>
///   L1 penalty:  ln λ ← ln λ + (ē − ē') + 50·α·clamp(ē, ±1)
///   L0 penalty:  λ = (r/target)·(300·e + I),   I ← clamp(I + 1000·α·e, ±10) where |e| &lt; 0.2
/// </code>
/// both PI controllers. L0 follows the coefficient of an L1 penalty with a delay, about in inverse proportion, at any size of the
/// coefficient, so that it is steered in the logarithm. An L0 penalty moves only the thresholds, and only by its sign and whether it
/// outweighs the reconstruction, whose loss r gives the scale; below the target it must become a reward, as that of Rajamanoharan et al.
/// 2024 (arXiv 2407.14435, (L0/target − 1)²) does. Both integrate at the pace of the learning rate, because the weights do.
/// </summary>
internal sealed class TargetL0
{
    private const double LogPace = 50;
    private const double MeanRate = 0.1;
    private const double MaxLogError = 1;
    private const double Gain = 300;
    private const double Pace = 1000;
    private const double MaxIntegral = 10;
    private const double IntegratedError = 0.2;

    // An L0 of 0 has no logarithm.
    private const double LeastL0 = 1e-3;

    // So that a target out of reach ends neither in 0, from which nothing returns, nor in infinity.
    private const double LeastCoefficient = 1e-12;
    private const double LargestCoefficient = 1e6;

    private readonly double _target;
    private readonly bool _isL0Penalty;
    private double? _meanError;
    private double? _integral;

    /// <summary>A controller before the first step.</summary>
    /// <param name="target">The target.</param>
    /// <param name="start">The coefficient of the first step.</param>
    /// <param name="isL0Penalty">Whether the penalty is L0 itself; L1 if not.</param>
    public TargetL0(double target, double start, bool isL0Penalty)
    {
        (_target, Coefficient, _isL0Penalty) = (target, start, isL0Penalty);
        StateNumbers =
        [
            new StoredNumber("target_l0_coefficient", () => Coefficient, value => Coefficient = value),
            new StoredNumber("target_l0_error", () => _meanError, value => _meanError = value),
            new StoredNumber("target_l0_integral", () => _integral, value => _integral = value),
        ];
    }

    /// <summary>The coefficient of the next step.</summary>
    public double Coefficient { get; private set; }

    /// <summary>What a resumed run needs.</summary>
    public IReadOnlyList<StoredNumber> StateNumbers { get; }

    /// <summary>Takes note of a step.</summary>
    /// <param name="l0">L0 of its batch.</param>
    /// <param name="reconstructionLoss">Its reconstruction loss.</param>
    /// <param name="learningRate">Its learning rate.</param>
    public void Observe(double l0, double reconstructionLoss, double learningRate)
    {
        var error = Math.Log(Math.Max(l0, LeastL0) / _target);
        if (_isL0Penalty)
        {
            var unit = reconstructionLoss / _target;
            var integral = _integral ?? (unit > 0 ? Coefficient / unit : 0);
            integral += Math.Abs(error) < IntegratedError ? Pace * learningRate * error : 0;
            _integral = Math.Clamp(integral, -MaxIntegral, MaxIntegral);
            Coefficient = unit * ((Gain * error) + _integral.Value);
            return;
        }

        // Adam answers a single batch's L0 by a swing of about ten steps.
        var last = _meanError ?? error;
        var mean = last + (MeanRate * (error - last));
        _meanError = mean;
        var step = mean - last + (LogPace * learningRate * Math.Clamp(mean, -MaxLogError, MaxLogError));
        Coefficient = Math.Clamp(Coefficient * Math.Exp(step), LeastCoefficient, LargestCoefficient);
    }
}
