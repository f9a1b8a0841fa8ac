using System.Numerics;

namespace MonoLoss.Models;

/// <summary>Counts and sums by key, in a hash table with open addressing: a dictionary would take twice the memory.</summary>
internal sealed class PairTable
{
    private const int FirstSize = 1 << 10;

    // 2^64 over the golden ratio spreads consecutive keys.
    private const ulong Multiplier = 11400714819323198485;

    private long[] _keys = new long[FirstSize];
    private int[] _counts = new int[FirstSize];
    private double[] _sums = new double[FirstSize];

    /// <summary>Number of keys.</summary>
    public int Count { get; private set; }

    /// <summary>Counts a key once more and adds to its sum.</summary>
    /// <param name="key">0 or more.</param>
    /// <param name="value">What to add.</param>
    public void Add(long key, double value)
    {
        var at = Find(key);
        if (_counts[at] == 0)
        {
            if (++Count > _keys.Length / 4 * 3)
            {
                Grow();
                at = Find(key);
            }

            _keys[at] = key;
        }

        _counts[at]++;
        _sums[at] += value;
    }

    /// <summary>All keys with their counts and sums, in no order.</summary>
    public IEnumerable<(long Key, int Count, double Sum)> All()
    {
        for (var i = 0; i < _keys.Length; i++)
        {
            if (_counts[i] > 0)
            {
                yield return (_keys[i], _counts[i], _sums[i]);
            }
        }
    }

    // The key's place, or the free one where it belongs.
    private int Find(long key)
    {
        var mask = _keys.Length - 1;
        var at = (int)((ulong)key * Multiplier >> (64 - BitOperations.Log2((uint)_keys.Length)));
        while (_counts[at] != 0 && _keys[at] != key)
        {
            at = (at + 1) & mask;
        }

        return at;
    }

    private void Grow()
    {
        var (keys, counts, sums) = (_keys, _counts, _sums);
        _keys = new long[2 * keys.Length];
        _counts = new int[_keys.Length];
        _sums = new double[_keys.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            if (counts[i] > 0)
            {
                var at = Find(keys[i]);
                (_keys[at], _counts[at], _sums[at]) = (keys[i], counts[i], sums[i]);
            }
        }
    }
}
