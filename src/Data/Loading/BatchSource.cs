namespace MonoLoss.Data;

/// <summary>How batches are drawn from a <see cref="FeatureSet"/>.</summary>
public sealed record BatchOptions
{
    /// <summary>Rows per batch.</summary>
    public required int BatchSize { get; init; }

    /// <summary>The seed that, with the epoch, determines the order of rows.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Whether rows are shuffled; otherwise they come as they are in the files.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>
    /// Bytes that features may take in memory; 0 for half of what the machine has. A set that fits is loaded whole. Otherwise rows are
    /// streamed through a shuffle buffer of this size (or of one batch, if that is larger). While files are read, one page of each column
    /// of features is held besides, as it is in the file and decompressed; where a buffer grows, old and new exist together for a moment.
    /// So reading takes at most this limit and twice the largest page, compressed and decompressed.
    /// </summary>
    public long MemoryBytes { get; init; }

    /// <summary>Bytes that features may take in memory: <see cref="MemoryBytes"/>, or its default.</summary>
    public long MemoryLimit => MemoryBytes > 0 ? MemoryBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
}

/// <summary>
/// Yields batches of rows, in an order that is a function of the seed and the epoch alone. Rows at the end of an epoch that do not fill a
/// batch are dropped. Not thread-safe.
/// </summary>
/// <example><code>
/// for (var epoch = 0; epoch &lt; epochs; epoch++)
/// {
///     source.StartEpoch(epoch);
///     while (source.Next(x))
///     {
///         Train(x);
///     }
/// }
/// </code></example>
public abstract class BatchSource : IDisposable
{
    private protected BatchSource(FeatureSet set, int batchSize)
    {
        if (batchSize <= 0)
        {
            throw new DataException($"batch size {batchSize}: expected at least 1");
        }

        if (set.Rows < batchSize)
        {
            throw new DataException(
                $"{set.Files[0]}: {set.Rows} rows are fewer than a batch of {batchSize}: use a BatchSize of {set.Rows} at most",
                property: nameof(BatchOptions.BatchSize));
        }

        Dimension = set.Dimension;
        SimilarityDimension = set.Similarity?.Dimension ?? 0;
        Rows = set.Rows;
        BatchSize = batchSize;
    }

    /// <summary>Floats per row.</summary>
    public int Dimension { get; }

    /// <summary>Floats per row of the second column of features; 0 if there is none.</summary>
    public int SimilarityDimension { get; }

    /// <summary>Rows of the set.</summary>
    public long Rows { get; }

    /// <summary>Rows per batch.</summary>
    public int BatchSize { get; }

    /// <summary>Batches per epoch.</summary>
    public long BatchesPerEpoch => Rows / BatchSize;

    /// <summary>Picks the source: the whole set in memory if it fits, otherwise streaming.</summary>
    /// <exception cref="DataException">The data cannot be read, or are fewer than a batch.</exception>
    public static BatchSource Create(FeatureSet set, BatchOptions options) =>
        set.Bytes <= options.MemoryLimit && set.Rows <= Array.MaxLength
            ? new InMemoryBatchSource(set, options)
            : new StreamingBatchSource(set, options);

    /// <summary>Starts an epoch; call it before the first batch of each.</summary>
    /// <param name="epoch">Its number, from 0.</param>
    /// <param name="skipBatches">Batches to skip: those that follow are the same as if these had been drawn.</param>
    public abstract void StartEpoch(int epoch, long skipBatches = 0);

    /// <summary>Draws the next batch.</summary>
    /// <param name="features">Receives batch size × dimension floats.</param>
    /// <param name="similarity">Receives batch size × similarity dimension floats, if the set has a second column; else empty.</param>
    /// <returns>False, and nothing is written, at the end of the epoch.</returns>
    /// <exception cref="DataException">The data cannot be read.</exception>
    public abstract bool Next(Span<float> features, Span<float> similarity = default);

    /// <summary>Frees the memory and ends any thread.</summary>
    public abstract void Dispose();

    private protected void CheckRoom(Span<float> features, Span<float> similarity)
    {
        if (similarity.Length != (long)BatchSize * SimilarityDimension)
        {
            throw new ArgumentException(
                $"{similarity.Length} floats for {BatchSize} rows of {SimilarityDimension}", nameof(similarity));
        }

        if (features.Length != (long)BatchSize * Dimension)
        {
            throw new ArgumentException($"{features.Length} floats for {BatchSize} rows of {Dimension}", nameof(features));
        }
    }

    private protected void CheckEpoch(int epoch, long skipBatches)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(skipBatches);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(skipBatches, BatchesPerEpoch);
    }
}
