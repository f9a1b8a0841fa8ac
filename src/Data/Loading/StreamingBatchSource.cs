namespace MonoLoss.Data;

/// <summary>
/// Batches of a set that is larger than memory. Row groups are read in random order into a shuffle buffer; every row of a batch is taken
/// from a random slot, which the next row of the stream fills. The order also depends on the size of the buffer.
/// </summary>
public sealed class StreamingBatchSource : BatchSource
{
    private const int BlockFloats = 1 << 16;

    private readonly FeatureSet _set;
    private readonly BatchOptions _options;
    private readonly NativeBuffer _buffer;
    private readonly float[] _block;
    private readonly NativeBuffer _similarity;
    private readonly float[] _similarityBlock;
    private readonly int _capacity;
    private FeatureReader? _reader;
    private Xoshiro256 _random;
    private int _filled;
    private int _blockRows;
    private int _blockNext;
    private long _left;

    /// <summary>Allocates the shuffle buffer; rows are read once an epoch starts.</summary>
    /// <exception cref="DataException">It has fewer rows than a batch.</exception>
    public StreamingBatchSource(FeatureSet set, BatchOptions options)
        : base(set, options.BatchSize)
    {
        _set = set;
        _options = options;
        var rows = Math.Max(BatchSize, options.MemoryLimit / (sizeof(float) * ((long)Dimension + SimilarityDimension)));
        _capacity = options.Shuffle ? (int)Math.Min(Math.Min(rows, Rows), Array.MaxLength) : 0;
        _buffer = new NativeBuffer((long)_capacity * Dimension);
        var blockRows = Math.Max(1, BlockFloats / Dimension);
        _block = new float[blockRows * Dimension];
        _similarity = new NativeBuffer((long)_capacity * SimilarityDimension);
        _similarityBlock = new float[blockRows * SimilarityDimension];
    }

    /// <inheritdoc/>
    public override void StartEpoch(int epoch, long skipBatches = 0)
    {
        CheckEpoch(epoch, skipBatches);
        _reader?.Dispose();
        _random = new Xoshiro256(_options.Seed, (ulong)epoch);
        int[] order = [.. Enumerable.Range(0, _set.RowGroups.Count)];
        if (_options.Shuffle)
        {
            _random.Shuffle(order);
        }

        _reader = _set.OpenReader(order);
        _left = BatchesPerEpoch - skipBatches;
        _blockRows = _blockNext = 0;
        Fill();
        for (var rows = skipBatches * BatchSize; rows > 0;)
        {
            rows -= _options.Shuffle ? SkipRow() : SkipRows(rows);
        }
    }

    /// <inheritdoc/>
    public override bool Next(Span<float> features, Span<float> similarity = default)
    {
        CheckRoom(features, similarity);
        if (_left == 0)
        {
            return false;
        }

        _left--;
        if (!_options.Shuffle)
        {
            _reader!.Read(features, default, similarity);
            return true;
        }

        for (var i = 0; i < BatchSize; i++)
        {
            var slot = (int)_random.Next((ulong)_filled);
            Slot(slot).CopyTo(features.Slice(i * Dimension, Dimension));
            SimilaritySlot(slot).CopyTo(similarity[(i * SimilarityDimension)..]);
            Refill(slot);
        }

        return true;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _reader?.Dispose();
        _buffer.Dispose();
        _similarity.Dispose();
    }

    private Span<float> Slot(int slot) => _buffer.Slice((long)slot * Dimension, Dimension);

    private Span<float> SimilaritySlot(int slot) => _similarity.Slice((long)slot * SimilarityDimension, SimilarityDimension);

    private int SkipRow()
    {
        Refill((int)_random.Next((ulong)_filled));
        return 1;
    }

    private int SkipRows(long most) =>
        _reader!.Read(_block.AsSpan(0, (int)Math.Min(most * Dimension, _block.Length)), default, _similarityBlock);

    private void Fill()
    {
        const int MostRows = 1 << 16;
        _filled = 0;
        while (_filled < _capacity)
        {
            var count = (int)Math.Min(Math.Min(MostRows, _capacity - _filled), int.MaxValue / Math.Max(Dimension, SimilarityDimension));
            _filled += _reader!.Read(
                _buffer.Slice((long)_filled * Dimension, count * Dimension),
                default,
                _similarity.Slice((long)_filled * SimilarityDimension, count * SimilarityDimension));
        }
    }

    // Fills a slot with the next row of the stream; at the end of the stream, with the buffer's last row.
    private void Refill(int slot)
    {
        if (_blockNext == _blockRows)
        {
            _blockRows = _reader!.Read(_block, default, _similarityBlock);
            _blockNext = 0;
        }

        if (_blockRows > 0)
        {
            _block.AsSpan(_blockNext * Dimension, Dimension).CopyTo(Slot(slot));
            _similarityBlock.AsSpan(_blockNext * SimilarityDimension, SimilarityDimension).CopyTo(SimilaritySlot(slot));
            _blockNext++;
            return;
        }

        _filled--;
        if (slot != _filled)
        {
            Slot(_filled).CopyTo(Slot(slot));
            SimilaritySlot(_filled).CopyTo(SimilaritySlot(slot));
        }
    }
}
