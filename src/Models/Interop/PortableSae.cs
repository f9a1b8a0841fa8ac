using MonoLoss.Autodiff;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// An autoencoder on its way to another tool: its weights on the host, what is computed from them, and what was said about it. Every change
/// of the weights keeps what is computed.
/// </summary>
internal sealed class PortableSae
{
    private readonly Dictionary<string, float[]> _weights = [];

    private PortableSae(SaeConfig config, ImportedForm form) => (Config, Form) = (config, form);

    /// <summary>The configuration of the model.</summary>
    public SaeConfig Config { get; }

    /// <summary>What is computed from the weights.</summary>
    public ImportedForm Form { get; private set; }

    /// <summary>W_enc, M×D.</summary>
    public float[] Encoder => _weights["W_enc"];

    /// <summary>b_enc, M; a gated autoencoder has b_gate, r_mag and b_mag instead (<see cref="Vector"/>).</summary>
    public float[] EncoderBias => _weights["b_enc"];

    /// <summary>W_dec, M×D.</summary>
    public float[] Decoder => _weights["W_dec"];

    /// <summary>b_dec, D.</summary>
    public float[] DecoderBias => _weights["b_dec"];

    /// <summary>The thresholds, M; null if the model has none.</summary>
    public float[]? Threshold => _weights.GetValueOrDefault("threshold");

    /// <summary>A further parameter with one value per latent.</summary>
    public float[] Vector(string name) => _weights[name];

    /// <summary>What a tool cannot be told in its own format, a sentence each.</summary>
    public List<string> Remarks { get; } = [];

    /// <summary>The logarithms of the thresholds as the model has them; null if it has none.</summary>
    public float[]? LogThreshold { get; private set; }

    private int Dimension => Config.Dimension;

    private int Latents => Config.Latents;

    /// <summary>Copies a model to the host.</summary>
    public static PortableSae Of(SparseAutoencoder model) =>
        Of(model, model.Parameters.ToDictionary(parameter => parameter, parameter => parameter.Value.ToArray()));

    /// <summary>Copies a model whose parameters are on the host already.</summary>
    /// <param name="model">The model.</param>
    /// <param name="values">The values of its parameters, which stay as they are.</param>
    public static PortableSae Of(SparseAutoencoder model, IReadOnlyDictionary<Parameter, float[]> values)
    {
        var sae = new PortableSae(model.Config, model.Form);
        foreach (var stored in model.StoredTensors)
        {
            var value = values[stored.Parameter];
            sae.LogThreshold = stored.Parameter.Name == "log_threshold" ? [.. value] : sae.LogThreshold;
            sae._weights[stored.Name] = stored.ToFile is { } convert ? Array.ConvertAll(value, convert) : [.. value];
        }

        foreach (var number in model.WeightNumbers)
        {
            var vector = new float[model.Config.Latents];
            Array.Fill(vector, (float)(number.Get() ?? 0));
            sae._weights[number.Name] = vector;
        }

        return sae;
    }

    /// <summary>Copies a foreign autoencoder.</summary>
    public static PortableSae Of(ForeignSae foreign)
    {
        var sae = new PortableSae(foreign.Config, foreign.Form);
        foreach (var (name, value) in foreign.Weights)
        {
            sae._weights[name] = [.. value];
        }

        // A tied decoder is the encoder.
        sae._weights.TryAdd("W_dec", [.. sae.Encoder]);
        return sae;
    }

    /// <summary>What <see cref="FoldForRawRows"/> makes of a model's form.</summary>
    /// <param name="form">What the model computes.</param>
    /// <param name="unitRows">Whether it is given rows of unit length.</param>
    public static ImportedForm RawForm(ImportedForm form, bool unitRows) => form with
    {
        InputScale = 1,
        Normalization = unitRows && form.Normalization == InputNormalization.None ? InputNormalization.ConstantNorm : form.Normalization,
    };

    /// <summary>The one threshold of all latents; null if they differ or there is none.</summary>
    public float? CommonThreshold => Threshold is [var first, ..] all && Array.TrueForAll(all, value => value == first) ? first : null;

    /// <summary>Moves b_dec in or out of the encoder's bias: (x − b_dec)·W_enc + b = x·W_enc + (b − b_dec·W_enc).</summary>
    /// <param name="subtracts">Whether b_dec shall be subtracted from the row.</param>
    public void Center(bool subtracts)
    {
        if (Form.SubtractsDecoderBias == subtracts)
        {
            return;
        }

        var sign = subtracts ? 1 : -1;
        for (var m = 0; m < Latents; m++)
        {
            var dot = 0.0;
            for (var d = 0; d < Dimension; d++)
            {
                dot += (double)Encoder[((long)m * Dimension) + d] * DecoderBias[d];
            }

            if (Form.Rule == ActivationRule.Gated)
            {
                var (gateBias, magBias) = (Vector("b_gate"), Vector("b_mag"));
                gateBias[m] = (float)(gateBias[m] + (sign * dot));
                magBias[m] = (float)(magBias[m] + (sign * Math.Exp(Vector("r_mag")[m]) * dot));
            }
            else
            {
                EncoderBias[m] = (float)(EncoderBias[m] + (sign * dot));
            }
        }

        Form = Form with { SubtractsDecoderBias = subtracts };
    }

