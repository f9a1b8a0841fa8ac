using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// The CPU's passes over one latent of a batch: the sums that <see cref="MonoScore"/> needs, and its gradient at every nonzero. A latent
/// comes as its nonzeros (rows ascending) or dense, with its zeros written out.
/// </summary>
internal unsafe struct BatchMonoScore
{
    private readonly float _maximum;
    private MonoScore _terms;

    /// <summary>Forms the terms of a latent given by its nonzeros.</summary>
    /// <param name="z">The latent's nonzeros, rows ascending; not negative.</param>
    /// <param name="rowOf">Their rows.</param>
    /// <param name="n">How many there are.</param>
    /// <param name="rows">B.</param>
    /// <param name="norms">max(‖x‖, 1e-8) of every row.</param>
    /// <param name="weights">Becomes a/‖x‖ for every nonzero; null if only <see cref="IsActive"/> is wanted.</param>
    public BatchMonoScore(float* z, int* rowOf, int n, int rows, double* norms, float* weights)
    {
        var minimum = n < rows ? 0 : float.MaxValue;
        _maximum = 0;
        for (var j = 0; j < n; j++)
        {
            minimum = Math.Min(minimum, z[j]);
            _maximum = Math.Max(_maximum, z[j]);
        }

        var perRange = MonoScore.ReciprocalRange(minimum, _maximum);
        double u = 0, v = 0, selfTerms = 0;
        for (var j = 0; j < n; j++)
        {
            var a = MonoScore.Scaled(z[j], minimum, perRange);
            u += a;
            v += a * a;
            if (weights is not null)
            {
                weights[j] = (float)(a / norms[rowOf[j]]);
                var self = MonoScore.SelfTerm(a, weights[j], norms[rowOf[j]]);
                selfTerms += self * self;
            }
        }

        _terms = new MonoScore(minimum, perRange, u, v, selfTerms, MonoScore.BatchDelta);
    }

    /// <summary>Forms the terms of a dense latent, except for <see cref="MonoScore.SelfTerms"/> (<see cref="WriteScaled"/>).</summary>
    /// <param name="z">B values, not negative.</param>
    /// <param name="rows">B.</param>
    public BatchMonoScore(float* z, int rows)
    {
        (var minimum, _maximum) = VectorMath.Extremes(z, rows);
        var perRange = MonoScore.ReciprocalRange(minimum, _maximum);
        double sum = 0, squares = 0;
        if (minimum == 0)
        {
            sum = VectorMath.Sum(z, rows);
            squares = VectorMath.SumSquares(z, rows);
        }
        else
        {
            for (var i = 0; i < rows; i++)
            {
                var above = (double)z[i] - minimum;
                sum += above;
                squares += above * above;
            }
        }

        _terms = new MonoScore(minimum, perRange, sum * perRange, squares * perRange * perRange, 0, MonoScore.BatchDelta);
    }

    /// <summary>Whether pairs of rows carry any weight.</summary>
    public readonly bool IsActive => _terms.IsActive;

    /// <summary>The score of an active latent.</summary>
    /// <param name="w">Σ a·p.</param>
    /// <param name="d">D.</param>
    public readonly double Score(float* w, int d) => _terms.Score(VectorMath.SumSquares(w, d));

    /// <summary>Adds factor·∂score/∂z to the gradient at every nonzero.</summary>
    /// <param name="score">The score.</param>
    /// <param name="factor">The derivative of the loss with respect to the score.</param>
    /// <param name="z">The nonzeros that the terms were formed from.</param>
    /// <param name="rowOf">Their rows.</param>
    /// <param name="n">How many there are.</param>
    /// <param name="rows">B.</param>
    /// <param name="norms">max(‖x‖, 1e-8) of every row.</param>
    /// <param name="weights">a/‖x‖ of every nonzero.</param>
    /// <param name="w">Σ weight·x, D values.</param>
    /// <param name="dots">w·x of every nonzero.</param>
    /// <param name="unitRowSum">P = Σ p over all rows, D values.</param>
    /// <param name="d">D.</param>
    /// <param name="gradient">The gradient to add to, n values.</param>
    public readonly void AddGradient(
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
        double* unitRowSum,
        int d,
        float* gradient)
    {
        var terms = _terms;
        var scale = terms.GradientScale(factor);
        var atMaximum = terms.GradientAtMaximum(score, scale);
        for (var j = 0; j < n; j++)
        {
            var a = terms.Scaled(z[j]);
            var norm = norms[rowOf[j]];
            var g = terms.Gradient(a, dots[j] / norm, MonoScore.SelfTerm(a, weights[j], norm), score, scale);
            if (z[j] == _maximum)
            {
                // Only the first row that attains the maximum.
                g += atMaximum;
                atMaximum = 0;
            }

            gradient[j] += (float)g;
        }

        var lowest = FirstMinimum(z, rowOf, n);
        if (lowest >= 0)
        {
            gradient[lowest] += (float)terms.GradientAtMinimum(score, scale, Dot(w, unitRowSum, d), rows);
        }
    }

