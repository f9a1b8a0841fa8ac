namespace MonoLoss.Vision;

/// <summary>What is extracted, and how.</summary>
public sealed record ExtractionOptions
{
    /// <summary>The images.</summary>
    public required IReadOnlyList<ImageSource> Sources { get; init; }

    /// <summary>The ONNX file of the model.</summary>
    public required string Model { get; init; }

    /// <summary>The Parquet file to write.</summary>
    public required string OutputPath { get; init; }

    /// <summary>How images are prepared; null for <c>preprocessor_config.json</c> beside the model.</summary>
    public Preprocessor? Preprocessor { get; init; }

    /// <summary>The model's output to take; null for the usual one.</summary>
    public string? OutputName { get; init; }

    /// <summary>Which tokens; null for the class token, or what the model has pooled.</summary>
    public TokenKind? Token { get; init; }

    /// <summary>The number of special tokens before the patches; null to find it.</summary>
    public int? PrefixTokens { get; init; }

    /// <summary>Images of a batch, where the model leaves the choice.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>CPU threads; 0 for one per core.</summary>
    public int Threads { get; init; }

    /// <summary>Whether a damaged image ends the extraction instead of being skipped.</summary>
    public bool Strict { get; init; }

    /// <summary>Whether to go on with a stopped extraction.</summary>
    public bool Resume { get; init; }
}

/// <summary>How far an extraction is.</summary>
/// <param name="Images">Images that are done, skipped ones included.</param>
/// <param name="Total">All of them; null if that is not known.</param>
/// <param name="Skipped">Images that were skipped.</param>
public readonly record struct ExtractionProgress(long Images, long? Total, long Skipped);

/// <summary>What an extraction has written.</summary>
/// <param name="Images">Images in the file.</param>
/// <param name="Rows">Rows of the file.</param>
/// <param name="Dimension">Features per row.</param>
/// <param name="Skipped">The images that were skipped, and why.</param>
public sealed record ExtractionResult(long Images, long Rows, int Dimension, IReadOnlyList<(string Id, string Reason)> Skipped);
