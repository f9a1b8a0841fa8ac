using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>Where the features are in a model's output for an image, and which of them are taken.</summary>
internal sealed class TokenLayout
{
    // No prefix (SigLIP, Swin), a class token (ViT, CLIP, DINOv2), a class token and four registers (DINOv2 with registers).
    private static readonly int[] UsualPrefixes = [1, 0, 5];

    private readonly TokenKind? _kind;
    private readonly bool _channelsFirst;

    private TokenLayout(TokenKind? kind, int prefix, int tokens, int dimension, bool channelsFirst)
    {
        (_kind, Prefix, Tokens, Dimension, _channelsFirst) = (kind, prefix, tokens, dimension, channelsFirst);
    }

    /// <summary>Number of special tokens before the patches.</summary>
    public int Prefix { get; }

    /// <summary>Number of tokens of an image; 1 for a pooled output.</summary>
    public int Tokens { get; }

    /// <summary>Features per row.</summary>
    public int Dimension { get; }

    /// <summary>Values of an image's output.</summary>
    public int Values => Tokens * Dimension;

    /// <summary>What is taken, for metadata.</summary>
    public string Name => _kind?.ToString().ToLowerInvariant() ?? "pooled";

    /// <summary>Whether an image becomes several rows, with positions.</summary>
    public bool HasPositions => _kind is TokenKind.Patches or TokenKind.All;

    /// <summary>Rows of an image.</summary>
    public int Rows => _kind switch
    {
        TokenKind.Patches => Tokens - Prefix,
        TokenKind.All => Tokens,
        _ => 1,
    };

    /// <summary>The position of a row's patch: row by row from the upper left, from 0; −1 and below for the special tokens.</summary>
    public int Position(int row) => _kind == TokenKind.All ? row - Prefix : row;

    /// <summary>Finds the layout.</summary>
    /// <param name="output">What the output is called in messages.</param>
    /// <param name="shape">Its shape for one image, with the batch as first axis.</param>
    /// <param name="kind">What the user wants; null for what is usual.</param>
    /// <param name="prefix">The number of special tokens; null to find it.</param>
    /// <exception cref="DataException">The output has another shape, or no such tokens.</exception>
    public static TokenLayout Create(string output, IReadOnlyList<long> shape, TokenKind? kind, int? prefix) => shape switch
    {
        [_, var dimension] => Pooled(output, kind, dimension),
        [_, var dimension, 1, 1] => Pooled(output, kind, dimension),
        [_, var tokens, var dimension] => OfTokens(output, kind, (int)tokens, (int)dimension, prefix ?? FindPrefix(output, tokens)),
        [_, var dimension, var height, var width] => kind is TokenKind.Mean or TokenKind.Patches or TokenKind.All
            ? new TokenLayout(kind, 0, (int)(height * width), (int)dimension, channelsFirst: true)
            : throw new DataException($"{output} is a map of {height} × {width} with no class token; give --token mean or patches"),
        _ => throw new DataException($"{output} has the shape {string.Join(" × ", shape)}, expected batch × features, "
            + "batch × tokens × features, or batch × features × height × width"),
    };

    /// <summary>Takes an image's rows from its output.</summary>
    /// <param name="source"><see cref="Values"/> values.</param>
    /// <param name="target">Receives <see cref="Rows"/> × <see cref="Dimension"/> values.</param>
    public void Take(ReadOnlySpan<float> source, Span<float> target)
    {
        var first = _kind is TokenKind.Patches or TokenKind.Mean ? Prefix : 0;
        if (_kind == TokenKind.Mean)
        {
            Mean(source, target, first);
        }
        else if (_channelsFirst)
        {
            for (var i = 0; i < target.Length; i++)
            {
                target[i] = source[((i % Dimension) * Tokens) + (i / Dimension)];
            }
        }
        else
        {
            source.Slice(first * Dimension, target.Length).CopyTo(target);
        }
    }

    private void Mean(ReadOnlySpan<float> source, Span<float> target, int first)
    {
        var (ofToken, ofFeature) = _channelsFirst ? (1, Tokens) : (Dimension, 1);
        for (var feature = 0; feature < Dimension; feature++)
        {
            var sum = 0.0;
            for (var token = first; token < Tokens; token++)
            {
                sum += source[(token * ofToken) + (feature * ofFeature)];
            }

            target[feature] = (float)(sum / (Tokens - first));
        }
    }

    private static TokenLayout Pooled(string output, TokenKind? kind, long dimension) => kind is null
        ? new TokenLayout(null, 0, 1, (int)dimension, channelsFirst: false)
        : throw new DataException($"{output} has one vector of {dimension} per image, no tokens; "
            + "leave --token out, or choose another --output");

    private static TokenLayout OfTokens(string output, TokenKind? kind, int tokens, int dimension, int prefix)
    {
        var usual = kind ?? (prefix > 0 ? TokenKind.Cls
            : throw new DataException($"{output} has {tokens} tokens and no class token; give --token mean or patches"));
        return usual == TokenKind.Cls && prefix == 0 ? throw new DataException($"{output} has no class token, but --token is cls")
            : prefix >= tokens ? throw new DataException($"{output} has only {tokens} tokens, but --prefix-tokens is {prefix}")
            : new TokenLayout(usual, prefix, tokens, dimension, channelsFirst: false);
    }

    private static int FindPrefix(string output, long tokens)
    {
        foreach (var prefix in UsualPrefixes)
        {
            var side = (long)Math.Round(Math.Sqrt(tokens - prefix));
            if (side > 0 && side * side == tokens - prefix)
            {
                return prefix;
            }
        }

        throw new DataException($"{output} has {tokens} tokens, which are not a square of patches after 0, 1 or 5 special ones; "
            + "give --prefix-tokens");
    }
}
