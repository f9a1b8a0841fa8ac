using System.Text.Json;
using System.Text.Json.Serialization;

namespace MonoLoss.Models;

/// <summary>
/// Architectures in JSON by the name that --model takes: batch_topk, topk, jumprelu and so on. What version 0.1 wrote for them is read
/// too.
/// </summary>
public sealed class ArchitectureConverter : JsonConverter<Architecture>
{
    /// <inheritdoc/>
    public override Architecture Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var name = reader.TokenType == JsonTokenType.String ? reader.GetString()!
            : throw new JsonException("expected an architecture's name");
        foreach (var architecture in Enum.GetValues<Architecture>())
        {
            // Version 0.1 wrote batch_top_k, top_k and jump_re_lu.
            if (name == architecture.Name() || name == JsonNamingPolicy.SnakeCaseLower.ConvertName(architecture.ToString()))
            {
                return architecture;
            }
        }

        throw new JsonException($"unknown architecture '{name}', expected one of "
            + string.Join(", ", Enum.GetValues<Architecture>().Select(architecture => architecture.Name())));
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Architecture value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Name());
}
