using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// Reads folders of the official MonoLoss trainer: <c>training_config.json</c> and <c>autoencoder_final.pt</c>. Its autoencoders are ours,
/// on rows of unit length.
/// </summary>
internal static class OfficialReader
{
    private const string Config = "training_config.json";
    private const string Weights = "autoencoder_final.pt";
    private const string State = "model_state_dict.";

    /// <summary>Whether a folder is one of the official trainer.</summary>
    public static bool Recognizes(string folder) =>
        File.Exists(Path.Combine(folder, Config)) && File.Exists(Path.Combine(folder, Weights));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataException">A file is missing or damaged, or the model is of a kind that is not supported.</exception>
    public static ForeignSae Read(string folder)
    {
        var json = JsonFile.Read(Path.Combine(folder, Config));
        using var file = TorchFile.Open(Path.Combine(folder, Weights));
        // The top-k trainer does not name its model.
        var kind = json.Text("model_type") ?? json.Text("activation");
        var name = kind == "topk" ? "encoder.weight" : "W_enc";
        var shape = file.Find(State + name).Shape;
        if (shape is not [var first, var second] || Math.Max(first, second) > int.MaxValue)
        {
            throw new DataException($"{file.Path}: {name} is not a matrix");
        }

        var (dimension, latents) = kind == "topk" ? ((int)second, (int)first) : ((int)first, (int)second);
        var weights = new ForeignWeights(file.Path, dimension, latents);
        var tied = json.Flag("tied_weights", missing: true);
        if (kind == "topk")
        {
            ReadTopK(file, weights, tied);
        }
        else
        {
            ReadStandard(file, weights);
        }

        var config = new SaeConfig
        {
            Architecture = kind switch
            {
                "topk" => Architecture.TopK,
                "batch_topk" => Architecture.BatchTopK,
                "jumprelu" => Architecture.JumpReLU,
                "vanilla" => Architecture.Vanilla,
                _ => throw json.Unsupported($"its model_type is '{kind}'"),
            },
            Dimension = dimension,
            Latents = latents,
            K = kind is "topk" or "batch_topk" ? json.Integer("topk_k") : 1,
            Untied = kind == "topk" && !tied,
            Normalize = json.Flag("normalize", missing: false),
            MonoCoefficient = json.OptionalNumber("mono_coef") ?? 0,
            L1Coefficient = json.OptionalNumber("l1_coef") ?? 0,
            Bandwidth = json.OptionalNumber("bandwidth") ?? 1e-3,
            AuxCoefficient = json.OptionalNumber("auxk_coef") ?? 0,
        };
        if (kind == "jumprelu")
        {
            weights["log_threshold"] = weights.Read(file, State + "jumprelu.log_threshold", latents);
        }

        return new ForeignSae
        {
            Form = new ImportedForm
            {
                Tool = "official",
                Rule = kind switch
                {
                    "topk" => ActivationRule.TopK,
                    "batch_topk" => ActivationRule.BatchTopK,
                    "jumprelu" => ActivationRule.Threshold,
                    _ => ActivationRule.ReLU,
                },
                Normalization = config.NormalizesInput ? InputNormalization.LayerNorm : InputNormalization.None,
                SubtractsDecoderBias = kind != "jumprelu",
            },
            Config = config,
            Weights = weights.Values,
            Description = $"MonoLoss (official), {kind}",
        };
    }

    private static void ReadTopK(TorchFile file, ForeignWeights weights, bool tied)
    {
        weights["W_enc"] = weights.Read(file, State + "encoder.weight", weights.Latents, weights.Dimension);
        weights["b_enc"] = weights.Read(file, State + "latent_bias", weights.Latents);
        weights["b_dec"] = weights.Read(file, State + "pre_bias", weights.Dimension);
        if (!tied)
        {
            weights.SetTransposed("W_dec", weights.Read(file, State + "decoder.weight", weights.Dimension, weights.Latents));
        }
    }

    private static void ReadStandard(TorchFile file, ForeignWeights weights)
    {
        weights.SetTransposed("W_enc", weights.Read(file, State + "W_enc", weights.Dimension, weights.Latents));
        weights["W_dec"] = weights.Read(file, State + "W_dec", weights.Latents, weights.Dimension);
        weights["b_enc"] = weights.Read(file, State + "b_enc", weights.Latents);
        weights["b_dec"] = weights.Read(file, State + "b_dec", weights.Dimension);
    }
}
