using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// A model as SAELens stores it, so that its tools load the autoencoder and give its latents for rows as they are: cfg.json, and
/// sae_weights.safetensors with W_enc D×M, b_enc, W_dec M×D, b_dec, the threshold of JumpReLU or
/// BatchTopK, and in place of b_enc Gated's b_gate, r_mag and b_mag.
/// </summary>
/// <remarks>
/// Our models of unit rows u = x/‖x‖ become SAELens' <c>constant_norm_rescale</c>, which encodes √D·u and undoes that scale on the
/// reconstruction: W_enc/√D, √D·W_dec, √D·b_dec. Latents stay the same.
/// </remarks>
internal static class SaeLensFormat
{
    /// <summary>The entry of cfg.json that says how rows are scaled.</summary>
    public const string Normalization = "normalize_activations";

    /// <summary>What <see cref="Normalization"/> is for models of rows of the same length.</summary>
    public const string ConstantNorm = "constant_norm_rescale";

    /// <summary>The entry that has the ends of a Matryoshka model's groups.</summary>
    public const string Widths = "matryoshka_widths";

    /// <summary>The entry of the metadata that has settings of the training that inference does not need.</summary>
    public const string TrainingDetails = "training_architecture_details";

    // From this version on SAELens keeps metadata; an older or missing one makes it take the file for one of an old layout.
    private const string LayoutVersion = "6.54.12";

    /// <summary>The entries of cfg.json.</summary>
    /// <param name="form">What the stored weights compute for rows as they are (<see cref="PortableSae.RawForm"/>).</param>
    /// <param name="config">The configuration of the model.</param>
    /// <param name="metadata">What SAELens shall keep about it.</param>
    public static JsonObject Config(ImportedForm form, SaeConfig config, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var json = new JsonObject
        {
            ["architecture"] = form.Rule switch
            {
                ActivationRule.ReLU => "standard",
                ActivationRule.TopK => "topk",
                ActivationRule.Threshold or ActivationRule.BatchTopK => "jumprelu",
                ActivationRule.Gated => "gated",
                // SAELens has no such autoencoder, and says so by this name.
                ActivationRule.GroupMax => "groupmax",
                _ => "signed_topk",
            },
            ["d_in"] = config.Dimension,
            ["d_sae"] = config.Latents,
            ["dtype"] = "float32",
            ["device"] = "cpu",
            ["apply_b_dec_to_input"] = form.SubtractsDecoderBias,
            [Normalization] = form.Normalization switch
            {
                InputNormalization.LayerNorm => "layer_norm",
                InputNormalization.ConstantNorm => ConstantNorm,
                _ => "none",
            },
            ["reshape_activations"] = "none",
        };
        if (form.Rule == ActivationRule.TopK)
        {
            json["k"] = config.K;
            json["rescale_acts_by_decoder_norm"] = false;
        }

        var kept = new JsonObject { ["sae_lens_version"] = LayoutVersion, ["sae_lens_training_version"] = null };
        foreach (var (name, value) in metadata)
        {
            kept[name] = value?.DeepClone();
        }

        if (form.GroupSizes is { } sizes)
        {
            // As SAELens saves one for inference: by the threshold it is a JumpReLU, whatever its groups were.
            kept["training_architecture"] = "matryoshka_batchtopk";
            kept[TrainingDetails] = new JsonObject
            {
                ["k"] = config.K,
                [Widths] = new JsonArray([.. sizes.Select((_, g) => JsonValue.Create(sizes.Take(g + 1).Sum()))]),
            };
        }

        json["metadata"] = kept;
        return json;
    }

