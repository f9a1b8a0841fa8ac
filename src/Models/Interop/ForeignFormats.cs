using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>Opens and writes autoencoders in the formats of other tools.</summary>
public static class ForeignFormats
{
    private static readonly Format[] All =
    [
        new("saelens", "cfg.json and sae_weights.safetensors", SaeLensReader.Recognizes, SaeLensReader.Read, SaeLensWriter.Write),
        new("sparsify", "cfg.json and sae.safetensors", SparsifyReader.Recognizes, SparsifyReader.Read, SparsifyWriter.Write),
        new("dictionary-learning", "config.json and ae.pt", DictionaryLearningReader.Recognizes, DictionaryLearningReader.Read,
            DictionaryLearningWriter.Write),
        new("saev", "sae.pt", SaevReader.Recognizes, SaevReader.Read, SaevWriter.Write),
        new("official", "training_config.json and autoencoder_final.pt", OfficialReader.Recognizes, OfficialReader.Read,
            OfficialWriter.Write),
    ];

    /// <summary>The names of the formats.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(format => format.Name)];

    internal static JsonSerializerOptions Json { get; } = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Whether a folder has the files of a known tool.</summary>
    /// <param name="folder">The folder.</param>
    public static bool Recognizes(string folder) => Array.Exists(All, format => format.Recognizes(folder));

    /// <summary>Reads an autoencoder, whatever tool it is from.</summary>
    /// <param name="source">A folder as its tool writes it, or one of the files in it.</param>
    /// <exception cref="DataException">
    /// It is of an unknown format, damaged, or of a kind that is not supported; one line that names the file and the kind.
    /// </exception>
    public static ForeignSae Read(string source)
    {
        var folder = Directory.Exists(source) ? source
            : File.Exists(source) ? Path.GetDirectoryName(Path.GetFullPath(source))!
            : throw new DataException($"{source}: no such file or folder");
        var format = Array.Find(All, format => format.Recognizes(folder)) ?? throw new DataException(
            $"{source}: not an autoencoder of a known tool; expected "
                + string.Join(", or ", All.Select(format => $"{format.Files} ({format.Name})")));
        return format.Read(folder);
    }

    /// <summary>Writes an autoencoder in the format of another tool.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="model">The model; it stays as it is.</param>
    /// <param name="folder">The folder, which is made if it does not exist.</param>
    /// <param name="metadata">What to say about the model where the format has room for it.</param>
    /// <returns>What the format cannot say, a sentence each.</returns>
    /// <exception cref="DataException">The tool has no such autoencoder, or a file cannot be written.</exception>
    public static IReadOnlyList<string> Write(
        string name, SparseAutoencoder model, string folder, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var format = Array.Find(All, format => format.Name == name)
            ?? throw new ArgumentException($"unknown format '{name}'", nameof(name));
        var sae = PortableSae.Of(model);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot create the folder: {exception.Message}", exception);
        }

        format.Write(sae, folder, metadata);
        return sae.Remarks;
    }

    /// <summary>What a config file says in a place that its tool ignores.</summary>
    internal static JsonObject Note(PortableSae sae, IReadOnlyDictionary<string, JsonNode?> metadata)
    {
        var note = new JsonObject();
        foreach (var (name, value) in metadata)
        {
            note[name] = value?.DeepClone();
        }

        if (sae.Remarks.Count > 0)
        {
            note["remarks"] = new JsonArray([.. sae.Remarks.Select(remark => JsonValue.Create(remark))]);
        }

        if (sae.CommonThreshold is { } threshold)
        {
            note["threshold"] = threshold;
        }

        return note;
    }

    private sealed record Format(
        string Name,
        string Files,
        Func<string, bool> Recognizes,
        Func<string, ForeignSae> Read,
        Action<PortableSae, string, IReadOnlyDictionary<string, JsonNode?>> Write);
}
