using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// MonoScore of one latent over a batch and its gradient (METHOD of arXiv 2602.12403, in closed form): a = (z − min)/(max − min + ε),
/// u = Σa, v = Σa², w = Σ a·p, den = (u² − v)/2, score = (‖w‖² − v)/2/(den + δ).
/// </summary>
internal readonly unsafe struct MonoVisit
{
    // Names and values of the official code.
    public const double RangeEpsilon = 1e-8;
    public const double SmallestPairWeight = 1e-8;
    public const double BatchAddend = 1e-8;

    private readonly float _minimum;
    private readonly float _maximum;
    private readonly double _perRange;
    private readonly double _u;
    private readonly double _selfTerms;
    private readonly double _pairWeight;

    /// <summary>Forms what needs only z.</summary>
    /// <param name="z">The latent's nonzeros, rows ascending; not negative.</param>
    /// <param name="rowOf">Their rows.</param>
    /// <param name="n">How many.</param>
    /// <param name="rows">B.</param>
    /// <param name="norms">The rows' lengths.</param>
    /// <param name="weights">Becomes a/‖x‖ for every entry; null if only <see cref="IsActive"/> is wanted.</param>
    public MonoVisit(float* z, int* rowOf, int n, int rows, double* norms, float* weights)
    {
        _minimum = n < rows ? 0 : float.MaxValue;
        _maximum = 0;
        for (var j = 0; j < n; j++)
        {
            _minimum = Math.Min(_minimum, z[j]);
            _maximum = Math.Max(_maximum, z[j]);
        }

        _perRange = 1 / ((double)_maximum - _minimum + RangeEpsilon);
        var v = 0.0;
        for (var j = 0; j < n; j++)
        {
            var a = ((double)z[j] - _minimum) * _perRange;
            _u += a;
            v += a * a;
            if (weights is not null)
            {
                weights[j] = (float)(a / norms[rowOf[j]]);
                var self = SelfWeight(a, weights[j], norms[rowOf[j]]);
                _selfTerms += self * self;
            }
        }

        _pairWeight = ((_u * _u) - v) / 2;
    }

    /// <summary>The same of a latent whose zeros are written out.</summary>
    /// <param name="z">B values, not negative.</param>
    /// <param name="rows">B.</param>
    public MonoVisit(float* z, int rows)
    {
        (_minimum, _maximum) = VectorMath.Extremes(z, rows);
        _perRange = 1 / ((double)_maximum - _minimum + RangeEpsilon);
        double v = 0;
        if (_minimum == 0)
        {
            _u = VectorMath.Sum(z, rows);
            v = VectorMath.SumSquares(z, rows);
        }
        else
        {
            for (var i = 0; i < rows; i++)
            {
                var above = (double)z[i] - _minimum;
                _u += above;
                v += above * above;
            }
        }

        _u *= _perRange;
        _pairWeight = ((_u * _u) - (v * _perRange * _perRange)) / 2;
    }

    /// <summary>Whether pairs of rows carry any weight.</summary>
    public bool IsActive => _pairWeight > SmallestPairWeight;

    /// <summary>The score of an active latent.</summary>
    /// <param name="w">Σ weight·x.</param>
    /// <param name="d">D.</param>
    public double Score(float* w, int d) => Score(w, d, _selfTerms);

    /// <summary>The score of an active latent whose zeros are written out.</summary>
    /// <param name="w">Σ a·p.</param>
    /// <param name="d">D.</param>
    /// <param name="selfTerms">What <see cref="WriteScaled"/> returned.</param>
    public double Score(float* w, int d, double selfTerms) =>
        (VectorMath.SumSquares(w, d) - selfTerms) / 2 / (_pairWeight + BatchAddend);

    /// <summary>Adds factor·∂score/∂z to the gradient of every entry.</summary>
    /// <param name="score">The score.</param>
    /// <param name="factor">A factor.</param>
    /// <param name="z">As before.</param>
    /// <param name="rowOf">As before.</param>
    /// <param name="n">As before.</param>
    /// <param name="rows">As before.</param>
    /// <param name="norms">As before.</param>
    /// <param name="weights">As before.</param>
    /// <param name="w">Σ weight·x.</param>
    /// <param name="dots">w·x of every entry.</param>
    /// <param name="directions">Σ of all rows' directions.</param>
    /// <param name="d">D.</param>
    /// <param name="gradient">Is added to.</param>
    public void AddGradient(
        double score,
        double factor,
        float* z,
        int* rowOf,
        int n,
        int rows,
        double* norms,
        float* weights,
        float* w,
        float* dots,
        double* directions,
        int d,
        float* gradient)
    {
        var scale = Scale(factor);
        var maximumGradient = MaximumGradient(score, scale);
        for (var j = 0; j < n; j++)
        {
            var a = ((double)z[j] - _minimum) * _perRange;
            var norm = norms[rowOf[j]];
            var g = ((dots[j] / norm) - SelfWeight(a, weights[j], norm) - (score * (_u - a))) * scale;
            if (z[j] == _maximum)
            {
                // Only the first row that attains the maximum.
                g += maximumGradient;
                maximumGradient = 0;
            }

            gradient[j] += (float)g;
        }

        var lowest = FirstMinimum(z, rowOf, n);
        if (lowest >= 0)
        {
            gradient[lowest] += (float)MinimumGradient(score, scale, rows, Along(w, directions, d));
        }
    }

    /// <summary>a of every row, of a latent whose zeros are written out.</summary>
    /// <param name="z">As before.</param>
    /// <param name="selfWeights">‖p‖² of every row, with p rounded as it is multiplied.</param>
    /// <param name="rows">B.</param>
    /// <param name="a">Becomes a.</param>
    /// <returns>Σ a²·‖p‖², the part of ‖w‖² that is each row paired with itself.</returns>
    public double WriteScaled(float* z, double* selfWeights, int rows, float* a)
    {
        VectorMath.ShiftAndScale(z, _minimum, _perRange, a, rows);
        return VectorMath.WeightedSumSquares(selfWeights, a, rows);
    }

    /// <summary>factor·∂score/∂z of every row, of a latent whose zeros are written out; where z is 0 it is of no use.</summary>
    /// <param name="score">The score.</param>
    /// <param name="factor">A factor.</param>
    /// <param name="z">As before.</param>
    /// <param name="selfWeights">As before.</param>
    /// <param name="rows">As before.</param>
    /// <param name="along">w · Σ of all rows' directions.</param>
    /// <param name="gradient">Holds w·p of every row.</param>
    public void WriteGradient(double score, double factor, float* z, double* selfWeights, int rows, double along, float* gradient)
    {
        var scale = Scale(factor);
        var i = 0;
        if (Avx512F.IsSupported)
        {
            Vector512<double> minimum = Vector512.Create((double)_minimum), perRange = Vector512.Create(_perRange);
            Vector512<double> scores = Vector512.Create(score), scales = Vector512.Create(scale), u = Vector512.Create(_u);
            for (; i + 8 <= rows; i += 8)
            {
                var a = Avx512F.Multiply(Avx512F.Subtract(VectorMath.Widen512(z + i), minimum), perRange);
                var rounded = Avx512F.ConvertToVector512Double(Avx512F.ConvertToVector256Single(a));
                var others = Avx512F.FusedMultiplyAddNegated(
                    rounded, Avx512F.LoadVector512(selfWeights + i), VectorMath.Widen512(gradient + i));
                var g = Avx512F.FusedMultiplyAddNegated(scores, Avx512F.Subtract(u, a), others);
                Avx512F.ConvertToVector256Single(Avx512F.Multiply(g, scales)).Store(gradient + i);
            }
        }
        else
        {
            Vector256<double> minimum = Vector256.Create((double)_minimum), perRange = Vector256.Create(_perRange);
            Vector256<double> scores = Vector256.Create(score), scales = Vector256.Create(scale), u = Vector256.Create(_u);
            for (; i + 8 <= rows; i += 8)
            {
                var (low, high) = Vector256.Widen(Vector256.Load(z + i));
                Vector256<double> lowA = (low - minimum) * perRange, highA = (high - minimum) * perRange;
                var (lowRounded, highRounded) = Vector256.Widen(Vector256.Narrow(lowA, highA));
                (low, high) = Vector256.Widen(Vector256.Load(gradient + i));
                low -= (lowRounded * Vector256.Load(selfWeights + i)) + (scores * (u - lowA));
                high -= (highRounded * Vector256.Load(selfWeights + i + 4)) + (scores * (u - highA));
                Vector256.Narrow(low * scales, high * scales).Store(gradient + i);
            }
        }

        for (; i < rows; i++)
        {
            var a = (z[i] - (double)_minimum) * _perRange;
            gradient[i] = (float)((gradient[i] - ((float)a * selfWeights[i]) - (score * (_u - a))) * scale);
        }

        var values = new ReadOnlySpan<float>(z, rows);
        gradient[values.IndexOf(_maximum)] += (float)MaximumGradient(score, scale);
        if (_minimum > 0)
        {
            gradient[values.IndexOf(_minimum)] += (float)MinimumGradient(score, scale, rows, along);
        }
    }

    /// <summary>w · Σ of all rows' directions.</summary>
    public static double Along(float* w, double* directions, int d)
    {
        var along = 0.0;
        for (var j = 0; j < d; j++)
        {
            along += w[j] * directions[j];
        }

        return along;
    }

    private double Scale(double factor) => factor * _perRange / (_pairWeight + BatchAddend);

    /// <summary>What the first row that attains the maximum gets besides.</summary>
    private static double MaximumGradient(double score, double scale) => -2 * score * BatchAddend * scale;

    /// <summary>What the first row that attains the minimum gets besides.</summary>
    private double MinimumGradient(double score, double scale, int rows, double along) =>
        (-((along - _u) - (score * (rows - 1) * _u)) * scale) + (2 * score * BatchAddend * scale);

    /// <summary>
    /// ‖w‖² holds each row paired with itself: what is taken off is what rounding has put in. A row of zeros has no direction, and the
    /// formula takes its a² off all the same.
    /// </summary>
    private static double SelfWeight(double a, float weight, double norm) => norm > CpuDevice.SmallestNorm ? weight * norm : a;

    /// <summary>The entry of the first row that attains the minimum, or −1 if that row stores none.</summary>
    private int FirstMinimum(float* z, int* rowOf, int n)
    {
        for (var j = 0; j < n; j++)
        {
            if (_minimum == 0 && rowOf[j] > j)
            {
                // A row before this one stores nothing, so it has z = 0.
                return -1;
            }

            if (z[j] == _minimum)
            {
                return j;
            }
        }

        return -1;
    }
}
