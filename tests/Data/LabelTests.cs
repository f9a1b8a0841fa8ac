using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Labels of every kind, and what is said where they cannot be used.</summary>
public sealed class LabelTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rows_without_a_label_are_no_class()
    {
        Write("a.parquet", ParquetData.Create("label", new int?[] { 3, null, -1, 3, 0 }));
        var set = Open("a.parquet");
        Assert.Equal(["0", "3"], set.Classes);
        Assert.Equal([1, -1, -1, 1, 0], Ids(set));
        Assert.Contains("2 of 5 rows have no label", Assert.Single(set.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Minus_one_among_other_negative_numbers_is_a_class()
    {
        Write("a.parquet", ParquetData.Create("label", new[] { -2, -1, 0, 1, 2 }));
        Assert.Equal(["-2", "-1", "0", "1", "2"], Open("a.parquet").Classes);
    }

    [Fact]
    public void Whole_floats_and_booleans_are_labels()
    {
        Write(
            "a.parquet",
            ParquetData.Create("label", new[] { 1.0, double.NaN, 1e20, -1, 0 }),
            ParquetData.Create("flag", [true, false, true, true, false]));
        var set = Open("a.parquet");
        Assert.Equal(["0", "1", "100000000000000000000"], set.Classes);
        Assert.Equal([1, -1, 2, -1, 0], Ids(set));
        Assert.Null(set.ClassNumbers);
        var flags = Open("a.parquet", "flag");
        Assert.Equal(["false", "true"], flags.Classes);
        Assert.Equal([1, 0, 1, 1, 0], Ids(flags));
    }

    [Fact]
    public void Labels_that_cannot_be_used_are_left_out_with_a_notice()
    {
        Write("a.parquet", ParquetData.Create("label", [0.5, 1, 2, 3, 4]), ParquetData.Create("target", new[] { 1, 2, 1, 2, 1 }));
        var set = Open("a.parquet");
        Assert.Equal("target", set.LabelColumn);
        Assert.Contains("column 'label', row 0: found a number that is not whole", Assert.Single(set.Notices), StringComparison.Ordinal);
        Throws.Line(() => Open("a.parquet", "label"), "a.parquet", "'label', row 0", "not whole");
        Assert.Empty(FeatureSet.Open(_folder["a.parquet"], new FeatureSetOptions { ReadLabels = false }).Notices);

        Write("b.parquet", ParquetData.Create("label", new int?[5]));
        Assert.Contains("has no label in any row", Assert.Single(Open("b.parquet").Notices), StringComparison.Ordinal);
        Throws.Line(() => Open("b.parquet", "label"), "has no label in any row");
    }

    [Fact]
    public void Files_with_labels_of_different_kinds_are_named()
    {
        Write("s/a.parquet", ParquetData.Create("label", new[] { 1, 2, 3, 1, 2 }));
        Write("s/b.parquet", ParquetData.Create("label", [1.0, 2, 3, 3, 3]));
        Assert.Equal(["1", "2", "3"], Open("s").Classes);
        Write("s/c.parquet", ParquetData.Create("label", ["1", "2", "3", "1", "2"]));
        Assert.Contains("c.parquet: label column 'label' holds text, in ", Assert.Single(Open("s").Notices), StringComparison.Ordinal);
        Throws.Line(() => Open("s", "label"), "c.parquet", "text", "a.parquet int32");
        Write("s/c.parquet");
        Throws.Line(() => Open("s", "label"), "c.parquet", "no label column 'label'");
        Assert.False(Open("s").HasLabels);
    }

    [Theory]
    [InlineData("""["a", "b"]""", null, "a,b")]
    [InlineData(null, """["a", "b"]""", "a,b")]
    [InlineData("""["a", "b"]""", """["a", "b"]""", "a,b")]
    [InlineData("""["a", "b"]""", """["b", "a"]""", "other names of classes")]
    [InlineData("""["a"]""", null, "a,1")]
    [InlineData("{", null, "0,1")]
    [InlineData("[1, 2]", null, "0,1")]
    public void Names_of_classes_agree_in_all_files(string? first, string? second, string expected)
    {
        foreach (var (file, names) in new[] { ("a", first), ("b", second) })
        {
            var metadata = new Dictionary<string, string>();
            if (names is not null)
            {
                metadata["huggingface"] = "{\"info\": {\"features\": {\"label\": {\"names\": " + names + "}}}}";
            }

            Directory.CreateDirectory(_folder["c"]);
            ParquetWriter.Write(
                _folder[$"c/{file}.parquet"],
                [ParquetData.FloatLists("x", new float[] { 1, 2 }, 1), ParquetData.Create("label", new[] { 0, 1 })],
                new ParquetWriterOptions { Metadata = metadata });
        }

        var set = Open("c");
        Assert.Contains(expected, string.Join(',', set.Classes.Concat(set.Notices)), StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_give_labels()
    {
        foreach (var value in new[] { "10", "9", "__HIVE_DEFAULT_PARTITION__" })
        {
            Write($"n/label={value}/a.parquet");
        }

        var set = Open("n");
        Assert.Equal(["9", "10"], set.Classes);
        Assert.Equal([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1], Ids(set));

        Write("t/kind=tree%20frog/a.parquet");
        Write("t/kind=7/a.parquet");
        Assert.Equal(["7", "tree frog"], Open("t", "kind").Classes);
    }

    [Fact]
    public void Column_of_ids_is_not_used_unless_it_is_asked_for()
    {
        const int Rows = 300;
        ParquetWriter.Write(_folder["a.parquet"],
            [ParquetData.FloatLists("x", new float[Rows], 1), ParquetData.Create("label", Enumerable.Range(0, Rows).ToArray())]);
        var set = Open("a.parquet");
        Assert.False(set.HasLabels);
        Assert.Contains("300 classes for 300 rows", Assert.Single(set.Notices), StringComparison.Ordinal);
        Assert.Equal(Rows, Open("a.parquet", "label").Classes.Count);
    }

    private FeatureSet Open(string name, string? label = null) =>
        FeatureSet.Open(_folder[name], new FeatureSetOptions { LabelColumn = label });

    private static int[] Ids(FeatureSet set)
    {
        var ids = new int[set.Rows];
        using var reader = set.OpenReader();
        reader.Read(new float[set.Rows * set.Dimension], ids);
        var labels = new LabelBatch();
        set.GetLabels(0, ids.Length, labels);
        Assert.Equal(ids, Enumerable.Range(0, ids.Length).Select(row => labels[row].IsEmpty ? -1 : labels[row][0]));
        return ids;
    }

    private void Write(string name, params ParquetData[] columns)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        ParquetWriter.Write(_folder[name], [ParquetData.FloatLists("x", new float[] { 1, 2, 3, 4, 5 }, 1), .. columns]);
    }
}