    /// <summary>Writes a of every row of a dense latent and completes <see cref="MonoScore.SelfTerms"/>.</summary>
    /// <param name="z">The values that the terms were formed from.</param>
    /// <param name="selfWeights">‖p‖² of every row, with p rounded as it is multiplied.</param>
    /// <param name="rows">B.</param>
    /// <param name="a">Becomes a, B values.</param>
    public void WriteScaled(float* z, double* selfWeights, int rows, float* a)
    {
        VectorMath.ShiftAndScale(z, _terms.Minimum, _terms.PerRange, a, rows);
        _terms.SelfTerms = VectorMath.WeightedSumSquares(selfWeights, a, rows);
    }

    /// <summary>Writes factor·∂score/∂z of every row of a dense latent. Where z is 0 the result is not used.</summary>
    /// <param name="score">The score.</param>
    /// <param name="factor">The derivative of the loss with respect to the score.</param>
    /// <param name="z">The values that the terms were formed from.</param>
    /// <param name="selfWeights">‖p‖² of every row, with p rounded as it is multiplied.</param>
    /// <param name="rows">B.</param>
    /// <param name="wDotSum">w·P.</param>
    /// <param name="gradient">Holds w·p of every row and becomes the gradient, B values.</param>
    public readonly void WriteGradient(
        double score, double factor, float* z, double* selfWeights, int rows, double wDotSum, float* gradient)
    {
        var terms = _terms;
        var scale = terms.GradientScale(factor);
        var i = 0;
        // The vectorized form of MonoScore.Gradient with self = a‖p‖², a rounded to float32 as in w.
        if (Avx512F.IsSupported)
        {
            Vector512<double> minimum = Vector512.Create((double)terms.Minimum), perRange = Vector512.Create(terms.PerRange);
            Vector512<double> scores = Vector512.Create(score), scales = Vector512.Create(scale), u = Vector512.Create(terms.U);
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
            Vector256<double> minimum = Vector256.Create((double)terms.Minimum), perRange = Vector256.Create(terms.PerRange);
            Vector256<double> scores = Vector256.Create(score), scales = Vector256.Create(scale), u = Vector256.Create(terms.U);
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
            var a = terms.Scaled(z[i]);
            gradient[i] = (float)terms.Gradient(a, gradient[i], (float)a * selfWeights[i], score, scale);
        }

        var values = new ReadOnlySpan<float>(z, rows);
        gradient[values.IndexOf(_maximum)] += (float)terms.GradientAtMaximum(score, scale);
        if (terms.Minimum > 0)
        {
            gradient[values.IndexOf(terms.Minimum)] += (float)terms.GradientAtMinimum(score, scale, wDotSum, rows);
        }
    }

    /// <summary>w·P in float64.</summary>
    /// <param name="w">w, D values.</param>
    /// <param name="unitRowSum">P, D values.</param>
    /// <param name="d">D.</param>
    public static double Dot(float* w, double* unitRowSum, int d)
    {
        var dot = 0.0;
        for (var j = 0; j < d; j++)
        {
            dot += w[j] * unitRowSum[j];
        }

        return dot;
    }

    /// <summary>The nonzero of the first row that attains the minimum, or −1 if that row stores none.</summary>
    private readonly int FirstMinimum(float* z, int* rowOf, int n)
    {
        for (var j = 0; j < n; j++)
        {
            if (_terms.Minimum == 0 && rowOf[j] > j)
            {
                // A row before this one stores nothing, so it has z = 0.
                return -1;
            }

            if (z[j] == _terms.Minimum)
            {
                return j;
            }
        }

        return -1;
    }
}
