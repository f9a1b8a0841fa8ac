using System.Buffers.Binary;
using System.Text;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

public sealed class TorchTests
{
    private const string Tensor = "ctorch._utils\n_rebuild_tensor_v2\n("
        + "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0006tQ"
        + "K\0K\u0003K\u0002\u0086K\u0002K\u0001\u0086\u0089ccollections\nOrderedDict\n)RtR";

    private static readonly byte[] Six = [.. new[] { 1f, 2, 3, 4, 5, 6 }.SelectMany(BitConverter.GetBytes)];

    [Theory]
    [InlineData(false, "")]
    [InlineData(true, "")]
    [InlineData(true, "{\"schema\": 5}\n")]
    [InlineData(false, "{\"schema\": 5}\n")]
    public void Tensor_is_read(bool variant, string before)
    {
        using var file = Open(Tensor + ".", zip64: variant, descriptors: variant, before: before);
        var array = Assert.Single(file.Arrays);
        Assert.Equal(("tensor", "3×2", ElementType.Float32), (array.Name, array.ShapeText, array.Type));
        Assert.Equal([1f, 2, 3, 4, 5, 6], array.ReadFloats());
        Assert.Equal(before.Length == 0 ? null : "{\"schema\": 5}", file.LeadingLine);
    }

    [Fact]
    public void Names_have_dots_and_positions()
    {
        // {'a': [t, (t, {7: t})], 'n': None}: one tensor remembered and used three times.
        using var file = Open($"}}(X\u0001\0\0\0a]({Tensor}q\u0005h\u0005}}K\u0007h\u0005s\u0086eX\u0001\0\0\0nNu.");
        Assert.Equal(["a.0", "a.1.0", "a.1.1.7"], file.Arrays.Select(array => array.Name));
        Assert.All(file.Arrays, array => Assert.Equal([1f, 2, 3, 4, 5, 6], array.ReadFloats()));
        Assert.Null(file.Stack());
        Assert.Equal(TorchKind.None, file.Root["n"]!.Kind);
        Assert.Null(file.Root["b"]);
        Assert.Equal(TorchKind.Tensor, file.Root["a"]!.Items[1].Items[1]["7"]!.Kind);
    }

    [Fact]
    public void Values_are_read()
    {
        // LONG1 of 2^40 and -1; a float; a bool; a device and a dtype of torch.
        using var file = Open("](\u008a\u0006\0\0\0\0\0\u0001\u008a\u0001\u00ffG\u003f\u00e0\0\0\0\0\0\0\u0088"
            + "ctorch\ndevice\nX\u0004\0\0\0cuda\u0085Rctorch\nfloat32\ne.");
        var items = file.Root.Items;
        Assert.Equal([1L << 40, -1], items.Take(2).Select(item => item.Integer!.Value));
        Assert.Equal((0.5, true), (items[2].Number!.Value, items[3].Boolean!.Value));
        Assert.Equal(["cuda", "torch.float32"], items.Skip(4).Select(item => item.Text));
        Assert.Empty(file.Arrays);
    }

