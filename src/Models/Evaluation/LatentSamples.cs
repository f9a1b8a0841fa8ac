namespace MonoLoss.Models;

/// <summary>What a sample of a latent shows.</summary>
public enum SampleRank
{
    /// <summary>Among the rows that activate the latent most.</summary>
    Top,

    /// <summary>Around the median of the rows that activate it.</summary>
    Middle,

    /// <summary>Among the rows that activate it least.</summary>
    Bottom,
}

/// <summary>A row that activates a latent.</summary>
/// <param name="Latent">The latent.</param>
/// <param name="Rank">What it shows.</param>
/// <param name="Row">The row, by its number within the set.</param>
/// <param name="Activation">z, above 0.</param>
public readonly record struct LatentSample(int Latent, SampleRank Rank, long Row, float Activation);

/// <summary>
/// The top, middle and bottom samples of every latent, in one pass over a set and O(M·N) memory. Top are the N largest activations, bottom
/// the N smallest above 0 of the others; ties go to the first row. Middle are the N around the median of what is left; of a latent that
/// fires more often than <see cref="PoolPerSample"/>·N times, around the median of that many rows, which are drawn by a hash of the
/// latent and the row. The result depends on the activations alone, not on batches or threads.
/// </summary>
public sealed class LatentSamples : ILatentObserver
{
    /// <summary>How many rows, for each sample of a rank, are drawn to find the middle.</summary>
    public const int PoolPerSample = 16;

    /// <summary>The usual N.</summary>
    public const int UsualCount = 9;

    /// <summary>The largest N.</summary>
    public const int MaxCount = 1000;

    private readonly int _latents;
    private readonly int _count;
    private readonly LeastKeys _top;
    private readonly LeastKeys _bottom;
    private readonly LeastKeys _pool;

    /// <summary>Begins with no rows.</summary>
    /// <param name="latents">M.</param>
    /// <param name="count">N, the samples of each rank.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is not positive, or N is above <see cref="MaxCount"/>.</exception>
    public LatentSamples(int latents, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(latents);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        (_latents, _count) = (latents, count);
        (_top, _bottom) = (new LeastKeys(latents, count), new LeastKeys(latents, count));
        _pool = new LeastKeys(latents, count * PoolPerSample);
    }

    /// <summary>Number of rows added.</summary>
    public long Rows { get; private set; }

    /// <inheritdoc/>
    public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values)
    {
        for (var i = 0; i + 1 < offsets.Length; i++, Rows++)
        {
            for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
            {
                var (latent, value) = (indices[entry], values[entry]);
                if (value > 0)
                {
                    // The bits of positive floats are in the order of the floats.
                    var bits = BitConverter.SingleToUInt32Bits(value);
                    _top.Add(latent, uint.MaxValue - bits, Rows, value);
                    _bottom.Add(latent, bits, Rows, value);
                    _pool.Add(latent, Hash(latent, Rows), Rows, value);
                }
            }
        }
    }

    /// <summary>The samples of a latent: top, middle and bottom, each by falling activation. No row is in two of them.</summary>
    /// <param name="latent">The latent.</param>
    public IEnumerable<LatentSample> Of(int latent)
    {
        var top = Sorted(_top.Of(latent));
        var taken = top.Select(row => row.Row).ToHashSet();
        var bottom = Sorted(_bottom.Of(latent).Where(row => !taken.Contains(row.Row)));
        taken.UnionWith(bottom.Select(row => row.Row));
        var rest = Sorted(_pool.Of(latent).Where(row => !taken.Contains(row.Row)));
        var middle = rest.Skip(Math.Max(0, (rest.Count - _count) / 2)).Take(_count);
        LatentSample Sample((long Row, float Value) row, SampleRank rank) => new(latent, rank, row.Row, row.Value);
        return top.Select(row => Sample(row, SampleRank.Top))
            .Concat(middle.Select(row => Sample(row, SampleRank.Middle)))
            .Concat(bottom.Select(row => Sample(row, SampleRank.Bottom)));
    }

    /// <summary>The samples of all latents, in order.</summary>
    public IEnumerable<LatentSample> All() => Enumerable.Range(0, _latents).SelectMany(Of);

    /// <summary>The number by which rows are drawn for the middle: those with the least.</summary>
    internal static ulong Hash(int latent, long row) => Mix(Mix((ulong)row) + (ulong)latent);

    private static List<(long Row, float Value)> Sorted(IEnumerable<(long Row, float Value)> rows) =>
        [.. rows.OrderByDescending(row => row.Value).ThenBy(row => row.Row)];

    /// <summary>A step of SplitMix64.</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>
    /// Keeps, for every latent, the rows with the least keys, in a heap whose root is the next to go: of equal keys the later row.
    /// </summary>
    private sealed class LeastKeys(int latents, int capacity)
    {
        private readonly (ulong Key, long Row, float Value)[]?[] _heaps = new (ulong, long, float)[]?[latents];
        private readonly int[] _sizes = new int[latents];

        public IEnumerable<(long Row, float Value)> Of(int latent) =>
            (_heaps[latent] ?? []).Take(_sizes[latent]).Select(entry => (entry.Row, entry.Value));

        public void Add(int latent, ulong key, long row, float value)
        {
            var size = _sizes[latent];
            var heap = _heaps[latent];
            if (size == capacity)
            {
                // Rows come in order: one with an equal key is later.
                if (key < heap![0].Key)
                {
                    SinkFromRoot(heap, (key, row, value));
                }

                return;
            }

            if (heap is null || size == heap.Length)
            {
                Array.Resize(ref heap, Math.Min(capacity, Math.Max(4, 2 * size)));
                _heaps[latent] = heap;
            }

            Rise(heap!, size, (key, row, value));
            _sizes[latent]++;
        }

        private static bool IsAfter(in (ulong Key, long Row, float Value) a, in (ulong Key, long Row, float Value) b) =>
            a.Key > b.Key || (a.Key == b.Key && a.Row > b.Row);

        private static void Rise((ulong Key, long Row, float Value)[] heap, int at, (ulong Key, long Row, float Value) entry)
        {
            for (; at > 0 && IsAfter(entry, heap[(at - 1) / 2]); at = (at - 1) / 2)
            {
                heap[at] = heap[(at - 1) / 2];
            }

            heap[at] = entry;
        }

        private static void SinkFromRoot((ulong Key, long Row, float Value)[] heap, (ulong Key, long Row, float Value) entry)
        {
            var at = 0;
            for (int child; (child = (2 * at) + 1) < heap.Length; at = child)
            {
                child += child + 1 < heap.Length && IsAfter(heap[child + 1], heap[child]) ? 1 : 0;
                if (!IsAfter(heap[child], entry))
                {
                    break;
                }

                heap[at] = heap[child];
            }

            heap[at] = entry;
        }
    }
}
