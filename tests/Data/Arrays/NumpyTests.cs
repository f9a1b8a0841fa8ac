using System.Text;
using MonoLoss.Data;

namespace MonoLoss.Tests.Data.Arrays;

public sealed class NumpyTests
{
    private static readonly byte[] Floats = [.. new[] { 1f, 2, 3, 4, 5, 6 }.SelectMany(BitConverter.GetBytes)];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Every_version_is_read(int version)
    {
        using var file = ArrayFile.Open("a.npy", TestNpy.File("'<f4'", "(3, 2)", Floats, version: version));
        var array = Assert.Single(file.Arrays);
        Assert.Equal("array", array.Name);
        Assert.Equal([1f, 2, 3, 4, 5, 6], array.ReadFloats());
        using var fortran = ArrayFile.Open("a.npy", TestNpy.File("'<f4'", "(3L, 2L)", Floats, fortran: true, version));
        Assert.Equal([1f, 4, 2, 5, 3, 6], Assert.Single(fortran.Arrays).ReadFloats());
        using var header = ArrayFile.Open(
            "a.npy", TestNpy.WithHeader("""{"shape":(6,),"fortran_order":False,"descr":"<f4"}""", Floats, version));
        Assert.Equal([6L], Assert.Single(header.Arrays).Shape);
    }

    [Fact]
    public void Texts_are_read()
    {
        byte[] texts = [.. Encoding.UTF32.GetBytes("Käfer"), .. Encoding.UTF32.GetBytes("猫😀\0\0\0")];
        using var little = ArrayFile.Open("a.npy", TestNpy.File("'<U5'", "(2,)", texts));
        Assert.Equal(["Käfer", "猫😀"], Assert.Single(little.Arrays).ReadTexts());
        byte[] swapped = [.. texts.Chunk(4).SelectMany(character => character.Reverse())];
        using var big = ArrayFile.Open("a.npy", TestNpy.File("'>U5'", "(2,)", swapped));
        Assert.Equal(["Käfer", "猫😀"], Assert.Single(big.Arrays).ReadTexts());
        using var bytes = ArrayFile.Open("a.npy", TestNpy.File("'|S3'", "(2,)", [.. "cat\xe9\0\0"u8[..3], .. "d\0\0"u8]));
        Assert.Equal(["cat", "d"], Assert.Single(bytes.Arrays).ReadTexts());
        using var empty = ArrayFile.Open("a.npy", TestNpy.File("'<U0'", "(2,)", []));
        Assert.Equal(["", ""], Assert.Single(empty.Arrays).ReadTexts());
        using var wrong = ArrayFile.Open("a.npy", TestNpy.File("'<U1'", "(2,)", [97, 0, 0, 0, 0, 0, 0x20, 0]));
        Throws.Line(() => Assert.Single(wrong.Arrays).ReadTexts(), "a.npy", "element 1", "text");
        Throws.Line(() => Assert.Single(wrong.Arrays).ReadFloats(), "it is text, expected numbers");
    }

    [Theory]
    [InlineData("'<f4'", "(3, 3)", "12 bytes are missing")]
    [InlineData("'<f4'", "(3, 1)", "12 bytes follow")]
    [InlineData("'<f4'", "(3)", "damaged")]
    [InlineData("'<f4'", "(-3, 2)", "damaged")]
    [InlineData("'<f4'", "(99999999999999999999,)", "damaged")]
    [InlineData("'<f4'", "(4611686018427387904, 2, 0)", "too many")]
    [InlineData("'f4'", "(3, 2)", "none of numpy's")]
    [InlineData("'<f16'", "(3, 2)", "'<f16'")]
    [InlineData("'<M8[ns]'", "(3, 2)", "'<M8[ns]'")]
    [InlineData("'|V2'", "(3, 2)", "bfloat16")]
    [InlineData("'|O'", "(3, 2)", "pickle")]
    [InlineData("[('x', '<f4')]", "(6,)", "[('x', '<f4')]")]
    [InlineData("'<f4', 'more': 1", "(3, 2)", "damaged")]
    [InlineData("'<f4', 'descr': '<f4'", "(3, 2)", "damaged")]
    public void What_is_not_read_is_refused(string descr, string shape, string word) =>
        Throws.Line(() => ArrayFile.Open("a.npy", TestNpy.File(descr, shape, Floats)), "a.npy", word);

