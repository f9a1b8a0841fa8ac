namespace MonoLoss.Tests.Packaging;

/// <summary>Source rules that no analyzer of the SDK checks.</summary>
public sealed class SourceTests
{
    private const int MaxLineLength = 140;

    [Fact]
    public void Lines_are_at_most_140_characters()
    {
        Assert.SkipWhen(SourceTree.Root is null, "needs the source tree");
        var tooLong =
            from file in SourceTree.CodeFiles()
            from line in File.ReadLines(file).Select((text, index) => (text.Length, Number: index + 1))
            where line.Length > MaxLineLength
            select $"{Path.GetRelativePath(SourceTree.Root!, file)}:{line.Number} has {line.Length}";
        Assert.Empty(tooLong);
    }
}
