using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// TopK: pre = (x̂ − b_pre)·Wᵀ + b_latent with input layer norm always; the k largest pre of a row are kept, then ReLU'd;
/// recon = (z·W + b_pre)·σ + μ, tied, or with a decoder of its own.
/// loss = NMSE(recon, x) + aux_coef·NMSE(recon_aux, x − recon + b_pre) + mono_coef·MonoLoss(x, z); the target of the auxiliary
/// term carries no gradient, and recon_aux is decoded from the aux_k largest pre among dead latents.
/// </summary>
public sealed class TopK : SparseAutoencoder
{
    // Restarted latents begin at a tenth of the data's length.
    private const double RestartLength = 0.1;

    private readonly Parameter _encoder;
    private readonly Parameter _latentBias;
    private readonly Parameter? _ownDecoder;
    private readonly Parameter _preBias;
    private readonly SparseVariable _noLatents;
    private readonly Tensor _auxiliaryTarget;

    internal TopK(Device device, SaeConfig config)
        : base(device, config)
    {
        _encoder = new Parameter("W_enc", device.Tensor(config.Latents, config.Dimension), unitRows: !config.Untied);
        _latentBias = new Parameter("b_enc", device.Tensor(1, config.Latents));
        _preBias = new Parameter("b_dec", device.Tensor(1, config.Dimension));
        _noLatents = new SparseVariable(device.CsrMatrix());
        _auxiliaryTarget = device.Tensor(0, 0);
        if (config.Untied)
        {
            _ownDecoder = new Parameter("W_dec", device.Tensor(config.Latents, config.Dimension), unitRows: true, project: true);
            Parameters = [_encoder, _latentBias, _ownDecoder, _preBias];
        }
        else
        {
            Parameters = [_encoder, _latentBias, _preBias];
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    /// <inheritdoc/>
    public override double DefaultMaxGradientNorm => double.PositiveInfinity;

    private protected override bool MonoScoreSeesNormalized => false;

    private Parameter Decoder => _ownDecoder ?? _encoder;

    /// <summary>W uniform in ±1/√D, biases 0; the decoder's rows (the tied W, or a decoder drawn apart) are scaled to length 1.</summary>
    /// <param name="random">Where from.</param>
    public override void Initialize(Random random)
    {
        foreach (var parameter in new[] { _encoder, _ownDecoder }.OfType<Parameter>())
        {
            Initialization.Uniform(parameter.Value, 1 / Math.Sqrt(Config.Dimension), random);
        }

        Device.NormalizeRows(Decoder.Value);
    }

    /// <inheritdoc/>
    public override StepLoss Loss(Tape tape, Tensor x, int deadAfter, bool batchMonoLoss)
    {
        var encoding = Encode(tape, x);
        var reconstruction = Reconstruct(tape, encoding);
        UpdateStepsSinceFired(encoding.Latents.Value, fired: 1);
        var error = tape.NormalizedMeanSquaredError(reconstruction, x);
        var auxiliary = Config.AuxCoefficient > 0 ? AuxiliaryLoss(tape, x, encoding.Input, reconstruction, deadAfter) : null;
        var mono = MonoLossInputs(tape, encoding, batchMonoLoss);
        var total = tape.WeightedSum((error, 1), (auxiliary, Config.AuxCoefficient), (mono?.Loss, Config.MonoCoefficient));
        return new StepLoss(total, error, auxiliary, null, mono, tape.MeanActive(encoding.Latents));
    }

    /// <summary>
    /// Restarts the latents that have been silent for more than <paramref name="deadAfter"/> batches: encoder row (and the row of
    /// a decoder of its own) = 0.1 × a row of <paramref name="pool"/> scaled to unit length, drawn without replacement while
    /// that lasts; bias and counter 0; Adam's moments stay.
    /// </summary>
    /// <param name="deadAfter">n.</param>
    /// <param name="pool">B×D rows.</param>
    /// <param name="random">Draws the rows.</param>
    /// <returns>How many were restarted.</returns>
    public int RestartDead(int deadAfter, ReadOnlySpan<float> pool, Random random)
    {
        if (Silent(checked(deadAfter + 1)) is not { } dead)
        {
            return 0;
        }

        var d = Config.Dimension;
        var poolRows = pool.Length / d;
        var order = Enumerable.Range(0, poolRows).ToArray();
        var withReplacement = dead.Length > poolRows;
        if (!withReplacement)
        {
            random.Shuffle(order);
        }

        var row = new float[d];
        var latents = dead.ToArray();
        for (var i = 0; i < latents.Length; i++)
        {
            var source = pool.Slice((withReplacement ? random.Next(poolRows) : order[i]) * d, d);
            var norm = 0.0;
            foreach (var value in source)
            {
                norm += (double)value * value;
            }

            var scale = RestartLength / Math.Max(Math.Sqrt(norm), MonoScore.SmallestNorm);
            for (var j = 0; j < d; j++)
            {
                row[j] = (float)(source[j] * scale);
            }

            _encoder.Value.Data.CopyFrom(row, (long)latents[i] * d);
            _ownDecoder?.Value.Data.CopyFrom(row, (long)latents[i] * d);
            _latentBias.Value.Data.CopyFrom([0f], latents[i]);
            StepsSinceFired.CopyFrom([0], latents[i]);
        }

        return latents.Length;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _noLatents.Dispose();
        _auxiliaryTarget.Dispose();
    }

    private protected override SparseVariable EncodeInput(Tape tape, Tensor input) =>
        tape.Encode(input, _encoder.Variable, _latentBias.Variable, _preBias.Variable, new Selection(SelectionKind.TopK, Config.K));

    private protected override Variable DecodeLatents(Tape tape, SparseVariable latents) =>
        tape.Decode(latents, Decoder.Variable, _preBias.Variable);

    private Scalar AuxiliaryLoss(Tape tape, Tensor x, Tensor input, Variable reconstruction, int deadAfter)
    {
        SparseVariable latents;
        if (Silent(checked(deadAfter + 1)) is { } dead)
        {
            var selection = new Selection(SelectionKind.TopK, (int)Math.Min(Config.AuxK ?? Config.K, dead.Length));
            latents = tape.Encode(input, _encoder.Variable, _latentBias.Variable, _preBias.Variable, selection, dead);
        }
        else
        {
            // With nothing dead the term is still there: the decoder's bias alone answers for the error.
            _noLatents.ClearGradient();
            latents = _noLatents;
            latents.Value.Resize(x.Rows, Config.Latents, 0);
            latents.Value.RowOffsets.Clear();
        }

        // x − sg(recon) + sg(b_pre)
        Device.LinearCombination(1, x, -1, reconstruction.Value, _auxiliaryTarget);
        Device.AddRow(_auxiliaryTarget, 1, _preBias.Value, _auxiliaryTarget);
        return tape.NormalizedMeanSquaredError(ToInputScale(tape, DecodeLatents(tape, latents)), _auxiliaryTarget);
    }
}
