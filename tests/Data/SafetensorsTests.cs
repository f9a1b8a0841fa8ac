using System.Buffers.Binary;
using System.Text;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data;

public sealed class SafetensorsTests
{
    [Fact]
    public void Files_by_PyTorch_are_read()
    {
        foreach (var path in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "goldens"), "*.safetensors"))
        {
            using var file = SafetensorsFile.Open(path);
            Assert.NotEmpty(file.Tensors);
            foreach (var tensor in file.Tensors)
            {
                Assert.Equal(tensor.Count, file.ReadDoubles(tensor.Name).LongLength);
            }
        }

        using var scores = SafetensorsFile.Open(Path.Combine(AppContext.BaseDirectory, "goldens", "monoscore.safetensors"));
        var embeddings = scores.Find("embeddings");
        Assert.Equal(2, embeddings.Shape.Count);
        var first = scores.ReadFloats("embeddings").AsSpan(0, (int)embeddings.Shape[1]).ToArray();
        // The goldens' README: length 3.7.
        Assert.Equal(3.7, Math.Sqrt(first.Sum(value => (double)value * value)), 1e-5);
    }

    [Fact]
    public void Written_tensors_are_read_back()
    {
        using var folder = new TempFolder();
        var path = folder["a.safetensors"];
        var floats = Enumerable.Range(0, 12).Select(i => i / 7f).ToArray();
        SafetensorsWriter.Write(
            path,
            [
                SafeTensor.Create("bytes", [3], new byte[] { 1, 2, 255 }),
                SafeTensor.Create("w", [3, 4], floats),
                SafeTensor.Create("doubles", [2], new[] { 1e300, -0.1 }),
                SafeTensor.Create("halves", [2], new[] { (Half)0.5f, Half.NaN }),
                SafeTensor.Create("longs", [1], new[] { long.MaxValue }),
                SafeTensor.Create("ints", [0, 5], Array.Empty<int>()),
                SafeTensor.Create("scalar", [], new[] { 7 }),
            ],
            new Dictionary<string, string> { ["note"] = "line\n\"ä\"" });

        using var file = SafetensorsFile.Open(path);
        Assert.Equal("line\n\"ä\"", file.Metadata["note"]);
        Assert.Equal([3L, 4], file.Find("w", 3, 4).Shape);
        Assert.Equal(floats, file.ReadFloats("w"));
        Assert.Equal(floats.Select(value => (double)value), file.ReadDoubles("w"));
        Assert.Equal([1e300, -0.1], file.ReadDoubles("doubles"));
        Assert.Equal([float.PositiveInfinity, -0.1f], file.ReadFloats("doubles"));
        Assert.Equal([0.5f, float.NaN], file.ReadFloats("halves"));
        Assert.Equal([long.MaxValue], file.ReadLongs("longs"));
        Assert.Equal([1, 2, 255], file.ReadInts("bytes"));
        Assert.Empty(file.ReadInts("ints"));
        Assert.Equal([7], file.ReadInts("scalar"));
        var part = new float[4];
        file.ReadFloats("w", part, 5);
        Assert.Equal(floats[5..9], part);
        Throws.Line(() => file.ReadInts("longs"), "'longs'", "does not fit Int32");
        Throws.Line(() => file.ReadInts("w"), "'w'", "F32");
        Throws.Line(() => file.ReadInts("x"), "'x'", "halves");
        Throws.Line(() => file.Find("w", 4, 3), "'w' is 3×4, expected 4×3");

        // Elements are aligned: the header and every tensor with larger elements come before.
        var bytes = File.ReadAllBytes(path);
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(bytes) % 8);
        Assert.Equal((byte)'{', bytes[8]);
        Assert.Equal(["doubles", "longs", "w", "scalar", "halves", "bytes"], file.Tensors.Where(t => t.Count > 0).Select(t => t.Name));
    }

    [Fact]
    public void Bfloat16_is_the_upper_half_of_float32()
    {
        using var folder = new TempFolder();
        Write(folder["a"], """{"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}""", [0x80, 0x3f, 0x20, 0xc0]);
        using var file = SafetensorsFile.Open(folder["a"]);
        Assert.Equal([1f, -2.5f], file.ReadFloats("b"));
    }

    [Theory]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}""", 2, "'b' starts")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'a' starts at byte 4, expected 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "does not fit its offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "need")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "need")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "offsets")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown type F31")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "'a' lacks a valid")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, "'a' lacks a valid")]
    [InlineData("""{"a":3}""", 0, "'a' lacks a valid")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}""", 2, "two")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "not a string")]
    [InlineData("[]", 0, "not an object")]
    [InlineData("{", 0, "not JSON")]
    public void Bad_header_is_refused(string header, int data, string problem)
    {
        using var folder = new TempFolder();
        Write(folder["a"], header, new byte[data]);
        Throws.Line(() => SafetensorsFile.Open(folder["a"]), folder["a"], problem);
    }

    [Fact]
    public void Damaged_file_is_refused()
    {
        using var folder = new TempFolder();
        var path = folder["a.safetensors"];
        SafetensorsWriter.Write(path, [SafeTensor.Create("a", [2, 2], new float[4]), SafeTensor.Create("b", [1], new long[1])]);
        var original = File.ReadAllBytes(path);
        for (var length = 0; length < original.Length; length++)
        {
            File.WriteAllBytes(path, original[..length]);
            Throws.Line(() => SafetensorsFile.Open(path));
        }

        var random = new Random(1);
        for (var time = 0; time < 3000; time++)
        {
            var bytes = (byte[])original.Clone();
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, bytes);
            Damage.Survives($"time {time}", () =>
            {
                using var file = SafetensorsFile.Open(path);
                foreach (var tensor in file.Tensors)
                {
                    file.ReadDoubles(tensor.Name);
                }
            });
        }

        Throws.Line(() => SafetensorsFile.Open(folder["b"]), "no such file");
    }

    [Fact]
    public void Failed_write_leaves_the_old_file()
    {
        using var folder = new TempFolder();
        var path = folder["a"];
        File.WriteAllText(path, "old");
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(
            path, [SafeTensor.Create("a", [1], new float[1]), SafeTensor.Create("a", [1], new float[1])]));
        Assert.Throws<ArgumentException>(() => SafeTensor.Create("a", [3], new float[1]));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    private static void Write(string path, string header, byte[] data)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        File.WriteAllBytes(path, [.. length, .. text, .. data]);
    }
}
