namespace MonoLoss.Models;

/// <summary>A latent that fires together with another.</summary>
/// <param name="Latent">The latent.</param>
/// <param name="Jaccard">The share of the rows on which one of them fires on which both do, 0 … 1.</param>
public readonly record struct CoActive(int Latent, double Jaccard);

/// <summary>
/// Which latents fire on the same rows. The active latents of the rows are kept, 4 bytes each. Where they are too many, or their pairs
/// would take long to count, only rows are kept whose hash is below a limit that is halved as often as needed.
/// </summary>
/// <param name="latents">M.</param>
/// <param name="maxEntries">The most active latents that are kept; the result takes as much memory again.</param>
/// <param name="maxPairs">The most pairs of active latents on the rows that are kept.</param>
public sealed class CoActivation(
    int latents, int maxEntries = CoActivation.DefaultMaxEntries, long maxPairs = CoActivation.DefaultMaxPairs) : ILatentObserver
{
    /// <summary>The usual limit of active latents, which take 128 MiB.</summary>
    public const int DefaultMaxEntries = 1 << 25;

    /// <summary>The usual limit of pairs, which take a few seconds.</summary>
    public const long DefaultMaxPairs = 4_000_000_000;

    private readonly List<int> _ends = [];
    private readonly List<ulong> _hashes = [];
    private readonly List<int> _active = [];
    private ulong _limit = ulong.MaxValue;
    private long _pairs;

    /// <summary>Number of rows added.</summary>
    public long Rows { get; private set; }

    /// <summary>Number of rows that are kept, from which the result is formed.</summary>
    public int KeptRows => _ends.Count;

    /// <inheritdoc/>
    public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values)
    {
        for (var i = 0; i + 1 < offsets.Length; i++, Rows++)
        {
            var hash = LatentSamples.Hash(0, Rows);
            if (hash > _limit)
            {
                continue;
            }

            var start = _active.Count;
            for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
            {
                if (values[entry] > 0)
                {
                    _active.Add(indices[entry]);
                }
            }

            _ends.Add(_active.Count);
            _hashes.Add(hash);
            _pairs += Square(_active.Count - start);
            while (_active.Count > maxEntries || _pairs > maxPairs)
            {
                HalveLimit();
            }
        }
    }

    /// <summary>For every latent those that fire on the same rows most often; of equal ones the lower.</summary>
    /// <param name="count">The most of a latent.</param>
    /// <param name="stop">Cancels the computation.</param>
    /// <exception cref="OperationCanceledException">The computation was cancelled.</exception>
    public CoActive[][] Nearest(int count, CancellationToken stop = default)
    {
        var (starts, rows) = RowsOfLatents();
        var result = new CoActive[latents][];
        Parallel.For(0, latents, new ParallelOptions { CancellationToken = stop }, () => new int[latents], (latent, _, together) =>
        {
            var others = new List<int>();
            for (var entry = starts[latent]; entry < starts[latent + 1]; entry++)
            {
                var row = rows[entry];
                for (var i = row == 0 ? 0 : _ends[row - 1]; i < _ends[row]; i++)
                {
                    if (_active[i] != latent && together[_active[i]]++ == 0)
                    {
                        others.Add(_active[i]);
                    }
                }
            }

            int Fired(int other) => starts[other + 1] - starts[other];
            result[latent] = [.. others
                .Select(other => new CoActive(
                    other, (double)together[other] / (Fired(latent) + Fired(other) - together[other])))
                .OrderByDescending(other => other.Jaccard).ThenBy(other => other.Latent).Take(count)];
            foreach (var other in others)
            {
                together[other] = 0;
            }

            return together;
        }, _ => { });
        return result;
    }

    private static long Square(long value) => value * value;

    private (int[] Starts, int[] Rows) RowsOfLatents()
    {
        var starts = new int[latents + 1];
        foreach (var latent in _active)
        {
            starts[latent + 1]++;
        }

        for (var m = 0; m < latents; m++)
        {
            starts[m + 1] += starts[m];
        }

        var next = starts[..^1];
        var rows = new int[_active.Count];
        for (int row = 0, i = 0; row < _ends.Count; row++)
        {
            for (; i < _ends[row]; i++)
            {
                rows[next[_active[i]]++] = row;
            }
        }

        return (starts, rows);
    }

    private void HalveLimit()
    {
        _limit /= 2;
        var (kept, to, start) = (0, 0, 0);
        _pairs = 0;
        for (var row = 0; row < _ends.Count; row++)
        {
            var end = _ends[row];
            if (_hashes[row] <= _limit)
            {
                _pairs += Square(end - start);
                for (var i = start; i < end; i++)
                {
                    _active[to++] = _active[i];
                }

                (_ends[kept], _hashes[kept]) = (to, _hashes[row]);
                kept++;
            }

            start = end;
        }

        _ends.RemoveRange(kept, _ends.Count - kept);
        _hashes.RemoveRange(kept, _hashes.Count - kept);
        _active.RemoveRange(to, _active.Count - to);
    }
}
