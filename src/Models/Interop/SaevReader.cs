using System.Runtime.InteropServices;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Reads <c>sae.pt</c> of saev: a line of JSON, then a torch archive.</summary>
internal static class SaevReader
{
    private const string Weights = "sae.pt";

    // Until this schema, saev subtracted b_dec from the row.
    private const int LastCenteredSchema = 1;
    private const int LastSchemaOfVit = 2;
    private const int LastSchemaOfFactor = 3;

    /// <summary>Whether a folder is one of saev.</summary>
    public static bool Recognizes(string folder) => File.Exists(Path.Combine(folder, Weights));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataException">The file is damaged, or the model is of a kind that is not supported.</exception>
    public static ForeignSae Read(string folder)
    {
        var path = Path.Combine(folder, Weights);
        using var file = TorchFile.Open(path);
        var header = JsonFile.Parse(path, file.LeadingLine ?? throw new DataException($"{path}: does not begin with a line of JSON"));
        var schema = header.Has("schema") ? header.Integer("schema") : 0;
        var config = schema == 0 ? header : header.Object("cfg") ?? throw new DataException($"{path}: its first line has no 'cfg'");
        var dimension = config.Integer(schema <= LastSchemaOfVit ? "d_vit" : "d_model");
        var latents = schema <= LastSchemaOfFactor ? checked(dimension * config.Integer("exp_factor")) : config.Integer("d_sae");
        var weights = new ForeignWeights(path, dimension, latents);
        weights.SetTransposed("W_enc", weights.Read(file, "W_enc", dimension, latents));
        weights["b_enc"] = weights.Read(file, "b_enc", latents);
        weights["W_dec"] = weights.Read(file, "W_dec", latents, dimension);
        weights["b_dec"] = weights.Read(file, "b_dec", dimension);
        var activation = config.Object("activation");
        var kind = activation?.Text("cls") ?? "Relu";
        var rule = kind switch
        {
            "Relu" => ActivationRule.ReLU,
            "TopK" => ActivationRule.SignedTopK,
            "BatchTopK" => Threshold(file, weights),
            _ => throw config.Unsupported($"its activation is '{kind}'"),
        };
        var centered = header.Object("monoloss")?.Text(SaevWriter.CenteredBias);
        if (centered is not null)
        {
            weights["b_enc"] = FromBase64(path, centered);
        }

        var form = new ImportedForm
        {
            Tool = "saev", Rule = rule, SubtractsDecoderBias = schema <= LastCenteredSchema || centered is not null,
        };
        var k = rule == ActivationRule.SignedTopK
            ? (activation!.Object("params") ?? throw new DataException($"{path}: its activation has no 'params'")).Integer("top_k")
            : 1;
        return new ForeignSae
        {
            Form = form,
            Config = ForeignModels.Configure(form, weights, k, unitRows: false),
            Weights = weights.Values,
            Description = $"saev, {(schema == 0 ? "no schema" : $"schema {schema}")}, {kind}",
        };
    }

    private static float[] FromBase64(string path, string text)
    {
        try
        {
            return MemoryMarshal.Cast<byte, float>(Convert.FromBase64String(text)).ToArray();
        }
        catch (FormatException exception)
        {
            throw new DataException($"{path}: its first line has a '{SaevWriter.CenteredBias}' that is not base64", exception);
        }
    }

    private static ActivationRule Threshold(TorchFile file, ForeignWeights weights)
    {
        const string Name = "activation.threshold";
        if (!file.Contains(Name))
        {
            throw new DataException(
                $"{file.Path}: a BatchTopK without {Name}, which early versions took for a TopK of each row, is not supported");
        }

        var threshold = file.Find(Name).ReadFloats()[0];
        if (threshold <= 0)
        {
            return ActivationRule.ReLU;
        }

        weights.SetThreshold(threshold);
        return ActivationRule.Threshold;
    }
}
