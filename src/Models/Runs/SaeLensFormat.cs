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

        foreach (var number in model.WeightNumbers)
        {
            var vector = new float[model.Config.Latents];
            Array.Fill(vector, (float)(number.Get() ?? 0));
            tensors.Add(SafeTensor.Create(number.Name, [vector.Length], vector));
        }

        SafetensorsWriter.Write(path, tensors);
    }

    /// <summary>Fills a model from sae_weights.safetensors. Biases that are missing stay 0; a tied TopK reads W_enc alone.</summary>
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
