namespace MonoLoss.Data;

/// <summary>
/// Batches of a set that is loaded once: every epoch shuffles all rows. Rows can also be read by their index.
/// </summary>
public sealed class InMemoryBatchSource : BatchSource
{
    private readonly NativeBuffer _features;
    private readonly int[] _order;
    private readonly BatchOptions _options;
    private long _next;

    /// <summary>Loads the set.</summary>
    /// <exception cref="DataException">It cannot be read, is too large, or has fewer rows than a batch.</exception>
    public InMemoryBatchSource(FeatureSet set, BatchOptions options)
        : base(set, options.BatchSize)
    {
        if (set.Rows > Array.MaxLength)
        {
            throw new DataException($"{set.Files[0]}: {set.Rows} rows are too many to be shuffled in memory");
        }

        _options = options;
        _order = new int[set.Rows];
        _next = BatchesPerEpoch;
        _features = set.ReadAll();
        Similarity = set.Similarity?.ReadAll();
    }

    /// <summary>The features of a row.</summary>
    /// <param name="row">Its index in the order of the files.</param>
    public ReadOnlySpan<float> Row(long row) => _features.Slice(row * Dimension, Dimension);

    /// <summary>All rows in the order of the files, rows × dimension floats.</summary>
    public NativeBuffer Features => _features;

    /// <summary>All rows of the second column of features, in the same order; null if there is none.</summary>
    public NativeBuffer? Similarity { get; }

    /// <inheritdoc/>
    public override void StartEpoch(int epoch, long skipBatches = 0)
    {
        CheckEpoch(epoch, skipBatches);
        for (var i = 0; i < _order.Length; i++)
        {
            _order[i] = i;
        }

        if (_options.Shuffle)
        {
            new Xoshiro256(_options.Seed, (ulong)epoch).Shuffle(_order);
        }

        _next = skipBatches;
    }

    /// <inheritdoc/>
    public override bool Next(Span<float> features, Span<float> similarity = default)
    {
        CheckRoom(features, similarity);
        if (!NextRows(out var rows))
        {
            return false;
        }

        for (var i = 0; i < rows.Length; i++)
        {
            Row(rows[i]).CopyTo(features.Slice(i * Dimension, Dimension));
            if (Similarity is not null)
            {
                Similarity.Slice((long)rows[i] * SimilarityDimension, SimilarityDimension)
                    .CopyTo(similarity.Slice(i * SimilarityDimension, SimilarityDimension));
            }
        }

        return true;
    }

    /// <summary>Draws the next batch as the indexes of its rows (<see cref="Row"/>).</summary>
    /// <param name="rows">One index per row of the batch; valid until the next epoch starts.</param>
    /// <returns>False at the end of the epoch.</returns>
    public bool NextRows(out ReadOnlySpan<int> rows)
    {
        if (_next >= BatchesPerEpoch)
        {
            rows = default;
            return false;
        }

        rows = _order.AsSpan((int)(_next * BatchSize), BatchSize);
        _next++;
        return true;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _features.Dispose();
        Similarity?.Dispose();
    }
}
