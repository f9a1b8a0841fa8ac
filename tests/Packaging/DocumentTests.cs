using System.Text.RegularExpressions;

namespace MonoLoss.Tests.Packaging;

/// <summary>Links between documents and to source files work.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Relative_links_lead_to_files()
    {
        Assert.SkipWhen(SourceTree.Root is null, "needs the source tree");
        string[] documents =
        [
            .. Directory.EnumerateFiles(SourceTree.Root!, "*.md"),
            .. Directory.EnumerateFiles(Path.Combine(SourceTree.Root!, "docs"), "*.md"),
            Path.Combine(SourceTree.Root!, "tests", "goldens", "README.md"),
        ];
        var broken =
            from document in documents
            from Match link in RelativeLink().Matches(File.ReadAllText(document))
            let target = Path.Combine(Path.GetDirectoryName(document)!, link.Groups[1].Value)
            where !Path.Exists(target)
            select $"{Path.GetRelativePath(SourceTree.Root!, document)} links to {link.Groups[1].Value}";
        Assert.Empty(broken);
    }

    [GeneratedRegex(@"\]\((?!https?://|#)([^)#\s]+)")]
    private static partial Regex RelativeLink();
}