    /// <summary>The tensors of sae_weights.safetensors.</summary>
    /// <param name="sae">The autoencoder of rows as they are (<see cref="PortableSae.FoldForRawRows"/>).</param>
    public static List<SafeTensor> Tensors(PortableSae sae)
    {
        long m = sae.Config.Latents, d = sae.Config.Dimension;
        List<SafeTensor> tensors =
        [
            SafeTensor.Create("W_enc", [d, m], Transpose(sae.Encoder, sae.Config.Latents, sae.Config.Dimension)),
            SafeTensor.Create("W_dec", [m, d], sae.Decoder),
            SafeTensor.Create("b_dec", [d], sae.DecoderBias),
        ];
        string[] vectors = sae.Form.Rule == ActivationRule.Gated ? ["b_gate", "r_mag", "b_mag"] : ["b_enc"];
        tensors.InsertRange(1, vectors.Select(name => SafeTensor.Create(name, [m], sae.Vector(name))));
        if (sae.Threshold is { } threshold)
        {
            tensors.Add(SafeTensor.Create("threshold", [m], threshold));
        }

        return tensors;
    }

    /// <summary>
    /// Fills a model from sae_weights.safetensors, as the tensors are. Biases that are missing stay 0; a tied TopK reads W_enc alone.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model, which decides what is read.</param>
    /// <exception cref="DataException">
    /// The file is missing or damaged, a shape does not fit the model, or a value is not finite or not a threshold.
    /// </exception>
    public static void ReadWeights(string path, SparseAutoencoder model)
    {
        using var file = SafetensorsFile.Open(path);
        foreach (var stored in model.StoredTensors.Where(stored => !stored.WriteOnly))
        {
            var target = stored.Parameter.Value;
            // Training checkpoints of SAELens have JumpReLU's log_threshold itself.
            if (stored is { FromFile: { } fromFile, ToFile: { } toFile } && file.Contains(stored.Parameter.Name))
            {
                var values = Read(file, stored.Parameter.Name, [target.Count], float.NegativeInfinity);
                target.Set(Array.ConvertAll(values, value => float.IsFinite(value) ? value : fromFile(toFile(value))));
            }
            else if (!stored.Optional || file.Contains(stored.Name))
            {
                var values = Read(file, stored.Name, stored.Shape, stored.Least);
                values = stored.Transposed ? Transpose(values, target.Columns, target.Rows) : values;
                target.Set(stored.FromFile is { } convert ? Array.ConvertAll(values, convert) : values);
            }
        }

        foreach (var number in model.WeightNumbers.Where(number => file.Contains(number.Name)))
        {
            number.Set(Read(file, number.Name, [model.Config.Latents], 0)[0]);
        }
    }

    /// <summary>Reads a tensor whose values must be finite and not below the least, which may be −∞.</summary>
    private static float[] Read(SafetensorsFile file, string name, long[] shape, float least)
    {
        file.Find(name, shape);
        var values = file.ReadFloats(name);
        for (var i = 0L; i < values.LongLength; i++)
        {
            // The comparison is false for NaN.
            if (!(values[i] >= least && values[i] <= float.MaxValue))
            {
                var index = shape.Length == 1 ? $"{i}" : $"{i / shape[1]}, {i % shape[1]}";
                throw new DataException(FormattableString.Invariant(
                    $"{file.Path}: tensor '{name}', element [{index}]: found {values[i]}, expected ")
                    + (least == 0 ? "a finite value, 0 or more" : "a finite value"));
            }
        }

        return values;
    }

    /// <summary>Transposes a matrix of the given rows and columns.</summary>
    public static float[] Transpose(float[] values, int rows, int columns)
    {
        // In blocks, so that neither side touches a different cache line for every element.
        const int Block = 32;
        var result = new float[values.Length];
        for (var i0 = 0; i0 < rows; i0 += Block)
        {
            for (var j0 = 0; j0 < columns; j0 += Block)
            {
                for (var i = i0; i < Math.Min(i0 + Block, rows); i++)
                {
                    for (var j = j0; j < Math.Min(j0 + Block, columns); j++)
                    {
                        result[((long)j * rows) + i] = values[((long)i * columns) + j];
                    }
                }
            }
        }

        return result;
    }
}