    [Theory]
    [InlineData("cposix\nsystem\nX\u0004\0\0\0true\u0085R.", "its pickle calls os.system (posix.system), which is not run")]
    [InlineData("c__builtin__\neval\nX\u0001\0\0\01\u0085R.", "builtins.eval")]
    [InlineData("cbuiltins\ngetattr\n0.", "builtins.getattr")]
    [InlineData("cnumpy.core.multiarray\nscalar\n.", "numpy.core.multiarray.scalar")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v3\n.", "_rebuild_tensor_v3")]
    [InlineData("ctorch\nFloatStorage\n.", "torch.FloatStorage itself")]
    [InlineData("ctorch\nFloatStorage\n)R.", "other arguments")]
    [InlineData("ccollections\nOrderedDict\n", "ends early")]
    [InlineData("ccollections\nOrderedDict.", "no end")]
    [InlineData("(ios\nsystem\n.", "0x69")]
    [InlineData("\u0093.", "0x93")]
    [InlineData("N\u0081.", "object of a class")]
    [InlineData("NN.", "left over")]
    [InlineData("(.", "left over")]
    [InlineData("", "ends early")]
    [InlineData(".", "left over")]
    [InlineData("h\u0001.", "damaged")]
    [InlineData("}}s.", "damaged")]
    [InlineData("}]Ns.", "a key of a dict is a List")]
    [InlineData("Na.", "damaged")]
    [InlineData("N]b.", "damaged")]
    [InlineData("]N\u0085Q.", "damaged")]
    [InlineData("X\u0002\0\0\0\u00ff\u00feN.", "UTF-8")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ff.", "a text of 4294967295 bytes")]
    public void Anything_else_is_refused(string pickle, string word) =>
        Throws.Line(() => Open(pickle).Dispose(), "a.pt: cannot be read as a file of torch.save", word);

    [Theory]
    [InlineData("K\u0006tQ", "K\u0007tQ", "has 24 bytes; 7 elements of float32 are 28")]
    [InlineData("K\u0003K\u0002\u0086", "K\u0004K\u0002\u0086", "tensor 'tensor' in storage 'data/0'")]
    [InlineData("K\0K\u0003", "K\u0001K\u0003", "need 28 bytes")]
    [InlineData("K\0K\u0003", "K\u00ffK\u0003", "beyond its storage")]
    [InlineData("K\u0002K\u0001\u0086", "K\u0002\u0085", "2 dimensions and 1 strides")]
    [InlineData("K\u0002K\u0001\u0086", "J\u00ff\u00ff\u00ff\u00ffK\u0001\u0086", "no number")]
    [InlineData("X\u0001\0\0\00", "X\u0001\0\0\01", "'a/data/1' is missing")]
    [InlineData("FloatStorage", "ComplexFloatStorage", "complex")]
    [InlineData("FloatStorage", "QInt8Storage", "quantized")]
    [InlineData("\u0089", "", "other arguments")]
    [InlineData(")RtR", ")R}X\u0003\0\0\0neg\u0088stR", "negated")]
    public void Tensor_that_does_not_fit_is_refused(string part, string other, string word) =>
        Throws.Line(() => Open(Tensor.Replace(part, other, StringComparison.Ordinal) + ".").Dispose(), "a.pt", word);

    [Fact]
    public void Hostile_pickles_are_refused()
    {
        Throws.Line(() => Open(new string(']', 100) + new string('a', 99) + ".").Dispose(), "nested");
        Throws.Line(() => Open($"]({new string('N', 1 << 22)}e.").Dispose(), "more than", "values in one");
        Throws.Line(() => Open(string.Concat(Enumerable.Repeat("]Na", 1 << 21)) + "]Na.").Dispose(), "lists and dicts");
        // A list in itself.
        Throws.Line(() => Open("]q\0h\0a.").Dispose(), "nested");
        // Each list holds the one before ten times: 10^11 names.
        var levels = Enumerable.Range(1, 11).Select(i => $"]({string.Concat(Enumerable.Repeat("h" + (char)(i - 1), 10))}eq{(char)i}");
        Throws.Line(() => Open($"](]({Tensor}eq\0{string.Concat(levels)}e.").Dispose(), "too often");
        Throws.Line(
            () => Open($"}}(X\u0003\0\0\0b.c{Tensor}X\u0001\0\0\0b}}X\u0001\0\0\0c{Tensor}su.").Dispose(), "two tensors are named 'b.c'");
    }

    [Fact]
    public void Archives_that_torch_does_not_write_are_refused()
    {
        Throws.Line(() => TorchFile.Open("none.pt"), "none.pt: no such file");
        Throws.Line(() => ArrayFile.Open("a.pt", new TestZip().Add("b/data/0", Six).Build()), "data.pkl");
        Throws.Line(() => ArrayFile.Open("a.pt", "{no zip}"u8.ToArray()), "no zip archive");
        Throws.Line(() => ArrayFile.Open("a.pt", "{no zip}\nPK"u8.ToArray()), "cut off");
        Throws.Line(() => ArrayFile.Open("a.pt", Array.Empty<byte>()), "no zip archive");
        Throws.Line(
            () => ArrayFile.Open("a.pt", new TestZip().Add("a/data.pkl", "").Add("a/byteorder", "middle").Build()),
            "byte order is 'middle'");
    }

    [Fact]
    public void Big_endian_file_is_read()
    {
        var data = Six.Chunk(4).SelectMany(element => element.Reverse()).ToArray();
        using var file = (TorchFile)ArrayFile.Open("a.pt", new TestZip()
            .Add("a/data.pkl", Pickle(Tensor + ".")).Add("a/byteorder", "big").Add("a/data/0", data).Build());
        Assert.Equal([1f, 2, 3, 4, 5, 6], Assert.Single(file.Arrays).ReadFloats());
    }

    [Fact]
    public void Local_header_that_shifts_the_data_is_refused()
    {
        var bytes = new TestZip().Add("a/data.pkl", Pickle(Tensor + ".")).Add("a/data/0", Six).Add("a/version", "3\n").Build();
        var name = bytes.AsSpan().IndexOf("a/data/0"u8);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(name - 2), 1);
        using var file = ArrayFile.Open("a.pt", bytes);
        Throws.Line(() => Assert.Single(file.Arrays).ReadFloats(), "a.pt: array 'tensor'", "contradicts");
    }

    private static byte[] Pickle(string text) => [0x80, 2, .. Encoding.Latin1.GetBytes(text)];

    private static TorchFile Open(string pickle, bool zip64 = false, bool descriptors = false, string before = "")
    {
        var zip = new TestZip { Zip64 = zip64, Descriptors = descriptors, Before = before }
            .Add("a/data.pkl", Pickle(pickle)).Add("a/data/0", Six).Add("a/version", "3\n").Add("a/.data/serialization_id", "1");
        return (TorchFile)ArrayFile.Open("a.pt", zip.Build());
    }
}
