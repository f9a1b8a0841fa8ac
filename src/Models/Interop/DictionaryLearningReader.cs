using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Reads <c>trainer_i</c> folders of dictionary_learning: <c>config.json</c> and <c>ae.pt</c>.</summary>
internal static class DictionaryLearningReader
{
    private const string Config = "config.json";
    private const string Weights = "ae.pt";

    private static readonly string[] CopiedMetadata = ["lm_name", "submodule_name", "layer"];

    /// <summary>Whether a folder is one of dictionary_learning.</summary>
    public static bool Recognizes(string folder) =>
        File.Exists(Path.Combine(folder, Config)) && File.Exists(Path.Combine(folder, Weights));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataException">A file is missing or damaged, or the model is of a kind that is not supported.</exception>
    public static ForeignSae Read(string folder)
    {
        var path = Path.Combine(folder, Config);
        var trainer = JsonFile.Read(path).Object("trainer") ?? throw new DataException($"{path}: has no 'trainer'");
        using var file = TorchFile.Open(Path.Combine(folder, Weights));
        var weights = new ForeignWeights(file.Path, trainer.Integer("activation_dim"), trainer.Integer("dict_size"));
        var kind = trainer.Text("dict_class");
        var form = kind switch
        {
            "AutoEncoder" => ReadLinear(file, weights, "bias", ActivationRule.ReLU),
            "AutoEncoderTopK" => ReadLinear(file, weights, "b_dec", ActivationRule.TopK),
            "BatchTopKSAE" => ReadThreshold(file, weights, ReadLinear(file, weights, "b_dec", ActivationRule.Threshold)),
            "MatryoshkaBatchTopKSAE" => ReadThreshold(file, weights, ReadMatrices(file, weights, subtracts: true)),
            "GatedAutoEncoder" => ReadGated(file, weights),
            "JumpReluAutoEncoder" => ReadMatrices(file, weights, subtracts: false),
            _ => throw trainer.Unsupported($"its dict_class is '{kind}'"),
        };
        if (kind == "MatryoshkaBatchTopKSAE")
        {
            form = form with { GroupSizes = ForeignModels.Groups(file.Find("group_sizes").ReadIntegers(), weights.Latents) };
        }
        else if (kind == "JumpReluAutoEncoder")
        {
            weights["threshold"] = file.Find("threshold").ReadFloats();
        }
        else if (kind == "AutoEncoder" && Array.Exists(weights.DecoderNorms(), norm => Math.Abs(norm - 1) > 1e-5))
        {
            // The tool's own loader does this.
            weights.FoldDecoderNorms();
        }

        var k = form.Rule == ActivationRule.TopK ? (int)file.Find("k").ReadIntegers()[0] : 1;
        return new ForeignSae
        {
            Form = form,
            Config = ForeignModels.Configure(form, weights, k, unitRows: false),
            Weights = weights.Values,
            Description = $"dictionary_learning, {kind}",
            Metadata = ForeignModels.Metadata(CopiedMetadata, trainer.Node),
        };
    }

    private static ImportedForm ReadLinear(TorchFile file, ForeignWeights weights, string bias, ActivationRule rule)
    {
        weights["W_enc"] = weights.Read(file, "encoder.weight", weights.Latents, weights.Dimension);
        weights["b_enc"] = weights.Read(file, "encoder.bias", weights.Latents);
        weights.SetTransposed("W_dec", weights.Read(file, "decoder.weight", weights.Dimension, weights.Latents));
        weights["b_dec"] = weights.Read(file, bias, weights.Dimension);
        return new ImportedForm { Tool = "dictionary-learning", Rule = rule, SubtractsDecoderBias = true };
    }

    private static ImportedForm ReadGated(TorchFile file, ForeignWeights weights)
    {
        weights["W_enc"] = weights.Read(file, "encoder.weight", weights.Latents, weights.Dimension);
        weights["b_gate"] = weights.Read(file, "gate_bias", weights.Latents);
        weights["r_mag"] = weights.Read(file, "r_mag", weights.Latents);
        weights["b_mag"] = weights.Read(file, "mag_bias", weights.Latents);
        weights.SetTransposed("W_dec", weights.Read(file, "decoder.weight", weights.Dimension, weights.Latents));
        weights["b_dec"] = weights.Read(file, "decoder_bias", weights.Dimension);
        return new ImportedForm { Tool = "dictionary-learning", Rule = ActivationRule.Gated, SubtractsDecoderBias = true };
    }

    private static ImportedForm ReadMatrices(TorchFile file, ForeignWeights weights, bool subtracts)
    {
        weights.SetTransposed("W_enc", weights.Read(file, "W_enc", weights.Dimension, weights.Latents));
        weights["b_enc"] = weights.Read(file, "b_enc", weights.Latents);
        weights["W_dec"] = weights.Read(file, "W_dec", weights.Latents, weights.Dimension);
        weights["b_dec"] = weights.Read(file, "b_dec", weights.Dimension);
        return new ImportedForm { Tool = "dictionary-learning", Rule = ActivationRule.Threshold, SubtractsDecoderBias = subtracts };
    }

    /// <summary>One threshold for all latents; a negative one was never measured, and means a plain ReLU.</summary>
    private static ImportedForm ReadThreshold(TorchFile file, ForeignWeights weights, ImportedForm form)
    {
        var threshold = file.Find("threshold").ReadFloats()[0];
        if (threshold < 0)
        {
            return form with { Rule = ActivationRule.ReLU };
        }

        weights.SetThreshold(threshold);
        return form;
    }
}
