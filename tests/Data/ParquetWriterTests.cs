using System.Buffers.Binary;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

public sealed class ParquetWriterTests
{
    public static TheoryData<ParquetCompression> Codecs =>
        [ParquetCompression.None, ParquetCompression.Snappy, ParquetCompression.Gzip, ParquetCompression.Zstd];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void WhatIsWrittenIsRead(ParquetCompression codec)
    {
        using var folder = new TempFolder();
        const int Rows = 10_000;
        const int Width = 40;
        var random = new Random(3);
        var longs = Enumerable.Range(0, Rows).Select(i => random.NextInt64()).ToArray();
        var ints = longs.Select(value => (int)value).ToArray();
        var floats = Enumerable.Range(0, Rows).Select(i => random.NextSingle()).ToArray();
        var doubles = Enumerable.Range(0, Rows).Select(i => random.Next(5) == 0 ? (double?)null : random.NextDouble()).ToArray();
        var bools = Enumerable.Range(0, Rows).Select(i => random.Next(3) switch { 0 => (bool?)null, 1 => true, _ => false }).ToArray();
        var texts = Enumerable.Range(0, Rows).Select(i => i % 100 < 40 ? null : new string('ä', random.Next(9))).ToArray();
        var fixedLists = Enumerable.Range(0, Rows * Width).Select(i => random.NextSingle()).ToArray();
        var offsets = new int[Rows + 1];
        for (var i = 0; i < Rows; i++)
        {
            offsets[i + 1] = offsets[i] + random.Next(4);
        }

        ParquetWriter.Write(
            folder["all.parquet"],
            [
                ParquetData.Create("long", longs),
                ParquetData.Create("int", ints),
                ParquetData.Create("float", floats),
                ParquetData.Create("double", doubles),
                ParquetData.Create("bool", bools),
                ParquetData.Create("text", texts, nullable: true),
                ParquetData.FloatLists("fixed", fixedLists, Width),
                ParquetData.FloatLists("variable", fixedLists.AsMemory(0, offsets[^1]), offsets),
            ],
            new ParquetWriterOptions
            {
                Compression = codec,
                RowGroupRows = 3333,
                Metadata = new Dictionary<string, string> { ["what"] = "täst" },
            });

        using var file = ParquetFile.Open(folder["all.parquet"]);
        Assert.Equal([3333, 3333, 3333, 1], file.RowGroups);
        Assert.Equal("täst", file.Metadata["what"]);
        Assert.Equal(BuildInfo.CreatedBy, file.CreatedBy);
        var row = 0;
        for (var g = 0; g < 4; g++)
        {
            var (start, count) = (row, (int)file.RowGroups[g]);
            var rows = start..(start + count);
            Assert.Equal(longs[rows], file.ReadColumn<long>("long", g).Values);
            Assert.Equal(ints[rows], file.ReadColumn<int>("int", g).Values);
            Assert.Equal(floats[rows], file.ReadColumn<float>("float", g).Values);
            var (doubleValues, boolValues) = (file.ReadColumn<double>("double", g), file.ReadColumn<bool>("bool", g));
            var textValues = file.ReadColumn<string>("text", g);
            var (lists, variable) = (file.ReadColumn<float>("fixed", g), file.ReadColumn<float>("variable", g));
            for (var i = 0; i < count; i++, row++)
            {
                Assert.Equal(doubles[row], doubleValues.IsNull(i) ? null : doubleValues.Values[i]);
                Assert.Equal(bools[row], boolValues.IsNull(i) ? null : boolValues.Values[i]);
                Assert.Equal(texts[row], textValues.IsNull(i) ? null : textValues.Values[i]);
                Assert.True(lists.Row(i).SequenceEqual(fixedLists.AsSpan(row * Width, Width)));
                Assert.True(variable.Row(i).SequenceEqual(fixedLists.AsSpan(offsets[row]..offsets[row + 1])));
            }
        }
    }

