using MonoLoss.Autodiff;
using MonoLoss.Kernels;

namespace MonoLoss.Models;

/// <summary>
/// An autoencoder of another tool, as that tool computes it: z = act((norm(c·x) − [b_dec])·W_enc + b_enc), recon = undo(z·W_dec + b_dec),
/// where <see cref="SaeConfig.Imported"/> says what norm and act are. It encodes and decodes but is not trained: its weights can start the
/// training of another architecture.
/// </summary>
public sealed class Imported : SparseAutoencoder
{
    private readonly ImportedForm _form;
    private readonly Parameter _encoder;
    private readonly Parameter _encoderBias;
    private readonly Parameter _decoder;
    private readonly Parameter _decoderBias;
    private readonly Parameter? _threshold;
    private readonly Parameter? _gateScale;
    private readonly Parameter? _magBias;
    private readonly SparseVariable _selected;
    private readonly Tensor _centered;
    private readonly Tensor _preActivations;
    private readonly DeviceArray<double> _norms;

    internal Imported(Device device, SaeConfig config)
        : base(device, config)
    {
        _form = config.Imported
            ?? throw new ConfigurationException("an imported autoencoder needs Imported", nameof(SaeConfig.Imported));
        _encoder = new Parameter("W_enc", device.Tensor(config.Latents, config.Dimension));
        var isGated = Form.Rule == ActivationRule.Gated;
        _encoderBias = new Parameter(isGated ? "b_gate" : "b_enc", device.Tensor(1, config.Latents));
        _gateScale = isGated ? new Parameter("r_mag", device.Tensor(1, config.Latents)) : null;
        _magBias = isGated ? new Parameter("b_mag", device.Tensor(1, config.Latents)) : null;
        _decoder = new Parameter("W_dec", device.Tensor(config.Latents, config.Dimension));
        _decoderBias = new Parameter("b_dec", device.Tensor(1, config.Dimension));
        _threshold = Form.Rule is ActivationRule.Threshold or ActivationRule.BatchTopK
            ? new Parameter("threshold", device.Tensor(1, config.Latents))
            : null;
        Parameter[] vectors = [.. new[] { _threshold, _gateScale, _magBias }.OfType<Parameter>()];
        Parameters = [_encoder, _encoderBias, _decoder, _decoderBias, .. vectors];
        StoredTensors =
        [
            new StoredTensor("W_enc", _encoder) { Transposed = true },
            new StoredTensor(_encoderBias.Name, _encoderBias),
            new StoredTensor("W_dec", _decoder),
            new StoredTensor("b_dec", _decoderBias),
            .. vectors.Select(vector => new StoredTensor(vector.Name, vector)),
        ];
        _selected = new SparseVariable(device.CsrMatrix());
        _centered = device.Tensor(0, 0);
        _preActivations = device.Tensor(0, 0);
        _norms = device.Allocate<double>(0);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters { get; }

    internal static ArchitectureTraits Traits { get; } = new()
    {
        Name = "imported",
        Create = (device, config) => new Imported(device, config),
        Footprint = config => new ModelFootprint
        {
            WeightMatrices = 2,
            VectorElements = config.Dimension + (2L * config.Latents),
            Selection = SelectionKind.Threshold,
            ActivePerRow = config.Latents / 2.0,
        },
        IsTrained = false,
    };

    /// <inheritdoc/>
    internal override IReadOnlyList<StoredTensor> StoredTensors { get; }

    /// <inheritdoc/>
    internal override ImportedForm Form => _form;

    /// <inheritdoc/>
    public override bool SelectsFromBatch => Form.Rule == ActivationRule.BatchTopK;

    /// <summary>An imported autoencoder gets its weights from a file.</summary>
    /// <param name="random">Not used.</param>
    /// <exception cref="ConfigurationException">Always.</exception>
    public override void Initialize(Random random) => throw NotTrained();

    /// <summary>An imported autoencoder has no loss.</summary>
    /// <inheritdoc/>
    /// <exception cref="ConfigurationException">Always.</exception>
    public override StepLoss Loss(Tape tape, Tensor x, in Encoding encoding, DeviceArray<int>? dead, bool batchMonoLoss) =>
        throw NotTrained();

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _selected.Dispose();
        _centered.Dispose();
        _preActivations.Dispose();
        _norms.Dispose();
    }

