using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// BatchTopK (Bussmann et al. 2024, arXiv 2412.06410): acts = ReLU((x̂ − b_dec)·W_enc), of which the B·k largest of the batch are kept;
/// recon = z·W_dec + b_dec. loss = mean (recon − x)² + aux + mono_coef·MonoLoss, where, if there are dead latents, the largest
/// min(aux_k, #dead) of their activations reconstruct the error e = x − recon (AuxK, Gao et al. 2024, arXiv 2406.04093):
/// aux = aux_coef·mean (z_aux·W_dec − e)². With <see cref="SaeConfig.AuxDetach"/> e carries no gradient.
/// </summary>
public class BatchTopK : StandardAutoencoder
{
    private const int DefaultAuxK = 512;

    // The rate of the running mean of the smallest activations kept, as in SAELens.
    private const double ThresholdRate = 0.01;

    /// <summary>
    /// The pass that finds the threshold looks at this many times k activations per row, and at more if they do not settle it.
    /// </summary>
    internal const int CalibrationMultiple = 2;

    private readonly Tensor _bounds;
    private readonly Tensor _residual;

    // What the next step's mean continues from. InferenceThreshold may have been found for the weights of a completed run since.
    private double? _meanSmallestKept;

    // While the threshold is looked for: how many activations per row each batch keeps.
    private int? _calibrationK;

    internal BatchTopK(Device device, SaeConfig config)
        : base(device, config)
    {
        _bounds = device.Tensor(0, 0);
        _residual = device.Tensor(0, 0);
        StateNumbers =
        [
            new StoredNumber("inference_threshold", () => _meanSmallestKept, value => InferenceThreshold = _meanSmallestKept = value),
        ];
        WeightNumbers = [new StoredNumber("threshold", () => InferenceThreshold, value => InferenceThreshold = value)];
    }

    /// <summary>
    /// The activation above which a latent counts as active outside a batch. While training, the mean of the smallest activation that each
    /// batch kept, over the first 100 steps, and then its running mean; after <see cref="AfterTraining"/>, the value that k activations per
    /// row of the training set exceed on average. Null before the first step.
    /// </summary>
    public double? InferenceThreshold { get; set; }

    /// <inheritdoc/>
    public override double ReportedAuxiliaryFactor => Config.AuxCoefficient;

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "batch_topk",
        Create = (device, config) => new BatchTopK(device, config),
        Footprint = FootprintOf,
        SelectsK = true,
        CanDetachAuxiliary = true,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredNumber> StateNumbers { get; }

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredNumber> WeightNumbers { get; }

