using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace MonoLoss.Data;

/// <summary>Writes safetensors files.</summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>Writes a file, completely or not at all. Tensors with larger elements come first, so that all are aligned.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="metadata">Strings to keep beside them; null for none.</param>
    /// <exception cref="DataException">The file cannot be written.</exception>
    public static void Write(
        string path, IEnumerable<SafeTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var ordered = tensors.OrderByDescending(tensor => SafetensorsFile.SizeOf(tensor.Dtype)).ToList();
        if (ordered.DistinctBy(tensor => tensor.Name).Count() != ordered.Count)
        {
            throw new ArgumentException("two tensors have the same name", nameof(tensors));
        }

        using var file = new AtomicFile(path);
        try
        {
            file.Stream.Write(Header(ordered, metadata));
            foreach (var tensor in ordered)
            {
                tensor.Write(file.Stream);
            }
        }
        catch (Exception exception) when (AtomicFile.IsFailure(exception))
        {
            throw file.Failure(exception);
        }

        file.Commit();
    }

    private static byte[] Header(List<SafeTensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(new byte[sizeof(long)]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Dtype);
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, offset + tensor.Bytes]);
                json.WriteEndObject();
                offset += tensor.Bytes;
            }

            json.WriteEndObject();
        }

        // The format allows spaces after the object: they align the data.
        var padding = (Alignment - (buffer.WrittenCount % Alignment)) % Alignment;
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        var header = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - sizeof(long));
        return header;
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IReadOnlyList<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers)
        {
            json.WriteNumberValue(number);
        }

        json.WriteEndArray();
    }
}
