using System.Globalization;
using MonoLoss.Data;
using MonoLoss.Data.Parquet;
using Parquet;
using ParquetWriter = MonoLoss.Data.Parquet.ParquetWriter;

namespace MonoLoss.Tests.Data;

public sealed class FeatureSetTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(768)]
    public void Rows_are_scaled_to_unit_length(int dimension)
    {
        var random = new Random(dimension);
        for (var time = 0; time < 50; time++)
        {
            var scale = Math.Pow(10, random.Next(-15, 16));
            var row = Enumerable.Range(0, dimension).Select(_ => (float)((random.NextDouble() - 0.5) * scale)).ToArray();
            var norm = Math.Sqrt(row.Sum(value => (double)value * value));
            var expected = row.Select(value => (float)(value / (norm + 1e-8))).ToArray();
            Assert.True(UnitLength.TryScale(row));
            for (var i = 0; i < dimension; i++)
            {
                // The sums differ in order, by a few parts in 10¹⁶: at most the rounding to float32 can.
                Assert.Equal(expected[i], row[i], MathF.Abs(expected[i]) * 1.2e-7f);
            }

            if (norm > 1)
            {
                Assert.Equal(1, Math.Sqrt(row.Sum(value => (double)value * value)), 3e-8);
            }
        }

        var zeros = new float[dimension];
        Assert.True(UnitLength.TryScale(zeros));
        Assert.Equal(new float[dimension], zeros);
        zeros[^1] = float.NaN;
        Assert.False(UnitLength.TryScale(zeros));
        zeros[^1] = float.NegativeInfinity;
        Assert.False(UnitLength.IsFinite(zeros));
    }

    [Fact]
    public void Files_folders_and_patterns_are_found()
    {
        foreach (var name in new[] { "b.parquet", "a.parquet", "a10.parquet", "c.txt", "sub/d.parquet", "sub2/d.parquet" })
        {
            Write(name, 3);
        }

        Assert.Equal(["a.parquet", "a10.parquet", "b.parquet", "sub/d.parquet", "sub2/d.parquet"], Names(_folder.Path));
        Assert.Equal(["a.parquet", "a10.parquet"], Names(_folder["a*.parquet"]));
        Assert.Equal(["a.parquet", "b.parquet"], Names(_folder["?.parquet"]));
        Assert.Equal(["sub/d.parquet", "sub2/d.parquet"], Names(_folder["sub*/d.parquet"]));
        Assert.Equal(["c.txt"], Names(_folder["c.txt"]));
        Assert.Equal(9, FeatureSet.Open([_folder["b.parquet"], _folder["sub"], _folder["c.*"]]).Rows);
        Directory.CreateDirectory(_folder["empty"]);
        Throws.Line(() => FeatureSet.Open(_folder["empty"]), "empty", "no file of features");
        Throws.Line(() => FeatureSet.Open(_folder["z*"]), "z*", "no file matches");
        Throws.Line(() => FeatureSet.Open(_folder["z"]), "no such file");
        Throws.Line(() => FeatureSet.Open([]), "no feature file");
    }

    [Fact]
    public void Labels_become_classes()
    {
        Write("a.parquet", 3, ParquetData.Create("Label", new[] { 10, -2, 9 }));
        Write("b.parquet", 2, ParquetData.Create("Label", new[] { 9, 100 }));
        var set = FeatureSet.Open(_folder["*.parquet"]);
        Assert.Equal(("Label", true, true), (set.LabelColumn, set.HasLabels, set.LabelsAreIntegers));
        Assert.Equal(["-2", "9", "10", "100"], set.Classes);
        using var reader = set.OpenReader();
        var labels = new int[5];
        Assert.Equal(5, reader.Read(new float[20], labels));
        Assert.Equal([2, 0, 1, 1, 3], labels);

        Write("t/a.parquet", 3, ParquetData.Create("words", ["b", "a", "B"]));
        var words = FeatureSet.Open(_folder["t"], new FeatureSetOptions { LabelColumn = "words" });
        Assert.Equal((false, "B,a,b"), (words.LabelsAreIntegers, string.Join(',', words.Classes)));
        Assert.False(FeatureSet.Open(_folder["t"]).HasLabels);
        Assert.False(FeatureSet.Open(_folder["a.parquet"], new FeatureSetOptions { ReadLabels = false }).HasLabels);

        Throws.Line(() => FeatureSet.Open(_folder["t"], new FeatureSetOptions { LabelColumn = "no" }), "'no'", "words (text)");
    }

    [Fact]
    public void Ambiguous_column_is_refused()
    {
        Write("two.parquet", 2, Lists("y2", 2, 3));
        Throws.Line(() => FeatureSet.Open(_folder["two.parquet"]), "x, y2", "FeaturesColumn");
        Assert.Equal(3, Open(_folder["two.parquet"], "y2").Dimension);
        ParquetWriter.Write(_folder["none.parquet"], [ParquetData.Create("f0", new float[2]), ParquetData.Create("n", new int[2])]);
        Throws.Line(() => FeatureSet.Open(_folder["none.parquet"]), "f0 (float32), n (int32)", "'f*'");
        Throws.Line(() => Open(_folder["none.parquet"], "x"), "no column 'x'", "f0 (float32)");
        Throws.Line(() => Open(_folder["none.parquet"], "m*"), "'m*'", "n (int32)");
        Throws.Line(() => Open(_folder["none.parquet"], "f0"), "'f0'", "expected lists");
        Assert.Equal(1, Open(_folder["none.parquet"], "f*").Dimension);
    }

    [Theory]
    [InlineData(3, "row 7", "found 3 values, expected 4")]
    [InlineData(6, "row 7", "found 6 values, expected 4")]
    [InlineData(0, "row 7", "empty")]
    public void Ragged_row_is_refused(int length, string row, string problem)
    {
        // Twelve rows of four in row groups of five, but for row 7.
        var offsets = Enumerable.Range(0, 13).Select(i => (i * 4) + (i > 7 ? length - 4 : 0)).ToArray();
        ParquetWriter.Write(
            _folder["r.parquet"],
            [ParquetData.FloatLists("x", new float[offsets[^1]], offsets)],
            new ParquetWriterOptions { RowGroupRows = 5 });
        Throws.Line(() => FeatureSet.Open(_folder["r.parquet"]), "r.parquet", "column 'x'", row, problem);
    }

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Gzip)]
    public void Dimension_is_found_from_the_start_of_a_large_page(CompressionMethod codec)
    {
        // A page of 9 MB of values that cannot be compressed well.
        const int Rows = 3000;
        const int Width = 777;
        var random = new Random(3);
        var values = Enumerable.Range(0, Rows * Width).Select(_ => random.NextSingle()).ToArray();
        ParquetWriter.Write(
            _folder["l.parquet"], [ParquetData.FloatLists("x", values, Width)], new ParquetWriterOptions { Compression = codec });
        using var file = ParquetFile.Open(_folder["l.parquet"]);
        using var pages = new PageReader(1 << 16);
        file.OpenPages(pages, file.Columns[0], 0);
        Assert.Equal(Width, pages.PeekFirstRow());
        var set = FeatureSet.Open(_folder["l.parquet"], new FeatureSetOptions { Normalize = false });
        Assert.Equal(Width, set.Dimension);
        var read = new float[values.Length];
        set.ReadRowGroup(0, read);
        Assert.Equal(values, read);
    }

    [Fact]
    public void Ragged_pair_with_the_right_total_is_refused()
    {
        ParquetWriter.Write(_folder["r.parquet"], [ParquetData.FloatLists("x", new float[16], new[] { 0, 4, 7, 12, 16 })]);
        var set = FeatureSet.Open(_folder["r.parquet"]);
        Throws.Line(() => set.ReadRowGroup(0, new float[16]), "r.parquet: column 'x', row 1: found 3 values, expected 4");
    }

    [Theory]
    [InlineData(float.NaN, "NaN", true)]
    [InlineData(float.PositiveInfinity, "infinite", true)]
    [InlineData(float.NegativeInfinity, "infinite", false)]
    public void Values_that_are_not_finite_are_refused(float value, string problem, bool normalize)
    {
        var floats = Enumerable.Range(1, 48).Select(i => (float)i).ToArray();
        floats[(9 * 4) + 2] = value;
        ParquetWriter.Write(_folder["n.parquet"], [ParquetData.FloatLists("x", floats, 4)], new ParquetWriterOptions { RowGroupRows = 5 });
        var set = FeatureSet.Open(_folder["n.parquet"], new FeatureSetOptions { Normalize = normalize });
        set.ReadRowGroup(0, new float[20]);
        Throws.Line(() => set.ReadRowGroup(1, new float[20]), "n.parquet: column 'x', row 9: element 2 is " + problem);
    }

    [Fact]
    public void Null_is_refused()
    {
        var columns = new[] { ParquetData.Create("f0", new float[6]), ParquetData.Create("f1", new float?[] { 1, 1, 1, 1, null, 1 }) };
        ParquetWriter.Write(_folder["n.parquet"], columns, new ParquetWriterOptions { RowGroupRows = 2 });
        var set = Open(_folder["n.parquet"], "f*");
        using var reader = set.OpenReader();
        Throws.Line(() => reader.Read(new float[12]), "n.parquet: column 'f1', row 4: it is null");
    }

    [SharedDataFact]
    public void Null_list_and_null_element_are_refused()
    {
        var path = SharedData.File("parquet-testing", "data", "nullable.impala.parquet");
        Throws.Line(() => Open(path, "int_array"), "int_array", "row 1", "element 0 of its list is null");
        var bad = SharedData.File("parquet-testing", "bad_data", "ARROW-GH-41317.parquet");
        Throws.Line(() => Open(bad, "list_float32"), "'list_float32', row 0: its list is empty");
        var set = Open(bad, "fixed_size_list_float32");
        Throws.Line(() => set.ReadRowGroup(0, new float[6]), "'fixed_size_list_float32', row 0: element 1 of its list is null");
    }

    [Fact]
    public void Files_that_differ_are_refused()
    {
        Write("a.parquet", 3);
        ParquetWriter.Write(_folder["b.parquet"], [Lists("x", 2, 5)]);
        Throws.Line(() => FeatureSet.Open(_folder.Path), "b.parquet: column 'x', row 0: found 5 values, expected 4", "a.parquet");
        ParquetWriter.Write(_folder["b.parquet"], [Lists("x", 0, 4)]);
        Throws.Line(() => FeatureSet.Open(_folder["b.parquet"]), "b.parquet: it has no rows");
        Assert.Equal([_folder["a.parquet"]], FeatureSet.Open(_folder.Path).Files);
        File.WriteAllBytes(_folder["b.parquet"], []);
        Throws.Line(() => FeatureSet.Open(_folder.Path), "b.parquet", "0 bytes");
    }

    [Fact]
    public void Pages_and_row_groups_do_not_matter()
    {
        // 3 MB in row groups of 700 rows, pages of 1 MB: batches cross both.
        const int Rows = 3000;
        const int Width = 257;
        var floats = Enumerable.Range(0, Rows * Width).Select(i => (float)(i % 8191)).ToArray();
        var columns = new[] { ParquetData.FloatLists("x", floats, Width), ParquetData.Create("y", Enumerable.Range(0, Rows).ToArray()) };
        ParquetWriter.Write(_folder["a.parquet"], columns, new ParquetWriterOptions { RowGroupRows = 1700 });
        var set = FeatureSet.Open(_folder["a.parquet"], new FeatureSetOptions { LabelColumn = "y", Normalize = false });
        Assert.Equal([0L, 1700], set.RowGroups.Select(group => group.FirstRow));
        using var reader = set.OpenReader();
        var x = new float[333 * Width];
        var y = new int[333];
        for (var row = 0; row < Rows;)
        {
            var read = reader.Read(x, y);
            Assert.Equal(Math.Min(333, Rows - row), read);
            Assert.True(x.AsSpan(0, read * Width).SequenceEqual(floats.AsSpan(row * Width, read * Width)));
            Assert.Equal(Enumerable.Range(row, read), y[..read]);
            row += read;
        }

        Assert.Equal(0, reader.Read(x, y));
    }

    [SharedDataTheory]
    [InlineData("train", 20_000)]
    [InlineData("val", 5_000)]
    [InlineData("test", 5_000)]
    public void Real_features_are_read(string split, int rows)
    {
        var path = SharedData.File("features", $"cifar10-resnet56-{split}.parquet");
        var set = FeatureSet.Open(path);
        Assert.Equal((256, rows, "features", "label"), (set.Dimension, (int)set.Rows, set.FeaturesColumn, set.LabelColumn));
        Assert.Equal(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], set.Classes);
        var x = new float[rows * 256];
        var y = new int[rows];
        using var reader = set.OpenReader();
        Assert.Equal(rows, reader.Read(x, y));
        for (var i = 0; i < rows; i++)
        {
            Assert.Equal(1, Math.Sqrt(x.AsSpan(i * 256, 256).ToArray().Sum(value => (double)value * value)), 3e-8);
        }

        Assert.Equal(
            ParquetTable.Read(path).ReadIntegers("label"),
            y.Select(label => long.Parse(set.Classes[label], CultureInfo.InvariantCulture)));
        var raw = new float[rows * 256];
        using var rawReader = FeatureSet.Open(path, new FeatureSetOptions { Normalize = false }).OpenReader();
        Assert.Equal(rows, rawReader.Read(raw));
        for (var i = 0; i < rows; i++)
        {
            var norm = Math.Sqrt(raw.AsSpan(i * 256, 256).ToArray().Sum(value => (double)value * value)) + 1e-8;
            Assert.Equal(raw[(i * 256) + (i % 256)] / norm, x[(i * 256) + (i % 256)], 1e-7);
        }
    }

    private static FeatureSet Open(string path, string features) =>
        FeatureSet.Open(path, new FeatureSetOptions { FeaturesColumn = features });

    private static ParquetData Lists(string name, int rows, int width) =>
        ParquetData.FloatLists(name, Enumerable.Range(1, rows * width).Select(i => (float)i).ToArray(), width);

    private void Write(string name, int rows, params ParquetData[] more)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        ParquetWriter.Write(_folder[name], [Lists("x", rows, 4), .. more]);
    }

    private IEnumerable<string> Names(string path) =>
        FeatureSet.Open(path).Files.Select(file => Path.GetRelativePath(_folder.Path, file));
}