    private protected override bool NormalizeInput(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
    {
        var scale = (float)Form.InputScale;
        switch (Form.Normalization)
        {
            case InputNormalization.LayerNorm:
                Device.LayerNorm(Scaled(x, scale, normalized), normalized, mean, deviation);
                break;
            case InputNormalization.ConstantNorm:
                NormalizeLength(x, normalized, mean, deviation);
                break;
            default:
                if (scale == 1)
                {
                    return false;
                }

                Scaled(x, scale, normalized);
                Fill(mean, x.Rows, 0);
                Fill(deviation, x.Rows, 1);
                break;
        }

        if (scale != 1 && Form.Normalization != InputNormalization.ConstantNorm)
        {
            Device.LinearCombination(1 / scale, mean, 0, mean, mean);
            Device.LinearCombination(1 / scale, deviation, 0, deviation, deviation);
        }

        return true;
    }

    private protected override EncodedInput EncodeInput(Tape tape, Tensor input)
    {
        var center = Form.SubtractsDecoderBias ? _decoderBias : null;
        var latents = Form.Rule switch
        {
            ActivationRule.ReLU => Encode(new Selection(SelectionKind.Threshold)),
            ActivationRule.BatchTopK when !SelectsByThreshold => Encode(new Selection(SelectionKind.BatchTopK, Config.K)),
            ActivationRule.Threshold or ActivationRule.BatchTopK =>
                Encode(new Selection(SelectionKind.Threshold, Bounds: _threshold!.Value)),
            ActivationRule.Gated => tape.Gate(
                Encode(new Selection(SelectionKind.Threshold)), _gateScale!.Variable, _encoderBias.Variable, _magBias!.Variable),
            ActivationRule.TopK => Encode(new Selection(SelectionKind.TopK, Config.K)),
            _ => SelectOnHost(input, center),
        };
        return new(latents);

        SparseVariable Encode(in Selection selection) =>
            tape.Encode(input, _encoder.Variable, _encoderBias.Variable, center?.Variable, selection);
    }

    private protected override Variable DecodeLatents(Tape tape, SparseVariable latents) =>
        tape.Decode(latents, _decoder.Variable, _decoderBias.Variable);

    private static ConfigurationException NotTrained() => new(
        "an imported autoencoder is not trained: choose an Architecture and start from its weights",
        nameof(SaeConfig.Architecture));

    private Tensor Scaled(Tensor x, float scale, Tensor target)
    {
        if (scale == 1)
        {
            return x;
        }

        Device.LinearCombination(scale, x, 0, x, target);
        return target;
    }

    private static void Fill(Tensor target, int count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        target.Resize(1, count);
        target.Set(values);
    }

    /// <summary>Scales rows to length √D. A row of zeros stays one; SAELens makes it NaN.</summary>
    private void NormalizeLength(Tensor x, Tensor normalized, Tensor mean, Tensor deviation)
    {
        Device.RowNorms(x, _norms);
        var root = Math.Sqrt(x.Columns);
        var norms = _norms.ToArray();
        var factors = Array.ConvertAll(norms, norm => (float)(root / norm));
        deviation.Resize(1, x.Rows);
        deviation.Set(factors);
        Device.ScaleRows(x, deviation, null, normalized);
        deviation.Set(Array.ConvertAll(norms, norm => (float)(norm / root)));
        Fill(mean, x.Rows, 0);
    }

    /// <summary>Rules that no encoder of the devices has: the pre-activations are formed whole, and selected from on the host.</summary>
    private SparseVariable SelectOnHost(Tensor input, Parameter? center)
    {
        if (center is not null)
        {
            Device.AddRow(input, -1, center.Value, _centered);
            input = _centered;
        }

        _preActivations.Resize(input.Rows, Config.Latents);
        Device.Gemm(false, true, 1, input, _encoder.Value, 0, _preActivations, _encoderBias.Value);
        var pre = _preActivations.ToArray();
        var m = Config.Latents;
        var rows = new int[input.Rows][];
        Parallel.For(0, rows.Length, row => rows[row] = Select(pre.AsSpan(row * m, m)));
        var offsets = new int[rows.Length + 1];
        var indices = new List<int>();
        var values = new List<float>();
        for (var row = 0; row < rows.Length; row++)
        {
            foreach (var latent in rows[row])
            {
                indices.Add(latent);
                values.Add(pre[(row * m) + latent]);
            }

            offsets[row + 1] = indices.Count;
        }

        var latents = _selected.Value;
        latents.Resize(rows.Length, m, indices.Count);
        latents.RowOffsets.CopyFrom(offsets);
        latents.Indices.CopyFrom(indices.ToArray());
        latents.Values.CopyFrom(values.ToArray());
        return _selected;
    }

    /// <summary>The selected latents of a row, ascending; of equal values the lowest latent.</summary>
    private int[] Select(ReadOnlySpan<float> pre)
    {
        if (Form.Rule == ActivationRule.GroupMax)
        {
            var width = pre.Length / Config.K;
            var largest = new List<int>();
            for (var start = 0; start < width * Config.K; start += width)
            {
                var best = start;
                for (var i = start + 1; i < start + width; i++)
                {
                    best = pre[i] > pre[best] ? i : best;
                }

                if (pre[best] > 0)
                {
                    largest.Add(best);
                }
            }

            return [.. largest];
        }

        var values = pre.ToArray();
        var order = Enumerable.Range(0, values.Length).ToArray();
        // A stable sort: equal values stay in the order of the latents.
        return [.. order.OrderByDescending(i => values[i]).Take(Config.K).Where(i => values[i] != 0).Order()];
    }
}
