using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>How good an autoencoder is on a dataset.</summary>
public sealed record EvaluationResult
{
    /// <summary>Rows that were evaluated.</summary>
    public required long Rows { get; init; }

    /// <summary>Mean squared error over rows and features.</summary>
    public required double Mse { get; init; }

    /// <summary>Mean over rows of Σ(recon − x)²/Σx².</summary>
    public required double Nmse { get; init; }

    /// <summary>Mean over features with any spread of 1 − SS_res/(SS_tot + 1e-12).</summary>
    public required double R2 { get; init; }

    /// <summary>Mean number of active latents a row.</summary>
    public required double L0 { get; init; }

    /// <summary>Latents that never fire on this dataset.</summary>
    public required int DeadLatents { get; init; }

    /// <summary>Mean MonoScore over all latents, those that never fire counting 0.</summary>
    public required double MonoMean { get; init; }

    /// <summary>Median MonoScore over all latents.</summary>
    public required double MonoMedian { get; init; }

    /// <summary>90th percentile of MonoScore over all latents.</summary>
    public required double MonoP90 { get; init; }

    /// <summary>Mean binary class purity over latents that fire; null without labels.</summary>
    public double? PurityBinary { get; init; }

    /// <summary>Mean weighted class purity over latents that fire; null without labels.</summary>
    public double? PurityWeighted { get; init; }

    /// <summary>Every latent.</summary>
    public required IReadOnlyList<LatentResult> Latents { get; init; }
}

/// <summary>One latent on a dataset.</summary>
/// <param name="MonoScore">Its MonoScore.</param>
/// <param name="ActivationCount">How many rows activate it.</param>
/// <param name="ActivationMean">Mean activation over those rows; 0 if there is none.</param>
/// <param name="ActivationMax">Largest activation.</param>
/// <param name="Purity">Which classes it fires for; null without labels.</param>
public readonly record struct LatentResult(
    double MonoScore, long ActivationCount, double ActivationMean, double ActivationMax, LatentPurity? Purity);

/// <summary>Evaluates an autoencoder batch by batch, in one pass and constant memory.</summary>
public sealed class Evaluation : IDisposable
{
    // Features whose total spread is below this have no R² (the official cut).
    private const double SmallestSpread = 1e-12;

    private readonly SparseAutoencoder _model;
    private readonly DatasetMonoLoss _mono;
    private readonly Tape _tape;
    private readonly ClassPurity? _purity;
    private readonly DeviceArray<double> _columns;
    private readonly DeviceArray<double> _result;
    private readonly double[] _host = new double[2];
    private int[] _offsets = [];
    private int[] _indices = [];
    private float[] _values = [];
    private double _nmseSum;
    private double _activeSum;
    private long _rows;

    /// <summary>Begins an evaluation.</summary>
    /// <param name="model">What to evaluate.</param>
    /// <param name="classes">How many classes the labels have; 0 without labels.</param>
    public Evaluation(SparseAutoencoder model, int classes)
    {
        _model = model;
        _tape = new Tape(model.Device);
        _mono = new DatasetMonoLoss(model);
        _purity = classes > 0 ? new ClassPurity(model.Config.Latents, classes) : null;
        _columns = model.Device.Allocate<double>(3L * model.Config.Dimension);
        _result = model.Device.Allocate<double>(2);
    }

    /// <summary>Adds a batch; BatchTopK selects within it.</summary>
    /// <param name="x">Rows of unit length.</param>
    /// <param name="labels">A class a row, if the evaluation has classes.</param>
    public void Add(Tensor x, ReadOnlySpan<int> labels)
    {
        var device = _model.Device;
        _tape.Reset();
        var encoding = _model.Encode(_tape, x);
        var latents = encoding.Latents.Value;
        var reconstruction = _model.Reconstruct(_tape, encoding).Value;
        _mono.Add(latents, x);
        device.AccumulateColumnErrors(x, reconstruction, _columns);
        device.SquaredError(reconstruction, x, 1, relative: true, _result);
        _result.CopyTo(_host.AsSpan(0, 1));
        _nmseSum += _host[0];
        device.SumAndCountPositive(latents, _result);
        _result.CopyTo(_host);
        _activeSum += _host[0];
        _rows += x.Rows;
        if (_purity is not null)
        {
            _purity.Add(
                ToHost(latents.RowOffsets, ref _offsets), ToHost(latents.Indices, ref _indices), ToHost(latents.Values, ref _values), labels);
        }
    }

    /// <summary>The figures over all batches added.</summary>
    public EvaluationResult Finish()
    {
        var scores = _mono.Scores();
        var fired = _mono.Sums.Fired.ToArray();
        var sums = _mono.Sums.Sum.ToArray();
        var largest = _mono.Sums.Maximum.ToArray();
        var latents = new LatentResult[scores.Length];
        for (var m = 0; m < latents.Length; m++)
        {
            latents[m] = new LatentResult(
                scores[m], fired[m], fired[m] > 0 ? sums[m] / fired[m] : 0, largest[m], _purity?.Of(m));
        }

        var sorted = scores.Order().ToArray();
        var live = latents.Where(latent => latent.ActivationCount > 0).ToArray();
        var (r2, mse) = R2AndMse();
        return new EvaluationResult
        {
            Rows = _rows,
            Mse = mse,
            Nmse = _nmseSum / _rows,
            R2 = r2,
            L0 = _activeSum / _rows,
            DeadLatents = latents.Length - live.Length,
            MonoMean = scores.Average(),
            MonoMedian = Percentile(sorted, 0.5),
            MonoP90 = Percentile(sorted, 0.9),
            PurityBinary = _purity is null ? null : live.Select(latent => latent.Purity!.Value.Binary).DefaultIfEmpty(0).Average(),
            PurityWeighted = _purity is null ? null : live.Select(latent => latent.Purity!.Value.Weighted).DefaultIfEmpty(0).Average(),
            Latents = latents,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape.Dispose();
        _mono.Dispose();
        _columns.Dispose();
        _result.Dispose();
    }

    /// <summary>A percentile with linear interpolation between the two values around it.</summary>
    /// <param name="sorted">Ascending, not empty.</param>
    /// <param name="share">0 … 1.</param>
    public static double Percentile(ReadOnlySpan<double> sorted, double share)
    {
        var position = share * (sorted.Length - 1);
        var below = (int)position;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((position - below) * (sorted[above] - sorted[below]));
    }

    private static ReadOnlySpan<T> ToHost<T>(DeviceArray<T> source, ref T[] buffer)
        where T : unmanaged
    {
        if (buffer.Length < source.Length)
        {
            buffer = new T[source.Length];
        }

        var span = buffer.AsSpan(0, (int)source.Length);
        source.CopyTo(span);
        return span;
    }

    private (double R2, double Mse) R2AndMse()
    {
        var d = _model.Config.Dimension;
        var sums = _columns.ToArray();
        double total = 0, residuals = 0;
        var features = 0;
        for (var j = 0; j < d; j++)
        {
            var spread = sums[d + j] - (sums[j] * sums[j] / _rows);
            var residual = sums[(2 * d) + j];
            residuals += residual;
            if (spread > SmallestSpread)
            {
                total += 1 - (residual / (spread + SmallestSpread));
                features++;
            }
        }

        return (features > 0 ? total / features : 0, residuals / ((double)_rows * d));
    }
}