    /// <summary>Folds the factor by which rows are multiplied first: W_enc·c, W_dec/c, b_dec/c.</summary>
    public void FoldInputScale()
    {
        if (Form.InputScale == 1)
        {
            return;
        }

        Scale(Encoder, Form.InputScale);
        Scale(Decoder, 1 / Form.InputScale);
        Scale(DecoderBias, 1 / Form.InputScale);
        Form = Form with { InputScale = 1 };
    }

    /// <summary>Changes the weights so that they are right for rows as they are, in the words of SAELens' formats.</summary>
    public void FoldForRawRows()
    {
        FoldInputScale();
        if (Config.UnitRows && Form.Normalization == InputNormalization.None)
        {
            FoldUnitRows();
        }
    }

    /// <summary>
    /// Turns a model of unit rows u = x/‖x‖ into one of rows of length √D: W_enc/√D, √D·W_dec, √D·b_dec; latents stay the same, and
    /// reconstructions are undone to the scale of x.
    /// </summary>
    public void FoldUnitRows()
    {
        var root = Math.Sqrt(Dimension);
        Scale(Encoder, 1 / root);
        Scale(Decoder, root);
        Scale(DecoderBias, root);
        Form = Form with { Normalization = InputNormalization.ConstantNorm };
    }

    /// <summary>The inverse of <see cref="FoldUnitRows"/>.</summary>
    private void UnfoldUnitRows()
    {
        var root = Math.Sqrt(Dimension);
        Scale(Encoder, root);
        Scale(Decoder, 1 / root);
        Scale(DecoderBias, 1 / root);
        Form = Form with { Normalization = InputNormalization.None };
    }

    /// <summary>Gives a model these weights, after folding what it computes differently.</summary>
    /// <param name="model">The model: of the same sizes and the same kind of rows.</param>
    /// <param name="source">Where the weights are from, for messages.</param>
    /// <exception cref="DataException">The model cannot have them.</exception>
    public void CopyTo(SparseAutoencoder model, string source)
    {
        FoldInputScale();
        var form = model.Form;
        if (Form.Normalization == InputNormalization.ConstantNorm && form.Normalization == InputNormalization.None && model.Config.UnitRows)
        {
            UnfoldUnitRows();
        }

        if (Form.Normalization != form.Normalization)
        {
            throw new DataException(
                $"{source}: its input normalization is {Form.Normalization}, that of {model.Config.Architecture.Name()} "
                    + $"{form.Normalization}");
        }

        Center(form.SubtractsDecoderBias);
        if (form.Rule == ActivationRule.Gated && Form.Rule == ActivationRule.ReLU)
        {
            // A gate that is open where its magnitude is positive: a ReLU.
            (_weights["b_gate"], _weights["r_mag"], _weights["b_mag"]) = (EncoderBias, new float[Latents], EncoderBias);
        }

        if (model is BatchTopK { Config.EncoderBias: false } && _weights.TryGetValue("b_enc", out var encoderBias)
            && Array.Exists(encoderBias, bias => bias != 0))
        {
            throw new DataException($"{source}: has an encoder bias, but the model is without EncoderBias");
        }

        foreach (var stored in model.StoredTensors)
        {
            if (!_weights.TryGetValue(stored.Name, out var values))
            {
                throw new DataException($"{source}: has no {stored.Name}, which {model.Config.Architecture.Name()} needs");
            }

            if (stored.WriteOnly)
            {
                if (!values.AsSpan().SequenceEqual(Encoder))
                {
                    throw new DataException($"{source}: its decoder is not its encoder, so the model must be untied");
                }

                continue;
            }

            stored.Parameter.Value.Set(stored.FromFile is { } convert ? Array.ConvertAll(values, convert) : values);
        }

        foreach (var number in model.WeightNumbers.Where(_ => CommonThreshold is not null))
        {
            number.Set(CommonThreshold!.Value);
        }
    }

    /// <summary>Moves the length of every decoder row to its activation, unless all are 1 to 1e-5.</summary>
    public void ScaleDecoderToUnit()
    {
        var weights = new ForeignWeights(string.Empty, Dimension, Latents);
        foreach (var (name, values) in _weights)
        {
            weights[name] = values;
        }

        if (Array.Exists(weights.DecoderNorms(), norm => Math.Abs(norm - 1) > 1e-5))
        {
            weights.FoldDecoderNorms();
            Remarks.Add("activations are multiplied by the lengths of the decoder's rows, which become 1");
        }
    }

    /// <summary>Notes what rows the tool must be given, where its format has no word for it.</summary>
    public void RemarkOnRows()
    {
        if (Config.UnitRows)
        {
            Remarks.Add("give it rows of unit length: x/(‖x‖ + 1e-8)");
        }

        if (Form.Normalization == InputNormalization.LayerNorm)
        {
            Remarks.Add(
                "give it rows after layer norm, (x − mean)/(std + 1e-5) with the sample standard deviation, and undo that after it");
        }
        else if (Form.Normalization == InputNormalization.ConstantNorm)
        {
            Remarks.Add("give it rows of length √D: x·√D/‖x‖, and undo that after it");
        }
    }

    private static void Scale(float[] values, double factor)
    {
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(values[i] * factor);
        }
    }
}
