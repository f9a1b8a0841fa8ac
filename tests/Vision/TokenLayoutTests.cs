using MonoLoss.Tests.Data;
using MonoLoss.Vision;

namespace MonoLoss.Tests.Vision;

/// <summary>Which rows an output becomes.</summary>
public sealed class TokenLayoutTests
{
    // Two features of five tokens: a class token and 2 × 2 patches.
    private static readonly float[] Tokens = [0, 100, 1, 101, 2, 102, 3, 103, 4, 104];

    [Theory]
    [InlineData(null, new float[] { 0, 100 }, new int[] { 0 })]
    [InlineData(TokenKind.Cls, new float[] { 0, 100 }, new int[] { 0 })]
    [InlineData(TokenKind.Mean, new[] { 2.5f, 102.5f }, new int[] { 0 })]
    [InlineData(TokenKind.Patches, new float[] { 1, 101, 2, 102, 3, 103, 4, 104 }, new int[] { 0, 1, 2, 3 })]
    [InlineData(TokenKind.All, new float[] { 0, 100, 1, 101, 2, 102, 3, 103, 4, 104 }, new int[] { -1, 0, 1, 2, 3 })]
    public void Tokens_become_rows(TokenKind? kind, float[] expected, int[] positions)
    {
        var layout = TokenLayout.Create("output", [1, 5, 2], kind, null);
        var rows = new float[layout.Rows * layout.Dimension];
        layout.Take(Tokens, rows);
        Assert.Equal(expected, rows);
        Assert.Equal(positions, Enumerable.Range(0, layout.Rows).Select(layout.Position));
    }

    [Theory]
    [InlineData(TokenKind.Mean, new[] { 1.5f, 101.5f })]
    [InlineData(TokenKind.Patches, new float[] { 0, 100, 1, 101, 2, 102, 3, 103 })]
    public void Maps_become_rows(TokenKind kind, float[] expected)
    {
        var layout = TokenLayout.Create("output", [1, 2, 2, 2], kind, null);
        var rows = new float[layout.Rows * layout.Dimension];
        layout.Take([0, 1, 2, 3, 100, 101, 102, 103], rows);
        Assert.Equal(expected, rows);
    }

    [Theory]
    [InlineData(257, 1)]
    [InlineData(729, 0)]
    [InlineData(261, 5)]
    [InlineData(197, 1)]
    [InlineData(49, 0)]
    public void Special_tokens_are_found(int tokens, int prefix) =>
        Assert.Equal(prefix, TokenLayout.Create("output", [1, tokens, 8], TokenKind.Patches, null).Prefix);

    [Fact]
    public void What_an_output_does_not_have_is_refused()
    {
        Throws.Line(() => TokenLayout.Create("output", [1, 49, 8], TokenKind.Cls, null), "no class token");
        Throws.Line(() => TokenLayout.Create("output", [1, 49, 8], null, null), "--token mean or patches");
        Throws.Line(() => TokenLayout.Create("output", [1, 512], TokenKind.Patches, null), "one vector of 512");
        Throws.Line(() => TokenLayout.Create("output", [1, 12, 8], TokenKind.Patches, null), "--prefix-tokens");
        Throws.Line(() => TokenLayout.Create("output", [1, 4, 8], TokenKind.Patches, 4), "only 4 tokens");
        Throws.Line(() => TokenLayout.Create("output", [1, 4, 3, 2, 8], null, null), "1 × 4 × 3 × 2 × 8");
    }
}
