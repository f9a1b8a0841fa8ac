using System.Text.Json.Nodes;
using MonoLoss.Autodiff;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// A model as SAELens stores it, so that its tools load the autoencoder as it is: cfg.json, and sae_weights.safetensors with W_enc D×M,
/// b_enc, W_dec M×D, b_dec, and the threshold of JumpReLU or BatchTopK. What differs between architectures the model says itself.
/// </summary>
internal static class SaeLensFormat
{
    /// <summary>The entries of cfg.json.</summary>
    /// <param name="model">The model.</param>
    public static JsonObject Config(SparseAutoencoder model)
    {
        var json = new JsonObject
        {
            ["architecture"] = model.SaeLensArchitecture,
            ["d_in"] = model.Config.Dimension,
            ["d_sae"] = model.Config.Latents,
            ["dtype"] = "float32",
            ["device"] = "cpu",
            ["apply_b_dec_to_input"] = model.CentersInput,
            ["normalize_activations"] = model.Config.NormalizesInput ? "layer_norm" : "none",
            ["reshape_activations"] = "none",
        };
        foreach (var (name, value) in model.SaeLensSettings)
        {
            json[name] = value;
        }

        json["metadata"] = new JsonObject();
        return json;
    }

    /// <summary>Writes sae_weights.safetensors.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <param name="values">The values of its parameters.</param>
    public static void WriteWeights(string path, SparseAutoencoder model, IReadOnlyDictionary<Parameter, float[]> values)
    {
        var tensors = new List<SafeTensor>();
        foreach (var stored in model.StoredTensors)
        {
            var value = values[stored.Parameter];
            value = stored.Transposed ? Transpose(value, stored.Parameter.Value.Rows, stored.Parameter.Value.Columns) : value;
            tensors.Add(SafeTensor.Create(
                stored.Name, stored.Shape, stored.ToFile is { } convert ? Array.ConvertAll(value, convert) : value));
        }

        foreach (var number in model.StoredNumbers)
        {
            var vector = new float[model.Config.Latents];
            Array.Fill(vector, (float)(number.Get() ?? 0));
            tensors.Add(SafeTensor.Create(number.WeightName, [vector.Length], vector));
        }

        SafetensorsWriter.Write(path, tensors);
    }

    /// <summary>Fills a model from sae_weights.safetensors. Biases that are missing stay 0; a tied TopK reads W_enc alone.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model, which decides what is read.</param>
    /// <exception cref="DataException">The file is missing or damaged, or a shape does not fit the model.</exception>
    public static void ReadWeights(string path, SparseAutoencoder model)
    {
        using var file = SafetensorsFile.Open(path);
        foreach (var stored in model.StoredTensors.Where(stored => !stored.WriteOnly))
        {
            var target = stored.Parameter.Value;
            // Training checkpoints of SAELens have JumpReLU's log_threshold itself.
            if (stored.FromFile is not null && file.Contains(stored.Parameter.Name))
            {
                file.Find(stored.Parameter.Name, target.Count);
                target.Set(file.ReadFloats(stored.Parameter.Name));
            }
            else if (!stored.Optional || file.Contains(stored.Name))
            {
                file.Find(stored.Name, stored.Shape);
                var values = file.ReadFloats(stored.Name);
                values = stored.Transposed ? Transpose(values, target.Columns, target.Rows) : values;
                target.Set(stored.FromFile is { } convert ? Array.ConvertAll(values, convert) : values);
            }
        }

        foreach (var number in model.StoredNumbers.Where(number => file.Contains(number.WeightName)))
        {
            number.Set(file.ReadFloats(number.WeightName)[0]);
        }
    }

    private static float[] Transpose(float[] values, int rows, int columns)
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
