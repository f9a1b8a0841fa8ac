using System.Security.Cryptography;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

public sealed class TorchWriterTests
{
    private static readonly float[] Floats = [.. Enumerable.Range(0, 12).Select(i => i / 7f)];

    [Fact]
    public void Written_values_are_read_back()
    {
        using var folder = new TempFolder();
        var path = folder["a.pt"];
        TorchWriter.Write(path, Everything(), "{\"schema\": 5}");
        using var file = TorchFile.Open(path);
        Assert.Equal("{\"schema\": 5}", file.LeadingLine);
        Assert.Equal(["w", "k", "empty", "nested.halves", "nested.0.doubles", "nested.flags"], file.Arrays.Select(array => array.Name));
        Assert.Equal(Floats, file.Find("w").ReadFloats());
        Assert.Equal("3×4", file.Find("w").ShapeText);
        Assert.Equal(("scalar", 7), (file.Find("k").ShapeText, (int)Assert.Single(file.Find("k").ReadIntegers())));
        Assert.Equal([0L, 5], file.Find("empty").Shape);
        Assert.Equal([0.5f, float.NaN], file.Find("nested.halves").ReadFloats());
        Assert.Equal([1e300], file.Find("nested.0.doubles").ReadDoubles());
        Assert.Equal([1, 0], file.Find("nested.flags").ReadIntegers());
        var root = file.Root;
        Assert.Equal("Käfer\n猫", root["text"]!.Text);
        Assert.Equal([1L << 40, -1, long.MinValue, 300], root["integers"]!.Items.Select(item => item.Integer!.Value));
        Assert.Equal((0.1, false, TorchKind.None), (root["float"]!.Number!.Value, root["bool"]!.Boolean!.Value, root["none"]!.Kind));
    }

    [Fact]
    public void Data_are_aligned_and_bytes_always_the_same()
    {
        using var folder = new TempFolder();
        TorchWriter.Write(folder["a.pt"], Everything());
        TorchWriter.Write(folder["b.pt"], Everything());
        var bytes = File.ReadAllBytes(folder["a.pt"]);
        Assert.Equal(bytes, File.ReadAllBytes(folder["b.pt"]));
        Assert.Equal(0, bytes.AsSpan().IndexOf(BitConverter.GetBytes(Floats[1])) % 64 - 4);
        // torch 1.13 has opened exactly these bytes, and found the values.
        Assert.Equal("dbdc6cc78039c4ba7a0f13a72c66030763b9bac0531dfa0a3a9bc2d7a6f88435", Convert.ToHexStringLower(SHA256.HashData(bytes)));
    }

    [Fact]
    public void Zip_tools_open_it()
    {
        using var folder = new TempFolder();
        TorchWriter.Write(folder["a.pt"], Everything());
        using var zip = System.IO.Compression.ZipFile.OpenRead(folder["a.pt"]);
        Assert.Equal("archive/data.pkl", zip.Entries[0].FullName);
        foreach (var entry in zip.Entries)
        {
            // .NET checks the CRC-32 of what it reads to the end.
            using var stream = entry.Open();
            stream.CopyTo(Stream.Null);
        }
    }

    [Fact]
    public void What_cannot_be_written_is_refused()
    {
        using var folder = new TempFolder();
        Assert.Throws<ArgumentException>(() => TorchItem.Of(SafeTensor.Create("a", [1], new uint[1])));
        Assert.Throws<ArgumentException>(() => TorchItem.Dictionary(
            SafeTensor.Create("a", [1], new float[1]), SafeTensor.Create("a", [1], new float[1])));
        Assert.Throws<ArgumentException>(() => TorchWriter.Write(folder["a"], TorchItem.None, "two\nlines"));
        Throws.Line(() => TorchWriter.Write(folder["no/a.pt"], TorchItem.None), "a.pt: cannot be written");
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static TorchItem Everything() => TorchItem.Dictionary(
        Entry("w", TorchItem.Of(SafeTensor.Create("w", [3, 4], Floats))),
        Entry("k", TorchItem.Of(SafeTensor.Create("k", [], new[] { 7 }))),
        Entry("empty", TorchItem.Of(SafeTensor.Create("empty", [0, 5], Array.Empty<long>()))),
        Entry("nested", TorchItem.Dictionary(
            Entry("halves", TorchItem.Of(SafeTensor.Create("h", [2], new[] { (Half)0.5f, Half.NaN }))),
            Entry("0", TorchItem.Dictionary(SafeTensor.Create("doubles", [1], new[] { 1e300 }))),
            Entry("flags", TorchItem.Of(SafeTensor.Create("f", [2], new[] { true, false }))))),
        Entry("text", TorchItem.Of("Käfer\n猫")),
        Entry("integers", TorchItem.List(
            TorchItem.Of(1L << 40), TorchItem.Of(-1), TorchItem.Of(long.MinValue), TorchItem.Of(300))),
        Entry("float", TorchItem.Of(0.1)),
        Entry("bool", TorchItem.Of(false)),
        Entry("none", TorchItem.None));

    private static KeyValuePair<string, TorchItem> Entry(string key, TorchItem value) => KeyValuePair.Create(key, value);
}
