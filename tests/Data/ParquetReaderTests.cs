using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Files by DuckDB, parquet-rs and hyparquet (fixtures/README.md), in every encoding, codec and page version they write.</summary>
public sealed class ParquetReaderTests
{
    public static TheoryData<string> Tables => [.. Directory.GetFiles(Fixtures.Folder, "*.parquet").Select(path => Path.GetFileName(path))
        .Where(name => !name.Contains("columns", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Tables))]
    public void EveryValueOfEveryColumnIsRead(string name)
    {
        using var file = ParquetFile.Open(Fixtures.File(name));
        Assert.Equal(Fixtures.Rows, file.Rows);
        Assert.NotEmpty(file.CreatedBy!);
        var row = 0;
        for (var g = 0; g < file.RowGroups.Count; g++)
        {
            var id = file.ReadColumn<int>("id", g);
            var label = file.ReadColumn<long>("label", g);
            var text = file.ReadColumn<string>("name", g);
            var kind = file.ReadColumn<string>("kind", g);
            var flag = file.ReadColumn<bool>("flag", g);
            var score = file.ReadColumn<double>("score", g);
            var big = file.ReadColumn<long>("big", g);
            var features = file.ReadColumn<float>("features", g);
            for (var i = 0; i < file.RowGroups[g]; i++, row++)
            {
                Assert.Equal(row, id.Values[i]);
                Assert.Equal(Fixtures.Label(row), label.Values[i]);
                Assert.Equal($"row-{row}", text.Values[i]);
                Assert.Equal(new[] { "cat", "dog", "eel" }[row % 3], kind.Values[i]);
                Assert.Equal(row % 3 == 0, flag.Values[i]);
                Assert.Equal(row % 4 == 0, score.IsNull(i));
                Assert.Equal(row % 4 == 0 ? 0 : row * 1.5, score.Values[i]);
                Assert.Equal(row * 10_000_000_000, big.Values[i]);
                Assert.Equal(Enumerable.Range(0, Fixtures.Dimension).Select(j => Fixtures.Feature(row, j)), features.Row(i).ToArray());
            }
        }

        Assert.Equal(Fixtures.Rows, row);
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void FeaturesAreReadWhateverTheBatch(string name)
    {
        var set = FeatureSet.Open(Fixtures.File(name), new FeatureSetOptions { Normalize = false });
        Assert.Equal(("features", "label", 8, 60L), (set.FeaturesColumn, set.LabelColumn, set.Dimension, set.Rows));
        foreach (var batch in new[] { 1, 7, 25, 60, 100 })
        {
            using var reader = set.OpenReader();
            var x = new float[batch * set.Dimension];
            var y = new int[batch];
            var row = 0;
            for (int read; (read = reader.Read(x, y)) > 0;)
            {
                Assert.True(read == batch || row + read == 60);
                for (var i = 0; i < read; i++, row++)
                {
                    Assert.Equal(Fixtures.Label(row), y[i]);
                    for (var j = 0; j < set.Dimension; j++)
                    {
                        Assert.Equal(Fixtures.Feature(row, j), x[(i * set.Dimension) + j]);
                    }
                }
            }

            Assert.Equal(60, row);
        }
    }

    [Theory]
    [InlineData("duckdb-columns.parquet", "Target", false)]
    [InlineData("duckdb-columns-double.parquet", "y", true)]
    public void AColumnForEachDimensionIsReadInTheOrderOfTheNumbers(string name, string label, bool integers)
    {
        var options = new FeatureSetOptions { FeaturesColumn = "f*", Normalize = false };
        var set = FeatureSet.Open(Fixtures.File(name), options);
        Assert.Equal((12, label, integers), (set.Dimension, set.LabelColumn, set.LabelsAreIntegers));
        Assert.Equal(integers ? ["0", "1", "2", "3", "4"] : ["c0", "c1", "c2", "c3", "c4"], set.Classes);
        var x = new float[60 * 12];
        var y = new int[60];
        set.ReadRowGroup(0, x, y);
        for (var i = 0; i < 60; i++)
        {
            Assert.Equal(Fixtures.Label(i), y[i]);
            for (var j = 0; j < 12; j++)
            {
                Assert.Equal(Fixtures.Feature(i, j), x[(i * 12) + j]);
            }
        }
    }

    [Fact]
    public void ASchemaSaysWhatIsThere()
    {
        using var file = ParquetFile.Open(Fixtures.File("rust-gzip-v1-fixed.parquet"));
        Assert.Equal(
            ["id int32", "label int32", "name string", "kind string", "flag boolean", "score double", "big int64", "features list<float>"],
            file.Columns.Select(column => $"{column.Name} {column}"));
        Assert.Equal("features.list.item", file.FindColumn("features")!.Path);
        Assert.True(file.FindColumn("features")!.IsList);
        Assert.Same(file.FindColumn("features"), file.FindColumn("features.list.item"));
        Assert.Contains("parquet-rs", file.CreatedBy, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatCannotBeReadIsSaidInALine()
    {
        using var file = ParquetFile.Open(Fixtures.File("duckdb-snappy-v1.parquet"));
        Throws.Line(() => file.ReadColumn<int>("nothing", 0), "v1.parquet", "'nothing'", "id (int32)", "features (list<float>)");
        Throws.Line(() => file.ReadColumn<int>("name", 0), "column 'name'", "string", "int32");
        Throws.Line(() => file.ReadColumn<int>("big", 0), "column 'big'", "int64");
        Throws.Line(() => ParquetFile.Open("nowhere.parquet"), "nowhere.parquet: no such file");
        Throws.Line(() => ParquetFile.Open(Path.GetTempPath()), "cannot be opened");
        Throws.Line(() => ParquetFile.Open(Fixtures.File("README.md")), "README.md", "PAR1");
    }
}
