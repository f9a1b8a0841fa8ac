using System.Text;

namespace MonoLoss.Tests.Vision;

/// <summary>Writes a small ONNX model: one convolution of patches, with any batch size.</summary>
internal static class TestOnnx
{
    private const int Float = 1;
    private const int IntegerList = 7;

    /// <summary>Writes a model whose output "patches" is N × features × (size / patch) × (size / patch).</summary>
    /// <param name="path">The file.</param>
    /// <param name="size">Height and width of the input.</param>
    /// <param name="patch">Height and width of a patch.</param>
    /// <param name="weights">Features × 3 × patch × patch values.</param>
    public static void WritePatches(string path, int size, int patch, float[] weights)
    {
        var features = weights.Length / 3 / patch / patch;
        byte[] node =
        [
            .. Text(1, "pixels"), .. Text(1, "weights"), .. Text(2, "patches"), .. Text(4, "Conv"),
            .. Bytes(5, [.. Text(1, "strides"), .. Number(8, patch), .. Number(8, patch), .. Number(20, IntegerList)]),
        ];
        byte[] initializer =
        [
            .. Number(1, features), .. Number(1, 3), .. Number(1, patch), .. Number(1, patch), .. Number(2, Float), .. Text(8, "weights"),
            .. Bytes(9, System.Runtime.InteropServices.MemoryMarshal.AsBytes(weights.AsSpan()).ToArray()),
        ];
        byte[] graph =
        [
            .. Bytes(1, node), .. Text(2, "test"), .. Bytes(5, initializer),
            .. Bytes(11, Value("pixels", 3, size, size)), .. Bytes(12, Value("patches", features, size / patch, size / patch)),
        ];
        File.WriteAllBytes(path, [.. Number(1, 8), .. Bytes(7, graph), .. Bytes(8, [.. Text(1, ""), .. Number(2, 13)])]);
    }

    private static byte[] Value(string name, params int[] shape)
    {
        var dimensions = shape.SelectMany(length => Bytes(1, Number(1, length)));
        byte[] tensor = [.. Number(1, Float), .. Bytes(2, [.. Bytes(1, Text(2, "batch")), .. dimensions])];
        return [.. Text(1, name), .. Bytes(2, Bytes(1, tensor))];
    }

    private static byte[] Number(int field, int value) => [.. Varint(field << 3), .. Varint(value)];

    private static byte[] Text(int field, string text) => Bytes(field, Encoding.ASCII.GetBytes(text));

    private static byte[] Bytes(int field, byte[] content) => [.. Varint((field << 3) | 2), .. Varint(content.Length), .. content];

    private static IEnumerable<byte> Varint(int value)
    {
        for (; value >= 128; value >>= 7)
        {
            yield return (byte)(value | 128);
        }

        yield return (byte)value;
    }
}
