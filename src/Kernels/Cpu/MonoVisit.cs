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
    /// <param name="z">The latent's places, rows ascending; not negative.</param>
    /// <param name="rowOf">Their rows.</param>
    /// <param name="n">How many.</param>
    /// <param name="rows">B.</param>
    /// <param name="norms">The rows' lengths.</param>
    /// <param name="weights">Becomes a/‖x‖ for every place; null if only <see cref="IsActive"/> is wanted.</param>
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

    /// <summary>Whether pairs of rows carry any weight.</summary>
    public bool IsActive => _pairWeight > SmallestPairWeight;

    /// <summary>The score of an active latent.</summary>
    /// <param name="w">Σ weight·x.</param>
    /// <param name="d">D.</param>
    public double Score(float* w, int d) => (VectorMath.SumSquares(w, d) - _selfTerms) / 2 / (_pairWeight + BatchAddend);

    /// <summary>Adds factor·∂score/∂z to the gradient of every place.</summary>
    /// <param name="score">The score.</param>
    /// <param name="factor">A factor.</param>
    /// <param name="z">As before.</param>
    /// <param name="rowOf">As before.</param>
    /// <param name="n">As before.</param>
    /// <param name="rows">As before.</param>
    /// <param name="norms">As before.</param>
    /// <param name="weights">As before.</param>
    /// <param name="w">Σ weight·x.</param>
    /// <param name="dots">w·x of every place.</param>
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
        var scale = factor * _perRange / (_pairWeight + BatchAddend);
        var maximumGradient = -2 * score * BatchAddend * scale;
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
            var along = 0.0;
            for (var j = 0; j < d; j++)
            {
                along += w[j] * directions[j];
            }

            gradient[lowest] += (float)((-((along - _u) - (score * (rows - 1) * _u)) * scale) + (2 * score * BatchAddend * scale));
        }
    }

    /// <summary>
    /// ‖w‖² holds each row paired with itself: what is taken off is what rounding has put in. A row of zeros has no direction, and the
    /// formula takes its a² off all the same.
    /// </summary>
    private static double SelfWeight(double a, float weight, double norm) => norm > CpuDevice.SmallestNorm ? weight * norm : a;

    /// <summary>The place of the first row that attains the minimum, or −1 if that row stores none.</summary>
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
