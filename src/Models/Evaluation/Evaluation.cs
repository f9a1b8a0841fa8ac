using MonoLoss.Autodiff;
using MonoLoss.Data;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>Evaluates an autoencoder batch by batch, in one pass and constant memory.</summary>
public sealed class Evaluation : IDisposable
{
    // Features whose total spread is below this have no R² (the official cut).
    private const double SmallestSpread = 1e-12;

    private readonly SparseAutoencoder _model;
    private MonoScoreAccumulator? _scores;
    private readonly Tape _tape;
    private readonly ClassPurity? _purity;
    private readonly DeviceArray<double> _columns;
    // Sums over the batches: NMSE of the rows, and the number of active latents. They stay on the device until the end.
    private readonly DeviceArray<double> _sums;
    private readonly DeviceArray<double> _nmseSum;
    private readonly DeviceArray<double> _activeSum;
    private readonly DeviceArray<double> _batch;
    private readonly DeviceArray<double> _batchFirst;
    private int[] _offsets = [];
    private int[] _indices = [];
    private float[] _values = [];
    private long _rows;

    /// <summary>Begins an evaluation.</summary>
    /// <param name="model">The model to evaluate.</param>
    /// <param name="classes">Number of classes of the labels; 0 without labels.</param>
    public Evaluation(SparseAutoencoder model, int classes)
    {
        _model = model;
        _tape = new Tape(model.Device);
        _purity = classes > 0 ? new ClassPurity(model.Config.Latents, classes) : null;
        _columns = model.Device.Allocate<double>(3L * model.Config.Dimension);
        _sums = model.Device.Allocate<double>(2);
        (_nmseSum, _activeSum) = (_sums.Slice(0, 1), _sums.Slice(1, 1));
        _batch = model.Device.Allocate<double>(2);
        _batchFirst = _batch.Slice(0, 1);
    }

    /// <summary>
    /// The score of a latent that is constant or has no pair of active rows: 0, as in the official code, or NaN, which is left out of the
    /// mean and the percentiles.
    /// </summary>
    public double UndefinedScore { get; set; }

    /// <summary>What is shown the latents of every row, such as <see cref="LatentSamples"/>; null for nothing.</summary>
    public ILatentObserver? Observer { get; set; }

    /// <summary>How many of its most frequent classes are kept of every latent.</summary>
    public int ClassesPerLatent { get; set; }

    /// <summary>Evaluates a model on a set, which is read in file order.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">The set.</param>
    /// <param name="batchSize">Rows per batch; BatchTopK selects within a batch.</param>
    /// <param name="progress">Called with the number of rows evaluated so far; may be null.</param>
    /// <param name="undefinedScore"><see cref="UndefinedScore"/>.</param>
    /// <param name="observer"><see cref="Observer"/>.</param>
    /// <param name="classesPerLatent"><see cref="ClassesPerLatent"/>.</param>
    /// <exception cref="DataException">The set cannot be read.</exception>
    public static EvaluationResult Run(
        SparseAutoencoder model,
        FeatureSet set,
        int batchSize,
        Action<long>? progress = null,
        double undefinedScore = 0,
        ILatentObserver? observer = null,
        int classesPerLatent = 0) =>
        Run(model, set, SequentialBatches.Read(set, model.Device, batchSize), progress, undefinedScore, observer, classesPerLatent);

    /// <summary>Evaluates a model on the rows of a set that are already at hand.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">The set, whose labels are taken.</param>
    /// <param name="batches">Its rows in file order.</param>
    /// <param name="progress">Called with the number of rows evaluated so far; may be null.</param>
    /// <param name="undefinedScore"><see cref="UndefinedScore"/>.</param>
    /// <param name="observer"><see cref="Observer"/>.</param>
    /// <param name="classesPerLatent"><see cref="ClassesPerLatent"/>.</param>
    internal static EvaluationResult Run(
        SparseAutoencoder model,
        FeatureSet set,
        IEnumerable<Batch> batches,
        Action<long>? progress,
        double undefinedScore = 0,
        ILatentObserver? observer = null,
        int classesPerLatent = 0)
    {
        using var evaluation = new Evaluation(model, set.HasLabels ? set.Classes.Count : 0)
        {
            UndefinedScore = undefinedScore, Observer = observer, ClassesPerLatent = classesPerLatent,
        };
        var labels = new LabelBatch();
        foreach (var batch in batches)
        {
            if (set.HasLabels)
            {
                set.GetLabels(evaluation._rows, batch.Rows, labels);
            }

            evaluation.Add(batch, labels);
            progress?.Invoke(evaluation._rows);
        }

        return evaluation.Finish();
    }

