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

    /// <summary>b_enc, M.</summary>
    public float[] EncoderBias => _weights["b_enc"];

    /// <summary>W_dec, M×D.</summary>
    public float[] Decoder => _weights["W_dec"];

    /// <summary>b_dec, D.</summary>
    public float[] DecoderBias => _weights["b_dec"];

    /// <summary>The thresholds, M; null if the model has none.</summary>
    public float[]? Threshold => _weights.GetValueOrDefault("threshold");

    /// <summary>What a tool cannot be told in its own format, a sentence each.</summary>
    public List<string> Remarks { get; } = [];

    private int Dimension => Config.Dimension;

    private int Latents => Config.Latents;

    /// <summary>Copies a model to the host.</summary>
    public static PortableSae Of(SparseAutoencoder model)
    {
        var sae = new PortableSae(model.Config, model.Form);
        foreach (var stored in model.StoredTensors)
        {
            var values = stored.Parameter.Value.ToArray();
            sae._weights[stored.Name] = stored.ToFile is { } convert ? Array.ConvertAll(values, convert) : values;
        }

        foreach (var number in model.WeightNumbers)
        {
            var values = new float[model.Config.Latents];
            Array.Fill(values, (float)(number.Get() ?? throw new ConfigurationException(
                "the model has no threshold yet: it was not trained", nameof(SaeConfig.Architecture))));
            sae._weights[number.Name] = values;
        }

        return sae;
    }

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

            EncoderBias[m] = (float)(EncoderBias[m] + (sign * dot));
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

    /// <summary>A D×M or M×D matrix, transposed.</summary>
    /// <param name="values">M×D.</param>
    /// <returns>D×M.</returns>
    public float[] Transpose(float[] values)
    {
        var result = new float[values.Length];
        for (var m = 0; m < Latents; m++)
        {
            for (var d = 0; d < Dimension; d++)
            {
                result[((long)d * Latents) + m] = values[((long)m * Dimension) + d];
            }
        }

        return result;
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
            Remarks.Add("give it rows after layer norm, (x − mean)/(std + 1e-5) with the sample standard deviation, and undo that after it");
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