    [Fact]
    public void TheBytesAreThoseOfTheFormat()
    {
        using var folder = new TempFolder();
        ParquetWriter.Write(
            folder["a.parquet"],
            [ParquetData.Create("a", new[] { 1, 2 })],
            new ParquetWriterOptions { Compression = ParquetCompression.None, CreatedBy = "x" });
        var bytes = File.ReadAllBytes(folder["a.parquet"]);
        // Page header: data page (0), 8 bytes, 8 compressed, CRC-32 of them, then 2 values, PLAIN, RLE, RLE. Then the two integers.
        byte[] values = [1, 0, 0, 0, 2, 0, 0, 0];
        byte[] header = [0x15, 0x00, 0x15, 0x10, 0x15, 0x10, 0x15];
        Assert.Equal([.. "PAR1"u8, .. header], bytes[..11]);
        var page = bytes.AsSpan().IndexOf(values);
        Assert.Equal([0x1c, 0x15, 0x04, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00], bytes[(page - 11)..page]);
        Assert.Equal("PAR1"u8.ToArray(), bytes[^4..]);
        var footer = bytes.Length - 8 - BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(bytes.Length - 8));
        // Version 1; a list of two schema elements, the root without a type.
        Assert.Equal([0x15, 0x02, 0x19, 0x2c, 0x48, 0x06, .. "schema"u8, 0x15, 0x02, 0x00], bytes[footer..(footer + 15)]);
    }

    [Fact]
    public void ChecksumIsThatOfGzip() => Assert.Equal(0xcbf43926, Crc32.Compute("123456789"u8));

    [Fact]
    public void AFileWithoutRowsHasColumns()
    {
        using var folder = new TempFolder();
        ParquetWriter.Write(
            folder["a.parquet"], [ParquetData.Create("a", Array.Empty<long>()), ParquetData.Create("b", Array.Empty<string>())]);
        using var file = ParquetFile.Open(folder["a.parquet"]);
        Assert.Equal((0, 0), (file.Rows, file.RowGroups.Count));
        Assert.Equal(["a int64", "b string"], file.Columns.Select(column => $"{column.Name} {column}"));
    }

    [Fact]
    public void AnUnfinishedFileLeavesTheOldOne()
    {
        using var folder = new TempFolder();
        var path = folder["a.parquet"];
        File.WriteAllText(path, "old");
        using (var writer = new ParquetWriter(path))
        {
            var column = ParquetData.Create("a", new[] { 1L });
            writer.WriteRowGroup([column]);
            Assert.Throws<ArgumentException>(() => writer.WriteRowGroup([ParquetData.Create("a", new[] { 1 })]));
            Assert.Throws<ArgumentException>(() => writer.WriteRowGroup([ParquetData.Create("b", new[] { 1L })]));
            Assert.Throws<ArgumentException>(() => writer.WriteRowGroup([column, column]));
        }

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
        using (var writer = new ParquetWriter(path))
        {
            var missing = ParquetData.Create("t", new string?[] { null });
            Assert.Throws<ArgumentException>(() => ParquetWriter.Write(folder["b.parquet"], [missing]));
            writer.WriteRowGroup([ParquetData.Create("a", new[] { 1L })]);
            writer.Complete();
        }

        Assert.Equal([path], Directory.GetFiles(folder.Path));
        using var file = ParquetFile.Open(path);
        Assert.Equal([1L], file.ReadColumn<long>("a", 0).Values);
        var data = ParquetData.Create("a", new[] { 1 });
        Throws.Line(() => ParquetWriter.Write(folder["no/such/folder.parquet"], [data]), "folder.parquet: cannot be written");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(100)]
    [InlineData(65536)]
    [InlineData(200_001)]
    public void SnappyGivesBackWhatItWasGiven(int length)
    {
        var random = new Random(length);
        foreach (var alphabet in new[] { 1, 2, 20, 256 })
        {
            var source = new byte[length];
            for (var i = 0; i < length; i++)
            {
                source[i] = i > 70 && random.Next(20) > 0 ? source[i - random.Next(1, 70)] : (byte)random.Next(alphabet);
            }

            var compressed = new byte[Snappy.MaxCompressedLength(length)];
            var size = Snappy.Compress(source, compressed);
            var back = new byte[length];
            Snappy.Decompress(compressed.AsSpan(0, size), back);
            Assert.True(source.AsSpan().SequenceEqual(back));
            Assert.True(alphabet > 1 || length < 100 || size < (length / 15) + 20);
        }
    }

    [Fact]
    public void SnappyReadsEveryKindOfCopy()
    {
        // "abc", then copies with offsets in one, two and four bytes.
        byte[] compressed = [15, 0x08, (byte)'a', (byte)'b', (byte)'c', 0x01, 3, 0x0e, 7, 0, 0x0f, 7, 0, 0, 0];
        var target = new byte[15];
        Snappy.Decompress(compressed, target);
        Assert.Equal("abcabcaabcabcaa"u8.ToArray(), target);
        Assert.Throws<CorruptException>(() => Snappy.Decompress(compressed, new byte[14]));
        Assert.Throws<CorruptException>(() => Snappy.Decompress([4, 0x00, 1, 0x0e, 9, 0], new byte[4]));
    }
}
