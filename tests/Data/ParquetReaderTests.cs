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
    public void Labels_of_every_type_and_encoding_are_read(string name)
    {
        AssertLabels("id", row => $"{row}");
        AssertLabels("label", row => $"{Fixtures.Label(row)}");
        AssertLabels("big", row => $"{row * 10_000_000_000}");
        AssertLabels("name", row => $"row-{row}");
        AssertLabels("kind", row => new[] { "cat", "dog", "eel" }[row % 3]);

        void AssertLabels(string column, Func<int, string> expected)
        {
            var set = FeatureSet.Open(Fixtures.File(name), new FeatureSetOptions { LabelColumn = column });
            using var reader = set.OpenReader();
            var labels = new int[Fixtures.Rows];
            Assert.Equal(Fixtures.Rows, reader.Read(new float[Fixtures.Rows * Fixtures.Dimension], labels));
            Assert.Equal(Enumerable.Range(0, Fixtures.Rows).Select(expected), labels.Select(label => set.Classes[label]));
        }
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Features_are_read_whatever_the_batch(string name)
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
    public void One_column_per_dimension_is_read_in_the_order_of_the_numbers(string name, string label, bool integers)
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
    public void Schema_lists_columns_with_types()
    {
        using var file = ParquetFile.Open(Fixtures.File("rust-gzip-v1-fixed.parquet"));
        Assert.Equal(
            ["id int32", "label int32", "name text", "kind text", "flag bool", "score float64", "big int64", "features list<float32>"],
            file.Columns.Select(column => $"{column.Name} {column}"));
        Assert.Equal("features.list.item", file.FindColumn("features")!.Path);
        Assert.True(file.FindColumn("features")!.IsList);
        Assert.Same(file.FindColumn("features"), file.FindColumn("features.list.item"));
        Assert.Contains("parquet-rs", file.CreatedBy, StringComparison.Ordinal);
    }

    [Fact]
    public void Unreadable_file_or_column_gives_one_line()
    {
        void Open(string features) =>
            FeatureSet.Open(Fixtures.File("duckdb-snappy-v1.parquet"), new FeatureSetOptions { FeaturesColumn = features });
        Throws.Line(() => Open("nothing"), "v1.parquet", "'nothing'", "id (int32)", "features (list<float32>)");
        Throws.Line(() => Open("name"), "column 'name'", "text", "lists of numbers");
        Throws.Line(() => FeatureSet.Open("nowhere.parquet"), "nowhere.parquet: no such file");
        Throws.Line(() => ParquetFile.Open(Path.GetTempPath()), "cannot be opened");
        Throws.Line(() => ParquetFile.Open(Fixtures.File("README.md")), "README.md", "text");
    }
}
