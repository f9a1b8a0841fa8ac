namespace MonoLoss.Data;

/// <summary>What a file of features says about the network that they are of.</summary>
/// <remarks>
/// In Parquet and Arrow files these are the texts <c>monoloss.model</c>, <c>monoloss.layer</c>, <c>monoloss.token</c> and
/// <c>monoloss.preprocessing</c> of the metadata; in saev's shards, metadata.json and the choice of layer and token.
/// </remarks>
public static class FeatureOrigin
{
    /// <summary>The entry with the name of the network.</summary>
    public const string Model = "model_name";

    /// <summary>The entry with the layer or output of the network.</summary>
    public const string Layer = "hook_name";

    /// <summary>The entry that says which token, or which mean of them, is a row.</summary>
    public const string Token = "token";

    /// <summary>The entry that says how images became the network's input.</summary>
    public const string Preprocessing = "preprocessing";

    private static readonly (string Entry, string Key)[] Keys =
    [
        (Model, "monoloss.model"), (Layer, "monoloss.layer"), (Token, "monoloss.token"), (Preprocessing, "monoloss.preprocessing"),
    ];

    internal static IReadOnlyDictionary<string, string> None { get; } = new Dictionary<string, string>();

    /// <summary>The texts to keep in a Parquet file.</summary>
    /// <param name="origin">Entries by name.</param>
    internal static Dictionary<string, string> ToMetadata(IReadOnlyDictionary<string, string> origin) =>
        Keys.Where(key => origin.ContainsKey(key.Entry)).ToDictionary(key => key.Key, key => origin[key.Entry]);

    /// <summary>The entries in the metadata of a Parquet or Arrow file.</summary>
    /// <param name="metadata">Its texts by name.</param>
    internal static IReadOnlyDictionary<string, string> FromMetadata(IReadOnlyDictionary<string, string> metadata) =>
        Keys.Where(key => metadata.ContainsKey(key.Key)).ToDictionary(key => key.Entry, key => metadata[key.Key]);

    /// <summary>What all files say alike.</summary>
    internal static IReadOnlyDictionary<string, string> Common(IEnumerable<IReadOnlyDictionary<string, string>> origins) =>
        origins.Aggregate((all, next) => ReferenceEquals(all, next)
            ? all
            : all.Where(entry => next.TryGetValue(entry.Key, out var value) && value == entry.Value)
                .ToDictionary(entry => entry.Key, entry => entry.Value));
}