    [Fact]
    public void Damaged_headers_are_refused()
    {
        Throws.Line(() => ArrayFile.Open("a.npy", TestNpy.File("'<f4'", "(3, 2)", Floats, version: 4)), "version is 4");
        Throws.Line(() => ArrayFile.Open("a.npy", "PK\u0003\u0004 and so on"u8.ToArray()), "begin");
        Throws.Line(() => ArrayFile.Open("a.npy", Array.Empty<byte>()), "begin");
        Throws.Line(() => ArrayFile.Open("a.txt", Array.Empty<byte>()), "'.txt'", ".safetensors");
        Throws.Line(() => ArrayFile.Open("missing.npy"), "missing.npy: no such file");
        var bytes = TestNpy.File("'<f4'", "(3, 2)", Floats);
        for (var length = 0; length < bytes.Length; length++)
        {
            Throws.Line(() => ArrayFile.Open("a.npy", bytes.AsMemory(0, length)), "a.npy");
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Npz_is_read(bool deflated, bool zip64)
    {
        var zip = new TestZip { Deflated = deflated, Zip64 = zip64, Descriptors = zip64 }
            .Add("features.npy", TestNpy.File("'<f4'", "(3, 2)", Floats))
            .Add("labels.npy", TestNpy.File("'<i8'", "(3,)", [7, 0, 0, 0, 0, 0, 0, 0, .. new byte[15], 255]))
            .Add("objects.npy", TestNpy.File("'|O'", "(3,)", [1, 2, 3]))
            .Add("readme.txt", "no array");
        using var file = ArrayFile.Open("a.npz", zip.Build());
        Assert.Equal(["features", "labels", "objects"], file.Arrays.Select(array => array.Name));
        var part = new float[2];
        file.Find("features").ReadRows(1, part);
        Assert.Equal([3f, 4], part);
        Assert.Equal([7, 0, -(Int128)(1L << 56)], file.Find("labels").ReadIntegers());
        Throws.Line(() => file.Find("objects").ReadFloats(), "a.npz: array 'objects'", "pickle");
        Throws.Line(() => file.Find("x"), "a.npz: no array 'x'; the arrays are: features, labels, objects");
        Assert.False(file.Contains("x"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Npz_with_a_wrong_checksum_is_refused(bool deflated)
    {
        var zip = new TestZip { Deflated = deflated, WrongCrc = 1 }.Add("x.npy", TestNpy.File("'<f4'", "(3, 2)", Floats));
        using var file = ArrayFile.Open("a.npz", zip.Build());
        Throws.Line(() => file.Find("x").ReadFloats(), "a.npz: array 'x'", "CRC-32");
    }

    [Fact]
    public void Large_deflated_array_is_unpacked_to_a_file_that_vanishes()
    {
        const int Rows = 9000;
        using var folder = new TempFolder();
        var values = Enumerable.Range(0, Rows * 64).Select(i => (float)(i % 977)).ToArray();
        var data = values.SelectMany(BitConverter.GetBytes).ToArray();
        var zip = new TestZip { Deflated = true }
            .Add("c.npy", TestNpy.File("'<f4'", $"({Rows}, 64)", data))
            .Add("f.npy", TestNpy.File("'<f4'", $"({Rows}, 64)", data, fortran: true))
            .Build();
        File.WriteAllBytes(folder["a.npz"], zip);
        using (var file = ArrayFile.Open(folder["a.npz"]))
        {
            Parallel.For(0, 64, time =>
            {
                var (first, part) = (time * 131 % (Rows - 10), new float[640]);
                file.Find("c").ReadRows(first, part);
                Assert.Equal(values.AsSpan(first * 64, 640).ToArray(), part);
                file.Find("f").ReadRows(first, part);
                Assert.Equal(values[(37 * Rows) + first + 3], part[(3 * 64) + 37]);
            });
        }

        zip[zip.Length / 4] ^= 1;
        using var damaged = ArrayFile.Open("a.npz", zip);
        Throws.Line(() => damaged.Find("c").ReadFloats(), "a.npz: array 'c'");
    }

    [Fact]
    public void Damaged_archives_are_refused()
    {
        var zip = new TestZip().Add("x.npy", TestNpy.File("'<f4'", "(3, 2)", Floats)).Build();
        for (var length = 0; length < zip.Length; length++)
        {
            Throws.Line(() => ArrayFile.Open("a.npz", zip.AsMemory(0, length)), "a.npz", "cut off");
        }

        Throws.Line(
            () => ArrayFile.Open("a.npz", new TestZip().Add("x.npy", []).Add("x.npy", []).Build()), "a.npz", "array 'x'");
        var twice = TestNpy.File("'<f4'", "(3, 2)", Floats);
        Throws.Line(
            () => ArrayFile.Open("a.npz", new TestZip().Add("x.npy", twice).Add("x.npy", twice).Build()), "two arrays are named 'x'");
    }
}
