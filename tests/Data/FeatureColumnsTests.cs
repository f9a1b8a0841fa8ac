using MonoLoss.Data;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Tests.Data;

/// <summary>Which columns of a file are features.</summary>
public sealed class FeatureColumnsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("f*", "f0,f1,f2,f10")]
    [InlineData("f*,!f10", "f0,f1,f2")]
    [InlineData("f[1-2]", "f1,f2")]
    [InlineData("f[0..2]", "f0,f1,f2")]
    [InlineData("f0..f2", "f0,f1,f2")]
    [InlineData("f0..2,f10", "f0,f1,f2,f10")]
    [InlineData("g[00-01]", "g00,g01")]
    [InlineData("g?1,f1", "f1,g01")]
    [InlineData("*", "f0,f1,f2,f10,g00,g01")]
    [InlineData("*,!g*", "f0,f1,f2,f10")]
    [InlineData("f0,image_id", "f0,image_id")]
    public void Pattern_takes_the_columns_it_says(string pattern, string expected)
    {
        Write("a.parquet", "f10", "f2", "f0", "f1", "image_id", "g01", "g00", "label", "__index_level_0__", "ID");
        Assert.Equal(expected, string.Join(',', Open("a.parquet", pattern).FeatureNames));
    }

    [Fact]
    public void Columns_that_a_wildcard_leaves_out_are_named()
    {
        Write("a.parquet", "f0", "f1", "image_id", "label");
        Assert.Contains("'*' leaves out image_id", Assert.Single(Open("a.parquet", "*").Notices), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("f[0-3]", "no column 'f3'")]
    [InlineData("f[2-0]", "ends before it begins")]
    [InlineData("f*,h", "no column 'h'")]
    [InlineData("h*", "no column of numbers matches 'h*'")]
    [InlineData("!f*", "no column of numbers matches '!f*'")]
    [InlineData("0..99999999999", "no column '0'")]
    [InlineData("*", "'words'", "text", "'*,!words'")]
    public void Pattern_that_does_not_fit_is_refused(string pattern, params string[] words)
    {
        ParquetWriter.Write(_folder["a.parquet"],
        [
            .. new[] { "f0", "f1", "f2" }.Select(name => ParquetData.Create(name, new float[2])), ParquetData.Create("words", ["a", "b"]),
        ]);
        Throws.Line(() => Open("a.parquet", pattern), ["a.parquet", .. words]);
    }

    [Fact]
    public void Columns_agree_by_name_in_every_file()
    {
        Write("set/a.parquet", "f0", "f1", "f2");
        Write("set/b.parquet", "f2", "f0", "f1");
        var set = Open("set", "f*");
        var values = new float[12];
        using var reader = set.OpenReader();
        Assert.Equal(4, reader.Read(values));
        // Every column holds its number in the name.
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], values);

        Write("set/c.parquet", "f0", "f1", "f3");
        Throws.Line(() => Open("set", "f*"), "c.parquet", "missing: f2", "only here: f3", "a.parquet");
        var options = new FeatureSetOptions { FeaturesColumn = "f*", FeatureNames = ["f0", "f1", "f4"] };
        Throws.Line(() => FeatureSet.Open(_folder["set/a.parquet"], options), "a.parquet", "missing: f4", "the training set");
    }

    [Fact]
    public void Integers_and_booleans_convert_to_floats()
    {
        ParquetWriter.Write(_folder["a.parquet"],
        [
            ParquetData.Create("f0", new[] { 16777217, -3 }), ParquetData.Create("f1", new[] { long.MaxValue, -9007199791611905L }),
            ParquetData.Create("f2", new[] { true, false }), ParquetData.Create("f3", new[] { 0.1, -2 }),
        ]);
        var values = new float[8];
        Open("a.parquet", "f*").ReadRowGroup(0, values);
        Assert.Equal([16777216, 9223372036854775807, 1, 0.1f, -3, -9007200328482816, 0, -2], values);
    }

    [Fact]
    public void Two_columns_of_one_name_are_refused()
    {
        Write("a.parquet", "f0", "f1", "g1");
        // Names have the same length, so that nothing else in the footer changes.
        var bytes = File.ReadAllBytes(_folder["a.parquet"]);
        for (var at = bytes.AsSpan().IndexOf("g1"u8); at >= 0; at = bytes.AsSpan().IndexOf("g1"u8))
        {
            bytes[at] = (byte)'f';
        }

        Throws.Line(
            () => FeatureSet.Open("b.parquet", bytes, new FeatureSetOptions { FeaturesColumn = "f*" }), "b.parquet", "named 'f1'");
    }

    [Fact]
    public void Floats_are_taken_before_integers()
    {
        ParquetWriter.Write(_folder["a.parquet"],
        [
            ParquetData.Create("flag", new[] { true, false }), ParquetData.FloatLists("v", new float[4], 2),
            ParquetData.Create("n", new[] { 1, 2 }),
        ]);
        Assert.Equal("v", Open("a.parquet", null).FeaturesColumn);
    }

    private FeatureSet Open(string name, string? features) =>
        FeatureSet.Open(_folder[name], new FeatureSetOptions { FeaturesColumn = features, Normalize = false });

    // Every column holds the number in its name.
    private void Write(string name, params string[] columns)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        ParquetWriter.Write(_folder[name], [.. columns.Select(column =>
        {
            var digits = column.Where(char.IsAsciiDigit).ToArray();
            var number = digits.Length == 0 ? 0 : int.Parse(digits, System.Globalization.CultureInfo.InvariantCulture);
            return column[0] == 'f' && number % 2 == 1
                ? ParquetData.Create(column, new[] { number, number })
                : ParquetData.Create(column, new float[] { number, number });
        })]);
    }
}
