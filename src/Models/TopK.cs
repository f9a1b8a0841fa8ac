using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// TopK (Gao et al. 2024, arXiv 2406.04093): pre = (x̂ − b_pre)·Wᵀ + b_latent, always with input layer norm; the k largest pre of a row are
/// kept, then ReLU'd; recon = (z·W + b_pre)·σ + μ, tied, or with a separate decoder.
/// loss = NMSE(recon, x) + aux_coef·NMSE(recon_aux, x − recon + b_pre) + mono_coef·MonoLoss(x, z); the target of the auxiliary term (AuxK,
/// same paper) carries no gradient, and recon_aux is decoded from the aux_k largest pre among dead latents.
/// </summary>
public sealed class TopK : SparseAutoencoder
{
    // Restarted latents begin at a tenth of the length of the data.
    private const double RestartLength = 0.1;

    // 64 MiB: the device has room for that, but not for a second decoder.
    private const int RestartedFloatsAtOnce = 1 << 24;

    // Every step restarts from a separate random sequence, so that a resumed run draws the same rows.
    private const int RestartSeedStride = 7919;

    private readonly Parameter _encoder;
    private readonly Parameter _latentBias;
    private readonly Parameter? _ownDecoder;
    private readonly Parameter _preBias;
    private readonly SparseVariable _noLatents;
    private readonly Tensor _auxiliaryTarget;
    private float[] _restartRows = [];

    internal TopK(Device device, SaeConfig config)
        : base(device, config)
    {
        _encoder = new Parameter("W_enc", device.Tensor(config.Latents, config.Dimension), unitRows: !config.Untied);
        _latentBias = new Parameter("b_enc", device.Tensor(1, config.Latents));
        _preBias = new Parameter("b_dec", device.Tensor(1, config.Dimension));
        _noLatents = new SparseVariable(device.CsrMatrix());
        _auxiliaryTarget = device.Tensor(0, 0);
        _ownDecoder = config.Untied
            ? new Parameter("W_dec", device.Tensor(config.Latents, config.Dimension), unitRows: true, project: true)
            : null;
        Parameters = _ownDecoder is null ? [_encoder, _latentBias, _preBias] : [_encoder, _latentBias, _ownDecoder, _preBias];
        StoredTensors =
        [
            new StoredTensor("W_enc", _encoder) { Transposed = true },
            new StoredTensor("b_enc", _latentBias) { Optional = true },
            new StoredTensor("W_dec", Decoder) { WriteOnly = _ownDecoder is null },
            new StoredTensor("b_dec", _preBias) { Optional = true },
        ];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override double DefaultMaxGradientNorm => double.PositiveInfinity;

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "topk",
        Create = (device, config) => new TopK(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = config.Untied ? 2 : 1,
            VectorElements = config.Dimension + config.Latents,
            Selection = SelectionKind.TopK,
            ActivePerRow = config.K,
            AuxiliaryPerRow = config.AuxCoefficient > 0 ? config.AuxK ?? config.K : 0,
            AuxiliaryMatrices = 6,
        },
        SelectsK = true,
        CanBeUntied = true,
        RestartsDead = true,
        AlwaysNormalizes = true,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredTensor> StoredTensors { get; }

    /// <inheritdoc/>
    internal override ImportedForm Form => new()
    {
        Tool = "monoloss",
        Rule = ActivationRule.TopK,
        Normalization = Config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
        SubtractsDecoderBias = true,
    };

    private protected override bool ComparesNormalizedRows => false;

    private protected override int StepsAfterFiring => 1;

    private Parameter Decoder => _ownDecoder ?? _encoder;

    /// <summary>
    /// Draws W uniformly in ±1/√D, as PyTorch's Linear does; biases are 0. The decoder's rows (the tied W, or a separately drawn decoder)
    /// are scaled to length 1.
    /// </summary>
    /// <param name="random">The source of random numbers.</param>
    public override void Initialize(Random random)
    {
        foreach (var parameter in new[] { _encoder, _ownDecoder }.OfType<Parameter>())
        {
            Initialization.Uniform(parameter.Value, 1 / Math.Sqrt(Config.Dimension), random);
        }

        Device.NormalizeRows(Decoder.Value);
    }

    /// <summary>Keeps the first batch to restart dead latents from, if they are restarted.</summary>
    /// <param name="options">The settings of the steps to come.</param>
    /// <param name="firstBatch">Draws the first training batch.</param>
    public override void BeforeTraining(StepOptions options, Func<float[]> firstBatch) =>
        _restartRows = options.DeadCheckInterval > 0 ? firstBatch() : [];

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss)
    {
        var reconstruction = Reconstruct(tape, encoding);
        var error = tape.NormalizedMeanSquaredError(reconstruction, x);
        var auxiliary = Config.AuxCoefficient > 0 ? AuxiliaryLoss(tape, x, encoding, reconstruction, dead) : null;
        var mono = MonoLoss(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (auxiliary, Config.AuxCoefficient), (mono?.Loss, Scheduled.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, null, mono, tape.MeanActive(encoding.Latents));
    }

    /// <summary>Restarts dead latents every <see cref="StepOptions.DeadCheckInterval"/> steps, after the first step.</summary>
    /// <param name="step">The step that was made.</param>
    public override void AfterStep(in CompletedStep step)
    {
        var options = step.Options;
        if (options.DeadCheckInterval > 0 && step.Step > 1 && (step.Step - 1) % options.DeadCheckInterval == 0)
        {
            // System.HashCode would differ from process to process.
            var seed = unchecked((int)((options.Seed * 31) + (step.Step * RestartSeedStride)));
            RestartDead(options.DeadAfterBatches, _restartRows, new Random(seed));
        }
    }

    /// <summary>
    /// Restarts the latents that have not fired for more than n batches: the encoder's row (and that of a separate decoder) becomes
    /// 0.1 × a row of <paramref name="pool"/> scaled to unit length, drawn without replacement if there are enough rows; bias and counter
    /// become 0; Adam's moments stay.
    /// </summary>
    /// <param name="deadAfter">n.</param>
    /// <param name="pool">B×D values in rows.</param>
    /// <param name="random">Draws the rows.</param>
    /// <returns>The number of restarted latents.</returns>
    /// <exception cref="ArgumentException">There are dead latents, but no row in the pool.</exception>
    public int RestartDead(int deadAfter, ReadOnlySpan<float> pool, Random random)
    {
        if (FindDead(checked(deadAfter + 1)) is not { } dead)
        {
            return 0;
        }

        var d = Config.Dimension;
        var poolRows = pool.Length / d;
        if (poolRows == 0)
        {
            throw new ArgumentException("no row to restart latents from", nameof(pool));
        }

        var order = Enumerable.Range(0, poolRows).ToArray();
        var withReplacement = dead.Length > poolRows;
        if (!withReplacement)
        {
            random.Shuffle(order);
        }

        var latents = dead.ToArray();
        var biases = _latentBias.Value.ToArray();
        var counters = StepsSinceFired.ToArray();
        using var restarted = Device.Tensor(0, 0);
        var rowsAtOnce = Math.Max(1, RestartedFloatsAtOnce / d);
        for (var first = 0; first < latents.Length; first += rowsAtOnce)
        {
            var rows = new float[Math.Min(rowsAtOnce, latents.Length - first) * d];
            for (var i = 0; i < rows.Length / d; i++)
            {
                Restart(pool.Slice((withReplacement ? random.Next(poolRows) : order[first + i]) * d, d), rows.AsSpan(i * d, d));
                (biases[latents[first + i]], counters[latents[first + i]]) = (0, 0);
            }

            restarted.Resize(rows.Length / d, d);
            restarted.Set(rows);
            using var list = dead.Slice(first, rows.Length / d);
            Device.ScatterRows(restarted, list, _encoder.Value);
            if (_ownDecoder is not null)
            {
                Device.ScatterRows(restarted, list, _ownDecoder.Value);
            }
        }

        _latentBias.Value.Set(biases);
        StepsSinceFired.CopyFrom(counters);
        return latents.Length;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _noLatents.Dispose();
        _auxiliaryTarget.Dispose();
    }

    private protected override int? AuxiliaryDeadSteps(int deadAfter) => Config.AuxCoefficient > 0 ? checked(deadAfter + 1) : null;

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input)
    {
        var selection = new Selection(SelectionKind.TopK, Scheduled.K);
        return new(tape.Encode(input, _encoder.Variable, _latentBias.Variable, _preBias.Variable, selection));
    }

