namespace MonoLoss.Tests.Data.Sources;

/// <summary>Text files of features, with what spreadsheets, pandas and numpy make of them.</summary>
public sealed class CsvSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("f0,f1\n1,-2.5\n3e-1,4\n")]
    [InlineData("\ufefff0,f1\r\n1,-2.5\r\n0.3,4")]
    [InlineData("1,-2.5\n0.3,4\n")]
    [InlineData("\n1;-2.5\n\n0.3;4\n\n")]
    [InlineData("f1\tf0\n-2.5\t1\n4\t0.3\n")]
    [InlineData(",0,1\n0,1,-2.5\n1,0.3,4\n")]
    [InlineData("0,1\n1,-2.5\n0.3,4\n")]
    [InlineData("\"f0\",\"f1\",\"label\"\n1,\"-2.5\",\"a, b\"\n0.3,4,\"line\nbreak \"\"x\"\"\"\n")]
    [InlineData("id,f0,f1,class\n7,1,-2.5,cat\n8,0.3,4,dog\n")]
    [InlineData("left,right\n1,-2.5\n0.3,4\n")]
    public void Rows_are_read(string text) => Assert.Equal([1, -2.5f, 0.3f, 4], SourceFiles.Read(SourceFiles.Open(Write(text))));

    [Fact]
    public void Labels_may_be_text_numbers_or_missing()
    {
        Assert.Equal(["a, b", "", "x \"y\""], SourceFiles.Labels(SourceFiles.Open(Write("f0,label\n1,\"a, b\"\n2,\n3,\"x \"\"y\"\"\"\n"))));
        Assert.Equal(["3", "", "-2"], SourceFiles.Labels(SourceFiles.Open(Write("f0,label\n1,3.0\n2,\n3,-2\n"))));
        Assert.Equal(["b", "a"], SourceFiles.Labels(SourceFiles.Open(Write("f0,kind\n1,b\n2,a\n"), label: "kind")));
    }

    [Theory]
    [InlineData("f0,f1\n1,2\n3,\n", "'f1', row 1", "no value")]
    [InlineData("f0,f1\n1,2\n3,x\n", "'f1', row 1", "'x'")]
    [InlineData("f0,f1\n1,2\n3,4,5\n", "row 1", "found 3 values", "expected 2")]
    [InlineData("f0,f1\n1,2\n3,inf\n", "'f1', row 1")]
    [InlineData("f0;f1\n1,5;2,5\n", "'f0', row 0", "semicolons", "decimal commas")]
    [InlineData("1,5;2,5\n1,5;2,5\n", "'0', row 0", "semicolons", "decimal commas")]
    [InlineData("id,emb\n1,\"[1.0, 2.0]\"\n", "'emb'", "list")]
    [InlineData("f0,f1,score\n1,2,3\n", "score", "'f*'")]
    [InlineData("f0,f1\n", "no rows")]
    [InlineData("f0,f1\n1,\"2\n", "quotes")]
    [InlineData("", "no rows")]
    [InlineData("a\0b", "UTF-8")]
    public void Text_that_cannot_be_features_is_refused(string text, params string[] words) =>
        Throws.Line(() => SourceFiles.Read(SourceFiles.Open(Write(text))), ["x.csv", .. words]);

    [Fact]
    public void Columns_are_chosen_by_a_pattern()
    {
        var path = Write("f1,f0,score\n1,2,3\n4,5,6\n");
        Assert.Equal([2, 1, 5, 4], SourceFiles.Read(SourceFiles.Open(path, "f*")));
        Throws.Line(() => SourceFiles.Open(path, "g*"), "'g*'", "f1, f0, score");
        Throws.Line(() => SourceFiles.Open(path, "f0"), "'f0'", "pattern");
        Throws.Line(() => SourceFiles.Open(path, "f"), "no column 'f'");
    }

    private string Write(string text)
    {
        File.WriteAllText(_folder["x.csv"], text);
        return _folder["x.csv"];
    }
}