    /// <inheritdoc/>
    public override bool SelectsFromBatch => true;

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.BatchTopK,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = true,
    };

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var (term, error, reconstruction) = ReconstructionLoss(tape, x, encoding);
        var auxiliary = AuxiliaryLoss(tape, x, encoding, reconstruction, dead);
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((term, 1), (auxiliary, Config.AuxCoefficient), (mono?.Loss, Scheduled.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, null, mono, tape.MeanActive(encoding.Latents));
    }

    /// <summary>Moves <see cref="InferenceThreshold"/> towards the smallest activation that the step's batch kept.</summary>
    /// <param name="step">The step that was made.</param>
    public override void AfterStep(in CompletedStep step)
    {
        var smallest = step.Encoding.Latents.SmallestKept;
        // While k changes, the values that earlier batches kept say nothing about the present k.
        var steps = TrainingSchedule.StepsAtSameK(Config, step.Options, step.Step - 1);
        var rate = Math.Max(ThresholdRate, 1.0 / steps);
        _meanSmallestKept = _meanSmallestKept is { } mean ? mean + (rate * (smallest - mean)) : smallest;
        InferenceThreshold = _meanSmallestKept;
    }

    /// <summary>
    /// Sets <see cref="InferenceThreshold"/> to the value that k activations per row exceed on average, to 0.1 % of k and less unless many
    /// activations are equal. It takes one pass over the rows, and further ones only where batches differ very much. Training that goes on
    /// continues from its running mean, as if this had not been called.
    /// </summary>
    /// <param name="rows">The training set in batches, the same in every pass.</param>
    public override void AfterTraining(IEnumerable<Batch> rows)
    {
        var histogram = new ActivationHistogram();
        float? threshold = null;
        try
        {
            for (var multiple = CalibrationMultiple; threshold is null; multiple *= 2)
            {
                threshold = FindThreshold(rows, (int)Math.Min((long)multiple * Config.K, Config.Latents), histogram);
            }
        }
        finally
        {
            _calibrationK = null;
        }

        InferenceThreshold = threshold;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _bounds.Dispose();
        _residual.Dispose();
    }

    /// <summary>What a model of a configuration keeps in memory.</summary>
    private protected static ModelFootprint FootprintOf(SaeConfig config) => new()
    {
        WeightMatrices = 2,
        VectorElements = config.Dimension + config.Latents,
        Selection = SelectionKind.BatchTopK,
        ActivePerRow = config.K,
        AuxiliaryPerRow = config.AuxCoefficient > 0 ? config.AuxK ?? DefaultAuxK : 0,
        AuxiliaryMatrices = 5,
    };

    /// <summary>The term of the loss that compares reconstructions with x.</summary>
    /// <returns>The term, the mean squared error that is reported, and the reconstruction from all latents.</returns>
    private protected virtual (Scalar Term, Scalar Error, Variable Reconstruction) ReconstructionLoss(
        Tape tape, Tensor x, in Encoding encoding)
    {
        var reconstruction = Reconstruct(tape, encoding);
        var error = tape.MeanSquaredError(reconstruction, x);
        return (error, error, reconstruction);
    }

    private protected override int? AuxiliaryDeadSteps(int deadAfter) => Config.AuxCoefficient > 0 ? deadAfter : null;

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input)
    {
        var selection = SelectsByThreshold && _calibrationK is null
            ? ThresholdSelection()
            : new Selection(SelectionKind.BatchTopK, _calibrationK ?? Scheduled.K);
        return new(tape.Encode(input, Encoder.Variable, Bias, DecoderBias.Variable, selection));
    }

    private Variable? Bias => Config.EncoderBias ? EncoderBias.Variable : null;

    private Selection ThresholdSelection()
    {
        var bounds = new float[Config.Latents];
        Array.Fill(bounds, (float)(InferenceThreshold ?? 0));
        _bounds.Resize(1, bounds.Length);
        _bounds.Set(bounds);
        return new Selection(SelectionKind.Threshold, Bounds: _bounds);
    }

    /// <summary>The value that k activations per row exceed on average.</summary>
    /// <param name="rows">The rows, in batches.</param>
    /// <param name="kept">How many of the largest activations per row of each batch to look at.</param>
    /// <param name="histogram">Room for the counts.</param>
    /// <returns>Null if a batch has so many of the activations above it that not all were looked at.</returns>
    private float? FindThreshold(IEnumerable<Batch> rows, int kept, ActivationHistogram histogram)
    {
        histogram.Clear();
        _calibrationK = kept;
        using var tape = new Tape(Device);
        float[] values = [];
        long count = 0;
        var floor = 0f;
        foreach (var batch in rows)
        {
            tape.Reset();
            var latents = Encode(tape, batch).Latents.Value;
            if (values.Length < latents.NonzeroCount)
            {
                values = new float[latents.NonzeroCount];
            }

            var activations = values.AsSpan(0, latents.NonzeroCount);
            latents.Values.CopyTo(activations);
            histogram.Add(activations);
            count += batch.Rows;
            if (kept < Config.Latents && activations.Length == (long)batch.Rows * kept)
            {
                floor = Math.Max(floor, latents.SmallestKept);
            }
        }

        return histogram.ThresholdFor(count * Config.K, floor);
    }

    private Scalar? AuxiliaryLoss(Tape tape, Tensor x, in Encoding encoding, Variable reconstruction, DeviceArray<int>? dead)
    {
        if (dead is null)
        {
            return null;
        }

        var selection = new Selection(SelectionKind.TopK, (int)Math.Min(Config.AuxK ?? DefaultAuxK, dead.Length));
        var latents = tape.Encode(encoding.Input, Encoder.Variable, Bias, DecoderBias.Variable, selection, dead);
        var decoded = tape.Decode(latents, Decoder.Variable, null);
        if (!Config.AuxDetach)
        {
            return tape.MeanSquaredError(decoded, tape.Subtract(x, reconstruction));
        }

        Device.LinearCombination(1, x, -1, reconstruction.Value, _residual);
        return tape.MeanSquaredError(decoded, _residual);
    }
}
