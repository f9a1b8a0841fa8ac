using MonoLoss.Kernels;
using MonoLoss.Models;

namespace MonoLoss.Tests.Models;

/// <summary>The product's autoencoder with a golden's weights. Parameters are named and laid out as the golden's.</summary>
internal static class GoldenModel
{
    private static readonly Dictionary<string, string> TopKNames = new()
    {
        ["W_enc"] = "encoder.weight",
        ["b_enc"] = "latent_bias",
        ["W_dec"] = "decoder.weight",
        ["b_dec"] = "pre_bias",
    };

    public static SparseAutoencoder Create(Device device, Golden golden)
    {
        var untied = golden.HasSetting("tied") && golden.Setting("tied") == "False";
        var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = Architectures.Trained.Single(architecture => architecture.Name() == Name(golden)),
            Dimension = golden.Integer("d"),
            Latents = golden.Integer("latents"),
            K = golden.HasSetting("k") ? golden.Integer("k") : 1,
            Groups = Groups(golden),
            Untied = untied,
            Normalize = golden.Setting("normalize") == "True",
            AuxK = golden.HasSetting("aux_k") ? golden.Integer("aux_k") : null,
            AuxCoefficient = golden.HasSetting("aux_coef") ? golden.Number("aux_coef") : 1.0 / 32,
            L1Coefficient = golden.HasSetting("l1_coef") ? golden.Number("l1_coef") : 1e-4,
            Bandwidth = golden.HasSetting("bandwidth") ? golden.Number("bandwidth") : 0.1,
            MonoCoefficient = golden.HasSetting("mono_coef") ? golden.Number("mono_coef") : 0,
        });
        foreach (var parameter in model.Parameters)
        {
            parameter.Value.Set(Read(golden, "init", parameter.Name, model));
        }

        return model;
    }

    /// <summary>The architecture as --model names it.</summary>
    public static string Name(Golden golden) =>
        golden.Setting("model") is "matryoshka_batch_topk" ? "matryoshka" : golden.Setting("model");

    /// <summary>The shares of the latents in each group; null for a model without groups.</summary>
    public static double[]? Groups(Golden golden)
    {
        if (!golden.HasSetting("group_ends"))
        {
            return null;
        }

        var ends = golden.Setting("group_ends").Trim('[', ']').Split(", ").Select(int.Parse).Prepend(0).ToArray();
        return [.. ends.Skip(1).Zip(ends, (end, start) => (double)(end - start) / golden.Integer("latents"))];
    }

    /// <summary>A tensor of the golden in the layout of the product: one row per latent.</summary>
    public static float[] Read(Golden golden, string prefix, string parameter, SparseAutoencoder model)
    {
        var (d, m) = (model.Config.Dimension, model.Config.Latents);
        if (model.Config.Architecture == Architecture.TopK)
        {
            var values = golden.Floats($"{prefix}.{TopKNames[parameter]}");
            return parameter == "W_dec" ? Golden.Transpose(values, d, m) : values;
        }

        if (parameter == "log_threshold")
        {
            return golden.Floats($"{prefix}.jumprelu.log_threshold");
        }

        var tensor = golden.Floats($"{prefix}.{parameter}");
        return parameter == "W_enc" ? Golden.Transpose(tensor, d, m) : tensor;
    }
}
