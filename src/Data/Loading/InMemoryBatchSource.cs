namespace MonoLoss.Data;

/// <summary>
/// Batches of a set that is loaded once: every epoch shuffles all rows. Rows can also be read by their number.
/// </summary>
public sealed class InMemoryBatchSource : BatchSource
{
    private const int LoadFloats = 1 << 24;

    private readonly NativeBuffer _features;
    private readonly int[] _labels;
    private readonly int[] _order;
    private readonly BatchOptions _options;
    private long _next;

    /// <summary>Loads the set.</summary>
    /// <exception cref="DataException">It cannot be read, is too large, or has fewer rows than a batch.</exception>
    public InMemoryBatchSource(FeatureSet set, BatchOptions options)
        : base(set.Dimension, set.Rows, options.BatchSize, set.HasLabels)
    {
        if (set.Rows > Array.MaxLength)
        {
            throw new DataException($"{set.Files[0]}: {set.Rows} rows are too many to be shuffled in memory");
        }

        _options = options;
        _labels = set.HasLabels ? new int[set.Rows] : [];
        _order = new int[set.Rows];
        _next = BatchesPerEpoch;
        _features = new NativeBuffer(set.Rows * set.Dimension);
        try
        {
            Load(set);
        }
        catch
        {
            _features.Dispose();
            throw;
        }
    }

    /// <summary>The features of a row, numbered as in the files.</summary>
    public ReadOnlySpan<float> Row(long row) => _features.Slice(row * Dimension, Dimension);

    /// <summary>The class index of a row, numbered as in the files.</summary>
    public int Label(long row) => _labels[row];

    /// <summary>All rows as they are in the files, rows × dimension floats.</summary>
    public NativeBuffer Features => _features;

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
    public override bool Next(Span<float> features, Span<int> labels = default)
    {
        CheckRoom(features, labels);
        if (!NextRows(out var rows))
        {
            return false;
        }

        for (var i = 0; i < rows.Length; i++)
        {
            Row(rows[i]).CopyTo(features.Slice(i * Dimension, Dimension));
        }

        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = _labels[rows[i]];
        }

        return true;
    }

    /// <summary>Draws the next batch as the numbers of its rows (<see cref="Row"/>).</summary>
    /// <param name="rows">As many as a batch has; valid until the next epoch starts.</param>
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
    public override void Dispose() => _features.Dispose();

    private void Load(FeatureSet set)
    {
        using var reader = set.OpenReader();
        var most = Math.Max(1, LoadFloats / Dimension);
        for (long row = 0; row < Rows;)
        {
            var count = (int)Math.Min(most, Rows - row);
            var labels = HasLabels ? _labels.AsSpan((int)row, count) : default;
            row += reader.Read(_features.Slice(row * Dimension, count * Dimension), labels);
        }
    }
}