    /// <summary>Adds a batch whose rows have at most one label each; BatchTopK selects within it.</summary>
    /// <param name="rows">The rows; all batches have similarity rows, or none has.</param>
    /// <param name="labels">One class per row, −1 for none, if the evaluation has classes.</param>
    public void Add(in Batch rows, ReadOnlySpan<int> labels)
    {
        var batch = new LabelBatch();
        foreach (ref readonly var label in labels)
        {
            batch.Add(label < 0 ? [] : new ReadOnlySpan<int>(in label));
        }

        Add(rows, batch);
    }

    /// <summary>Adds a batch; BatchTopK selects within it.</summary>
    /// <param name="batch">The rows; all batches have similarity rows, or none has.</param>
    /// <param name="labels">The classes of the rows, if the evaluation has classes.</param>
    public void Add(in Batch batch, LabelBatch labels)
    {
        var x = batch.X;
        var device = _model.Device;
        _tape.Reset();
        var encoding = _model.Encode(_tape, batch);
        var latents = encoding.Latents.Value;
        var reconstruction = _model.Reconstruct(_tape, encoding).Value;
        ScoresFor(batch.Similarity ?? x).Add(latents, batch.Similarity ?? x);
        device.AccumulateColumnErrors(x, reconstruction, _columns);
        device.SquaredError(reconstruction, x, 1, relative: true, _batchFirst);
        device.AddSum(_batchFirst, _nmseSum);
        device.SumAndCountPositive(latents, _batch);
        device.AddSum(_batchFirst, _activeSum);
        _rows += x.Rows;
        if (_purity is { IsOverLimit: false } || Observer is not null)
        {
            var offsets = ToHost(latents.RowOffsets, ref _offsets);
            var indices = ToHost(latents.Indices, ref _indices);
            var values = ToHost(latents.Values, ref _values);
            Observer?.Add(offsets, indices, values);
            if (_purity is { IsOverLimit: false })
            {
                _purity.Add(offsets, indices, values, labels);
            }
        }
    }

    /// <summary>The figures over all batches added.</summary>
    public EvaluationResult Finish()
    {
        var sumsOfAll = _scores ?? ScoresFor(null);
        var scores = sumsOfAll.Scores(UndefinedScore);
        var fired = sumsOfAll.Sums.Fired.ToArray();
        var sums = sumsOfAll.Sums.Sum.ToArray();
        var largest = sumsOfAll.Sums.Maximum.ToArray();
        var latents = new LatentResult[scores.Length];
        for (var m = 0; m < latents.Length; m++)
        {
            latents[m] = new LatentResult(
                scores[m], fired[m], fired[m] > 0 ? sums[m] / fired[m] : 0, largest[m], _purity?.Of(m));
        }

        var distribution = ScoreStatistics.Of(scores);
        var pure = latents.Where(latent => latent.Purity is not null).Select(latent => latent.Purity!.Value).ToArray();
        var (r2, mse, fvu) = ReconstructionFigures();
        var batchSums = _sums.ToArray();
        return new EvaluationResult
        {
            Rows = _rows,
            Mse = mse,
            Nmse = batchSums[0] / _rows,
            R2 = r2,
            Fvu = fvu,
            L0 = batchSums[1] / _rows,
            SilentLatents = latents.Count(latent => latent.ActivationCount == 0),
            MonoMean = distribution.Mean,
            MonoMedian = distribution.Median,
            MonoP90 = distribution.P90,
            PurityBinary = pure.Length == 0 ? null : pure.Average(purity => purity.Binary),
            PurityWeighted = pure.Length == 0 ? null : pure.Average(purity => purity.Weighted),
            HasTooManyLabels = _purity is { IsOverLimit: true },
            FrequentClasses = ClassesPerLatent > 0 ? _purity?.MostFrequent(ClassesPerLatent) : null,
            Latents = latents,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape.Dispose();
        _scores?.Dispose();
        _columns.Dispose();
        _sums.Dispose();
        _batch.Dispose();
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

    private MonoScoreAccumulator ScoresFor(Tensor? compared) => _scores ??=
        new MonoScoreAccumulator(_model.Device, _model.Config.Latents, compared?.Columns ?? _model.Config.Dimension);

    private (double R2, double Mse, double Fvu) ReconstructionFigures()
    {
        var d = _model.Config.Dimension;
        var sums = _columns.ToArray();
        double total = 0, residuals = 0, spreads = 0;
        var features = 0;
        for (var j = 0; j < d; j++)
        {
            var spread = sums[d + j] - (sums[j] * sums[j] / _rows);
            var residual = sums[(2 * d) + j];
            residuals += residual;
            spreads += spread;
            if (spread > SmallestSpread)
            {
                total += 1 - (residual / (spread + SmallestSpread));
                features++;
            }
        }

        return (features > 0 ? total / features : 0, residuals / ((double)_rows * d), residuals / spreads);
    }
}
