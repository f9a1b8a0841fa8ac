using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MonoLoss.Tests;

/// <summary>A file of tests/goldens: tensors of an official run and its settings. Read independently of the product's reader.</summary>
public sealed class Golden
{
    private readonly byte[] _data;
    private readonly JsonElement _header;

    private Golden(byte[] data, JsonElement header) => (_data, _header) = (data, header);

    public static Golden Open(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "goldens", name + ".safetensors"));
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, length));
        return new Golden(bytes[(8 + length)..], header.RootElement.Clone());
    }

    public IEnumerable<string> Names => _header.EnumerateObject().Select(entry => entry.Name).Where(name => name != "__metadata__");

    public string Setting(string name) => _header.GetProperty("__metadata__").GetProperty(name).GetString()!;

    public int Integer(string name) => int.Parse(Setting(name));

    public double Number(string name) => double.Parse(Setting(name));

    public bool Has(string name) => _header.TryGetProperty(name, out _);

    public bool HasSetting(string name) => _header.GetProperty("__metadata__").TryGetProperty(name, out _);

    public string TypeOf(string name) => _header.GetProperty(name).GetProperty("dtype").GetString()!;

    public int[] Shape(string name) => [.. _header.GetProperty(name).GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];

    public float[] Floats(string name) => Read<float>(name);

    public double[] Doubles(string name) => Read<double>(name);

    public int[] Integers(string name) => Read<int>(name);

    /// <summary>Rows × columns → columns × rows.</summary>
    public static float[] Transpose(float[] values, int rows, int columns)
    {
        var result = new float[values.Length];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                result[(j * rows) + i] = values[(i * columns) + j];
            }
        }

        return result;
    }

    private T[] Read<T>(string name)
        where T : unmanaged
    {
        var offsets = _header.GetProperty(name).GetProperty("data_offsets");
        return MemoryMarshal.Cast<byte, T>(_data.AsSpan(offsets[0].GetInt32()..offsets[1].GetInt32())).ToArray();
    }
}
