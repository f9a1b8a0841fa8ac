using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Reads folders of sparsify: <c>cfg.json</c> and <c>sae.safetensors</c> of one hook point.</summary>
internal static class SparsifyReader
{
    private const string Config = "cfg.json";
    private const string Weights = "sae.safetensors";

    /// <summary>Whether a folder is one of sparsify.</summary>
    public static bool Recognizes(string folder) =>
        File.Exists(Path.Combine(folder, Config)) && File.Exists(Path.Combine(folder, Weights));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataException">A file is missing or damaged, or the model is of a kind that is not supported.</exception>
    public static ForeignSae Read(string folder)
    {
        var config = JsonFile.Read(Path.Combine(folder, Config));
        if (config.Flag("transcode", missing: false) || config.Flag("skip_connection", missing: false))
        {
            throw config.Unsupported("it is a transcoder (transcode or skip_connection is true)");
        }

        var rule = config.Text("activation") switch
        {
            null or "topk" => ActivationRule.TopK,
            "groupmax" => ActivationRule.GroupMax,
            var other => throw config.Unsupported($"its activation is '{other}'"),
        };
        var dimension = config.Integer("d_in");
        var latents = config.Has("num_latents") ? config.Integer("num_latents") : 0;
        var path = Path.Combine(folder, Weights);
        using var file = SafetensorsFile.Open(path);
        if (file.Contains("W_skip"))
        {
            throw new DataException($"{path}: it is a transcoder (it has a tensor W_skip), which is not supported");
        }

        var weights = new ForeignWeights(
            path, dimension, latents > 0 ? latents : checked(dimension * config.Integer("expansion_factor")));
        file.Find("encoder.weight", weights.Latents, weights.Dimension);
        file.Find("W_dec", weights.Latents, weights.Dimension);
        weights["W_enc"] = file.ReadFloats("encoder.weight");
        weights["b_enc"] = file.ReadFloats("encoder.bias");
        weights["W_dec"] = file.ReadFloats("W_dec");
        weights["b_dec"] = file.ReadFloats("b_dec");
        var form = new ImportedForm { Tool = "sparsify", Rule = rule, SubtractsDecoderBias = true };
        return new ForeignSae
        {
            Form = form,
            Config = ForeignModels.Configure(form, weights, config.Integer("k"), unitRows: false),
            Weights = weights.Values,
            Description = $"sparsify, {(rule == ActivationRule.TopK ? "topk" : "groupmax")}",
        };
    }
}
