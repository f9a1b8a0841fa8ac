using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>
/// Reads folders of SAELens: <c>cfg.json</c> and <c>sae_weights.safetensors</c>, of inference models, of its trainer's checkpoints, and of
/// old versions.
/// </summary>
internal static class SaeLensReader
{
    private const string Config = "cfg.json";
    private const string Weights = "sae_weights.safetensors";
    private const string Scaler = "activation_scaler.json";

    private static readonly string[] CopiedMetadata =
        ["model_name", "hook_name", "hook_point", "hook_layer", "token", "preprocessing", "dataset_path"];

    /// <summary>What a gated autoencoder has in place of b_enc.</summary>
    private static readonly string[] GatedVectors = ["b_gate", "r_mag", "b_mag"];

    /// <summary>Whether a folder is one of SAELens.</summary>
    public static bool Recognizes(string folder) =>
        File.Exists(Path.Combine(folder, Config)) && File.Exists(Path.Combine(folder, Weights));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataException">A file is missing or damaged, or the model is of a kind that is not supported.</exception>
    public static ForeignSae Read(string folder)
    {
        var config = JsonFile.Read(Path.Combine(folder, Config));
        var metadata = config.Object("metadata");
        var (rule, rescales) = Kind(config);
        var path = Path.Combine(folder, Weights);
        using var file = SafetensorsFile.Open(path);
        var weights = new ForeignWeights(path, config.Integer("d_in"), config.Integer("d_sae"));
        file.Find("W_enc", weights.Dimension, weights.Latents);
        file.Find("W_dec", weights.Latents, weights.Dimension);
        weights.SetTransposed("W_enc", file.ReadFloats("W_enc"));
        weights["W_dec"] = file.ReadFloats("W_dec");
        if (rule == ActivationRule.Gated)
        {
            foreach (var name in GatedVectors)
            {
                weights[name] = file.ReadFloats(name);
            }
        }
        else
        {
            weights["b_enc"] = file.Contains("b_enc") ? file.ReadFloats("b_enc") : new float[weights.Latents];
        }

        weights["b_dec"] = file.Contains("b_dec") ? file.ReadFloats("b_dec") : new float[weights.Dimension];
        if (file.Contains("scaling_factor") && file.ReadFloats("scaling_factor").Any(factor => factor != 1))
        {
            throw new DataException($"{path}: its scaling_factor is not 1, which is not supported");
        }

        if (rule == ActivationRule.BatchTopK)
        {
            weights.SetThreshold((float)file.ReadDoubles("topk_threshold")[0]);
        }
        else if (rule == ActivationRule.Threshold)
        {
            weights["threshold"] = file.ReadFloats("threshold");
        }

        if (rescales)
        {
            weights.FoldDecoderNorms();
        }

        var form = Normalized(
            folder,
            config,
            new ImportedForm
            {
                Tool = "saelens",
                Rule = rule,
                SubtractsDecoderBias = config.Flag("apply_b_dec_to_input", missing: true),
                GroupSizes = Groups(config, weights.Latents),
            });
        var k = rule is ActivationRule.TopK or ActivationRule.BatchTopK ? K(config) : 1;
        return new ForeignSae
        {
            Form = form,
            Config = ForeignModels.Configure(form, weights, k, unitRows: false),
            Weights = weights.Values,
            Description = $"SAELens {metadata?.Text("sae_lens_version") ?? config.Text("sae_lens_training_version") ?? "(old)"}, "
                + $"{config.Text("architecture") ?? "standard"}",
            Metadata = Origin(name => metadata?.Node(name) ?? config.Node(name)),
        };
    }

    /// <summary>What metadata says of the network and the features that the model was trained on.</summary>
    /// <param name="find">The entry of a name; null if there is none.</param>
    public static IReadOnlyDictionary<string, string> Origin(Func<string, JsonNode?> find) => ForeignModels.Metadata(CopiedMetadata, find);

    private static (ActivationRule Rule, bool Rescales) Kind(JsonFile config)
    {
        var architecture = config.Text("architecture") ?? "standard";
        var rescales = config.Flag("rescale_acts_by_decoder_norm", missing: false);
        switch (architecture)
        {
            case "standard":
                return config.Text("activation_fn_str") switch
                {
                    null or "relu" => (ActivationRule.ReLU, rescales),
                    "topk" => (ActivationRule.TopK, rescales),
                    var other => throw config.Unsupported($"its activation function is '{other}'"),
                };
            case "topk":
                return (ActivationRule.TopK, rescales);
            case "jumprelu":
                return (ActivationRule.Threshold, false);
            case "gated":
                return (ActivationRule.Gated, false);
            case "batchtopk" or "matryoshka_batchtopk":
                return (ActivationRule.BatchTopK, rescales);
            default:
                throw config.Unsupported($"its architecture is '{architecture}'");
        }
    }

    /// <summary>
    /// The groups of a Matryoshka model, whose ends a trainer leaves in its settings, and an inference model in its metadata.
    /// </summary>
    private static IReadOnlyList<int>? Groups(JsonFile config, int latents)
    {
        var widths = config.Node(SaeLensFormat.Widths) ?? config.Object("metadata")?.Object(SaeLensFormat.TrainingDetails)
            ?.Node(SaeLensFormat.Widths);
        var ends = (widths as JsonArray)
            ?.Select(end => end is JsonValue value && value.TryGetValue(out int number) ? number : -1L).ToArray();
        return ends is null ? null : ForeignModels.Groups([.. ends.Zip(ends.Prepend(0), (end, start) => (Int128)(end - start))], latents);
    }

    private static int K(JsonFile config) =>
        config.Has("k") ? config.Integer("k") : (config.Object("activation_fn_kwargs") ?? config).Integer("k");

    private static ImportedForm Normalized(string folder, JsonFile config, ImportedForm form)
    {
        switch (config.Node("normalize_activations") is System.Text.Json.Nodes.JsonValue value && value.TryGetValue(out bool _)
            ? config.Flag("normalize_activations", missing: false) ? "true" : "none"
            : config.Text("normalize_activations") ?? "none")
        {
            case "none":
                return form;
            case "layer_norm":
                return form with { Normalization = InputNormalization.LayerNorm };
            case "constant_norm_rescale":
                return form with { Normalization = InputNormalization.ConstantNorm };
            case "expected_average_only_in":
                var path = Path.Combine(folder, Scaler);
                if (!File.Exists(path))
                {
                    throw new DataException($"{path}: no such file, which normalize_activations 'expected_average_only_in' needs");
                }

                var scaler = JsonFile.Read(path);
                var scale = scaler.OptionalNumber("scaling_factor");
                return scaler.Flag("has_whitening", missing: false) || scale is not > 0 || !double.IsFinite(scale.Value)
                    ? throw new DataException($"{path}: is not a plain scaling_factor, which is not supported")
                    : form with { InputScale = scale.Value };
            case var other:
                throw config.Unsupported($"normalize_activations is '{other}'");
        }
    }
}
