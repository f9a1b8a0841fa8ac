using System.Text.Json.Serialization;

namespace MonoLoss.Vision;

/// <summary>What is noted of an image that is done.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Label">Its class; null for none.</param>
/// <param name="Error">Why it was skipped; null if it has rows.</param>
internal sealed record ImageRecord(string Id, string? Label, string? Error);

/// <summary>What a stopped extraction must have in common with the one that goes on.</summary>
/// <param name="Version">The version of the layout of the folder.</param>
/// <param name="Model">The model's hash, as text.</param>
/// <param name="Output">The model's output.</param>
/// <param name="Token">Which tokens.</param>
/// <param name="Preprocessing">How images are prepared.</param>
/// <param name="Rows">Rows of an image.</param>
/// <param name="Dimension">Features per row.</param>
/// <param name="BatchSize">Images of a batch.</param>
/// <param name="Images">The sources' fingerprints.</param>
internal sealed record PartialSettings(
    int Version, string Model, string Output, string Token, string Preprocessing, int Rows, int Dimension, int BatchSize, string[] Images);

/// <summary>Writes both as JSON.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ImageRecord))]
[JsonSerializable(typeof(PartialSettings))]
internal sealed partial class ExtractionJson : JsonSerializerContext;
