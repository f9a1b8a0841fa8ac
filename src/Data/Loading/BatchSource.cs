namespace MonoLoss.Data;

/// <summary>How batches are drawn from a <see cref="FeatureSet"/>.</summary>
public sealed record BatchOptions
{
    /// <summary>Rows of a batch.</summary>
    public required int BatchSize { get; init; }

    /// <summary>What the order of rows depends on, together with the epoch.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Whether rows are shuffled; otherwise they come as they are in the files.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Bytes that features may take in memory; 0 for half of what the machine has.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Bytes that features may take in memory: <see cref="MemoryBytes"/>, or its default.</summary>
    public long MemoryLimit => MemoryBytes > 0 ? MemoryBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
}

/// <summary>
/// Yields batches of rows, in an order that is a function of the seed and the epoch alone. The last batch of an epoch, if there are
/// too few rows left for it, is dropped. Not thread-safe.
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
    private protected BatchSource(int dimension, long rows, int batchSize, bool hasLabels)
    {
        if (batchSize <= 0)
        {
            throw new DataException($"batch size {batchSize}: expected at least 1");
        }

        if (rows < batchSize)
        {
            throw new DataException($"{rows} rows are too few for one batch of {batchSize}");
        }

        Dimension = dimension;
        Rows = rows;
        BatchSize = batchSize;
        HasLabels = hasLabels;
    }

    /// <summary>Floats in a row.</summary>
    public int Dimension { get; }

    /// <summary>Rows of the set.</summary>
    public long Rows { get; }

    /// <summary>Rows of a batch.</summary>
    public int BatchSize { get; }

    /// <summary>Whether there are labels.</summary>
    public bool HasLabels { get; }

    /// <summary>Batches of an epoch.</summary>
    public long BatchesPerEpoch => Rows / BatchSize;

    /// <summary>Picks the source: the whole set in memory if it fits, otherwise streaming.</summary>
    /// <exception cref="DataException">The data cannot be read, or are fewer than a batch.</exception>
    public static BatchSource Create(FeatureSet set, BatchOptions options) =>
        (Int128)set.Rows * set.Dimension * sizeof(float) <= options.MemoryLimit && set.Rows <= Array.MaxLength
            ? new InMemoryBatchSource(set, options)
            : new StreamingBatchSource(set, options);

    /// <summary>Starts an epoch; call it before the first batch of each.</summary>
    /// <param name="epoch">Its number, from 0.</param>
    /// <param name="skipBatches">Batches to pass over: what follows is the same as if they had been drawn.</param>
    public abstract void StartEpoch(int epoch, long skipBatches = 0);

    /// <summary>Draws the next batch.</summary>
    /// <param name="features">Batch size × dimension floats.</param>
    /// <param name="labels">Room for a class index for each row, or empty.</param>
    /// <returns>False, and nothing is written, at the end of the epoch.</returns>
    public abstract bool Next(Span<float> features, Span<int> labels = default);

    /// <summary>Draws the next batch into unmanaged memory.</summary>
    /// <param name="features">Batch size × dimension floats.</param>
    /// <param name="labels">Room for a class index for each row, or null.</param>
    public unsafe bool Next(float* features, int* labels = null) => Next(
        new Span<float>(features, checked(BatchSize * Dimension)), labels is null ? default : new Span<int>(labels, BatchSize));

    /// <summary>Frees the memory and ends what runs.</summary>
    public abstract void Dispose();

    private protected void CheckRoom(Span<float> features, Span<int> labels)
    {
        if (features.Length != (long)BatchSize * Dimension)
        {
            throw new ArgumentException($"{features.Length} floats for {BatchSize} rows of {Dimension}", nameof(features));
        }

        if (!labels.IsEmpty && (labels.Length != BatchSize || !HasLabels))
        {
            throw new ArgumentException("no labels in the set, or not as many as rows", nameof(labels));
        }
    }

    private protected void CheckEpoch(int epoch, long skipBatches)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(skipBatches);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(skipBatches, BatchesPerEpoch);
    }
}
