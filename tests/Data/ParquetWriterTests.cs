using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using Parquet;
using ParquetWriter = MonoLoss.Data.Parquet.ParquetWriter;

namespace MonoLoss.Tests.Data;

public sealed class ParquetWriterTests
{
    public static TheoryData<CompressionMethod> Codecs =>
        [CompressionMethod.None, CompressionMethod.Snappy, CompressionMethod.Gzip, CompressionMethod.Zstd];

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Written_columns_are_read_back(CompressionMethod codec)
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
        var lists = Enumerable.Range(0, Rows * Width).Select(i => random.NextSingle()).ToArray();
        ParquetWriter.Write(
            folder["all.parquet"],
            [
                ParquetData.Create("long", longs),
                ParquetData.Create("int", ints),
                ParquetData.Create("float", floats),
                ParquetData.Create("double", doubles),
                ParquetData.Create("bool", bools),
                ParquetData.Create("text", texts, nullable: true),
                ParquetData.FloatLists("features", lists, Width),
            ],
            new ParquetWriterOptions
            {
                Compression = codec,
                RowGroupRows = 3333,
                Metadata = new Dictionary<string, string> { ["what"] = "täst" },
            });

        var path = folder["all.parquet"];
        var table = ParquetTable.Read(path);
        Assert.Equal(Rows, table.Rows);
        Assert.Equal("täst", table.Metadata["what"]);
        Assert.Equal(BuildInfo.Version, table.Metadata[ParquetWriter.VersionKey]);
        Assert.Equal(longs, table.ReadIntegers("long"));
        Assert.Equal(ints, table.ReadIntegers("int").Select(value => (int)value));
        Assert.Equal(doubles, table.ReadNullableDoubles("double"));
        Assert.Equal(texts, table.ReadTexts("text"));
        Assert.True(table.IsText("text"));
        Assert.False(table.IsText("long"));

        // So does Parquet.Net's own reader.
        await using var library = await ParquetReader.CreateAsync(path, cancellationToken: TestContext.Current.CancellationToken);
        var row = 0;
        foreach (var group in library.RowGroups)
        {
            var fields = library.Schema.GetDataFields().ToDictionary(field => field.Name);
            var (longPart, floatPart) = (new long[group.RowCount], new float[group.RowCount]);
            var (boolPart, textPart) = (new bool?[group.RowCount], new string?[group.RowCount]);
            await group.ReadAsync<long>(fields["long"], longPart, cancellationToken: TestContext.Current.CancellationToken);
            await group.ReadAsync<float>(fields["float"], floatPart, cancellationToken: TestContext.Current.CancellationToken);
            await group.ReadAsync<bool>(fields["bool"], boolPart, cancellationToken: TestContext.Current.CancellationToken);
            await group.ReadAsync(fields["text"], textPart, cancellationToken: TestContext.Current.CancellationToken);
            var rows = row..(row + (int)group.RowCount);
            Assert.Equal(longs[rows], longPart);
            Assert.Equal(floats[rows], floatPart);
            Assert.Equal(bools[rows], boolPart);
            Assert.Equal(texts[rows], textPart);
            row = rows.End.Value;
        }

        // Features and labels are streamed.
        var set = FeatureSet.Open(path, new FeatureSetOptions { LabelColumn = "int", Normalize = false });
        Assert.Equal([3333L, 3333, 3333, 1], set.RowGroups.Select(group => group.Rows));
        using var reader = set.OpenReader();
        var (x, y) = (new float[Rows * Width], new int[Rows]);
        Assert.Equal(Rows, reader.Read(x, y));
        Assert.Equal(lists, x);
        Assert.Equal(ints.Select(value => $"{value}"), y.Select(label => set.Classes[label]));
    }

    [Fact]
    public void Empty_table_has_columns()
    {
        using var folder = new TempFolder();
        ParquetWriter.Write(
            folder["a.parquet"], [ParquetData.Create("a", Array.Empty<long>()), ParquetData.Create("b", Array.Empty<string>())]);
        var table = ParquetTable.Read(folder["a.parquet"]);
        Assert.Equal(0, table.Rows);
        Assert.Equal(["a", "b"], table.Columns);
        Assert.Empty(table.ReadIntegers("a"));
        Assert.Empty(table.ReadTexts("b"));
    }

    [Fact]
    public void Failed_write_leaves_the_old_file()
    {
        using var folder = new TempFolder();
        var path = folder["a.parquet"];
        File.WriteAllText(path, "old");
        var column = ParquetData.Create("a", new[] { 1L });
        Assert.Throws<ArgumentException>(() => ParquetWriter.Write(path, [column, ParquetData.Create("b", new[] { 1, 2 })]));
        Assert.Throws<ArgumentException>(() => ParquetWriter.Write(path, []));
        Assert.Throws<ArgumentException>(() => ParquetData.Create("t", new string?[] { null }));
        Assert.Equal("old", File.ReadAllText(path));
        ParquetWriter.Write(path, [column]);
        Assert.Equal([path], Directory.GetFiles(folder.Path));
        Assert.Equal([1L], ParquetTable.Read(path).ReadIntegers("a"));
        Throws.Line(() => ParquetWriter.Write(folder["no/such/folder.parquet"], [column]), "folder.parquet: cannot be written");
    }

    [Fact]
    public void Table_that_cannot_be_read_gives_one_line()
    {
        using var folder = new TempFolder();
        ParquetWriter.Write(folder["a.parquet"], [ParquetData.Create("a", Enumerable.Range(0, 999).ToArray())]);
        var table = ParquetTable.Read(folder["a.parquet"]);
        Throws.Line(() => table.ReadTexts("a"), "a.parquet", "column 'a'", "int32");
        Throws.Line(() => table.ReadIntegers("b"), "a.parquet", "no column 'b'");
        Throws.Line(() => ParquetTable.Read(folder["b.parquet"]), "b.parquet: no such file");
        var bytes = File.ReadAllBytes(folder["a.parquet"]);
        for (var length = 0; length < bytes.Length; length += 7)
        {
            File.WriteAllBytes(folder["a.parquet"], bytes[..length]);
            Throws.Line(() => ParquetTable.Read(folder["a.parquet"]), "a.parquet", "cannot be read as Parquet");
        }
    }
}