    private protected override Variable DecodeLatents(Tape tape, SparseVariable latents) =>
        tape.Decode(latents, Decoder.Variable, _preBias.Variable);

    private static void Restart(ReadOnlySpan<float> source, Span<float> row)
    {
        var norm = 0.0;
        foreach (var value in source)
        {
            norm += (double)value * value;
        }

        var scale = RestartLength / Math.Max(Math.Sqrt(norm), MonoScore.SmallestNorm);
        for (var j = 0; j < row.Length; j++)
        {
            row[j] = (float)(source[j] * scale);
        }
    }

    private Scalar AuxiliaryLoss(Tape tape, Tensor x, in Encoding encoding, Variable reconstruction, DeviceArray<int>? dead)
    {
        SparseVariable latents;
        if (dead is not null)
        {
            var selection = new Selection(SelectionKind.TopK, (int)Math.Min(Config.AuxK ?? Config.K, dead.Length));
            latents = tape.Encode(encoding.Input, _encoder.Variable, _latentBias.Variable, _preBias.Variable, selection, dead);
        }
        else
        {
            // Without dead latents the term remains: the decoder's bias alone accounts for the error.
            _noLatents.ClearGradient();
            latents = _noLatents;
            latents.Value.Resize(x.Rows, Config.Latents, 0);
            latents.Value.RowOffsets.Clear();
        }

        // x − sg(recon) + sg(b_pre)
        Device.LinearCombination(1, x, -1, reconstruction.Value, _auxiliaryTarget);
        Device.AddRow(_auxiliaryTarget, 1, _preBias.Value, _auxiliaryTarget);
        return tape.NormalizedMeanSquaredError(ToInputScale(tape, DecodeLatents(tape, latents), encoding), _auxiliaryTarget);
    }
}
