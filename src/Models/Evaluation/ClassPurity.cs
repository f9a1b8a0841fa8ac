using MonoLoss.Data;

namespace MonoLoss.Models;

/// <summary>The class purity of a latent, over the rows that activate it and have a label.</summary>
/// <param name="DominantClass">The most frequent class among these rows.</param>
/// <param name="Binary">The share of these rows that have it.</param>
/// <param name="Weighted">The largest share of one class in their activation mass Σz.</param>
public readonly record struct LatentPurity(int DominantClass, double Binary, double Weighted);

/// <summary>How often a latent fires for a class.</summary>
/// <param name="Class">The class.</param>
/// <param name="Rows">Number of rows of this class that activate the latent.</param>
public readonly record struct ClassCount(int Class, int Rows);

/// <summary>
/// Counts how often and how strongly each latent fires for each class. Only pairs of latent and class that occur take memory, about 40
/// bytes each; beyond a limit of pairs nothing more is counted, and there is no purity.
/// </summary>
/// <param name="latents">M.</param>
/// <param name="classes">Number of classes.</param>
/// <param name="limit">The most pairs that are counted.</param>
public sealed class ClassPurity(int latents, int classes, int limit = ClassPurity.DefaultLimit)
{
    /// <summary>The usual limit of pairs, which take 1.3 GB.</summary>
    public const int DefaultLimit = 1 << 25;

    private readonly long[] _rows = new long[latents];
    private readonly double[] _mass = new double[latents];
    private PairTable _pairs = new();
    private LatentPurity?[]? _results;

    /// <summary>Whether there were more pairs than the limit, so that no latent has a purity.</summary>
    public bool IsOverLimit { get; private set; }

    /// <summary>Adds a batch.</summary>
    /// <param name="offsets">Where each row's nonzeros start.</param>
    /// <param name="indices">The latent of each entry.</param>
    /// <param name="values">z at each entry.</param>
    /// <param name="labels">The classes of each row.</param>
    public void Add(ReadOnlySpan<int> offsets, ReadOnlySpan<int> indices, ReadOnlySpan<float> values, LabelBatch labels)
    {
        _results = null;
        for (var i = 0; i < labels.Rows && !IsOverLimit; i++)
        {
            var row = labels[i];
            if (row.IsEmpty)
            {
                continue;
            }

            for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
            {
                if (values[entry] > 0)
                {
                    Add(indices[entry], values[entry], row);
                }
            }

            if (_pairs.Count > limit)
            {
                IsOverLimit = true;
                _pairs = new PairTable();
            }
        }
    }

    /// <summary>The purity of a latent.</summary>
    /// <param name="latent">0 … M − 1.</param>
    /// <returns>Null if it fires on no row that has a label.</returns>
    public LatentPurity? Of(int latent) => (_results ??= Results())[latent];

    /// <summary>The classes that each latent fires for most often, the most frequent first; of equal ones the lower class.</summary>
    /// <param name="count">The most classes of a latent.</param>
    /// <returns>A list per latent; empty ones if there were too many pairs.</returns>
    public IReadOnlyList<IReadOnlyList<ClassCount>> MostFrequent(int count)
    {
        var lists = new List<ClassCount>[_rows.Length];
        for (var m = 0; m < lists.Length; m++)
        {
            lists[m] = [];
        }

        foreach (var (key, rows, _) in _pairs.All())
        {
            var (latent, label) = Math.DivRem(key, classes);
            var list = lists[latent];
            var at = list.FindIndex(other => other.Rows < rows || (other.Rows == rows && other.Class > label));
            if (at < 0 ? list.Count < count : count > 0)
            {
                list.Insert(at < 0 ? list.Count : at, new ClassCount((int)label, rows));
                list.RemoveRange(Math.Min(count, list.Count), Math.Max(0, list.Count - count));
            }
        }

        return lists;
    }

    private void Add(int latent, float value, ReadOnlySpan<int> row)
    {
        _rows[latent]++;
        _mass[latent] += value;
        for (var j = 0; j < row.Length; j++)
        {
            // A label that a row has twice is one label.
            if (!row[..j].Contains(row[j]))
            {
                _pairs.Add(((long)latent * classes) + row[j], value);
            }
        }
    }

    private LatentPurity?[] Results()
    {
        var results = new LatentPurity?[_rows.Length];
        if (IsOverLimit)
        {
            return results;
        }

        var counts = new int[_rows.Length];
        var heaviest = new double[_rows.Length];
        var dominant = new int[_rows.Length];
        foreach (var (key, count, mass) in _pairs.All())
        {
            var (latent, label) = Math.DivRem(key, classes);
            heaviest[latent] = Math.Max(heaviest[latent], mass);
            if (count > counts[latent] || (count == counts[latent] && label < dominant[latent]))
            {
                (counts[latent], dominant[latent]) = (count, (int)label);
            }
        }

        for (var m = 0; m < results.Length; m++)
        {
            results[m] = _rows[m] == 0 ? null
                : new LatentPurity(dominant[m], (double)counts[m] / _rows[m], heaviest[m] / _mass[m]);
        }

        return results;
    }
}
