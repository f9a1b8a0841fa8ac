using MonoLoss.Kernels;

namespace MonoLoss.Bench;

/// <summary>
/// MonoScore by its definition, Σ_{i&lt;j} a_i·a_j·cos(p_i, p_j) / Σ_{i&lt;j} a_i·a_j, over the pairs of samples that activate a latent.
/// </summary>
/// <remarks>
/// Faster than the usual dense code, for a fair comparison: only active samples are paired, and their cosines come from a matrix product
/// at full speed. All samples are held in memory.
/// </remarks>
internal sealed class PairwiseScorer : IDisposable
{
    private readonly Device _device;
    private readonly WorkSizes _sizes;
    private readonly float[] _directions;
    private readonly List<(int Row, float Value)>[] _active;
    private readonly Tensor _rows;
    private readonly Tensor _cosines;
    private float[] _gathered = [];
    private float[] _cosinesOnHost = [];

    /// <summary>Draws the samples and scales their features to unit length.</summary>
    /// <param name="device">The device for the products.</param>
    /// <param name="sizes">Rows drawn at a time, features, latents and active latents.</param>
    /// <param name="count">Number of samples, a multiple of the rows drawn at a time.</param>
    public PairwiseScorer(Device device, WorkSizes sizes, int count)
    {
        var dimension = sizes.Features;
        (_device, _sizes) = (device, sizes);
        _rows = device.Tensor(0, dimension);
        _cosines = device.Tensor(0, 0);
        _directions = new float[count * dimension];
        _active = [.. Enumerable.Range(0, sizes.Latents).Select(_ => new List<(int, float)>())];
        using var samples = new SampleStream(device, sizes);
        for (var start = 0; start < count; start += sizes.Rows)
        {
            samples.Next();
            for (var row = 0; row < sizes.Rows; row++)
            {
                SetDirection(samples.Features.Slice(row * dimension, dimension), _directions.AsSpan((start + row) * dimension, dimension));
            }

            for (var i = 0; i < samples.Indices.Length; i++)
            {
                _active[samples.Indices[i]].Add((start + (i / sizes.Active), samples.Values[i]));
            }
        }
    }

    /// <summary>Computes the scores of all latents.</summary>
    /// <param name="seconds">The time for the scores.</param>
    public double[] Score(out double seconds)
    {
        var scores = new double[_sizes.Latents];
        seconds = Timing.Seconds(() =>
        {
            for (var latent = 0; latent < scores.Length; latent++)
            {
                scores[latent] = Score(_active[latent]);
            }
        });
        return scores;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows.Dispose();
        _cosines.Dispose();
    }

    private static void SetDirection(ReadOnlySpan<float> x, Span<float> direction)
    {
        var squares = 0.0;
        foreach (var value in x)
        {
            squares += (double)value * value;
        }

        var scale = 1 / Math.Sqrt(squares);
        for (var d = 0; d < x.Length; d++)
        {
            direction[d] = (float)(x[d] * scale);
        }
    }

    /// <summary>The score of one latent; its smallest activation is 0, because some sample does not activate it.</summary>
    private double Score(List<(int Row, float Value)> active)
    {
        var dimension = _sizes.Features;
        var n = active.Count;
        if (n < 2)
        {
            return 0;
        }

        Array.Resize(ref _gathered, Math.Max(_gathered.Length, n * dimension));
        Array.Resize(ref _cosinesOnHost, Math.Max(_cosinesOnHost.Length, n * n));
        for (var i = 0; i < n; i++)
        {
            _directions.AsSpan(active[i].Row * dimension, dimension).CopyTo(_gathered.AsSpan(i * dimension));
        }

        _rows.Resize(n, dimension);
        _rows.Set(_gathered.AsSpan(0, n * dimension));
        _cosines.Resize(n, n);
        _device.Gemm(false, true, 1, _rows, _rows, 0, _cosines);
        _cosines.Data.CopyTo(_cosinesOnHost.AsSpan(0, n * n));
        var range = active.Max(entry => entry.Value) + MonoScore.RangeEpsilon;
        var (numerator, denominator) = (0.0, 0.0);
        for (var i = 0; i < n; i++)
        {
            var (weighted, plain) = (0.0, 0.0);
            for (var j = i + 1; j < n; j++)
            {
                var a = active[j].Value / range;
                weighted += a * _cosinesOnHost[(i * n) + j];
                plain += a;
            }

            numerator += active[i].Value / range * weighted;
            denominator += active[i].Value / range * plain;
        }

        return denominator > MonoScore.SmallestPairWeight ? numerator / (denominator + MonoScore.DatasetDelta) : 0;
    }
}
