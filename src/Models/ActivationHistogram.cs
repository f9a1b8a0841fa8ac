namespace MonoLoss.Models;

/// <summary>
/// Counts positive activations by their size, finely enough to say above which value any number of them lie. A bin holds the floats that
/// agree in exponent and leading 14 bits of the mantissa: it is at most 1/16384 of its values wide.
/// </summary>
internal sealed class ActivationHistogram
{
    // The low bits of a float that its bin forgets. As integers, positive floats are ordered like their values.
    private const int DroppedBits = 9;

    private readonly long[] _counts = new long[(int.MaxValue >> DroppedBits) + 1];

    /// <summary>Counts activations; those that are not positive are ignored.</summary>
    /// <param name="activations">Finite values.</param>
    public void Add(ReadOnlySpan<float> activations)
    {
        foreach (var value in activations)
        {
            if (value > 0)
            {
                _counts[BitConverter.SingleToInt32Bits(value) >> DroppedBits]++;
            }
        }
    }

    /// <summary>Forgets all activations.</summary>
    public void Clear() => Array.Clear(_counts);

    /// <summary>Finds the threshold that a number of activations exceed, as nearly as bins tell.</summary>
    /// <param name="wanted">The number; if there are not as many, the threshold is 0, which all exceed.</param>
    /// <param name="floor">A value below which not every activation was counted.</param>
    /// <returns>The threshold; null if the counts above <paramref name="floor"/> do not settle it.</returns>
    public float? ThresholdFor(long wanted, float floor)
    {
        long above = 0;
        var bin = _counts.Length;
        while (bin > 0 && above < wanted)
        {
            above += _counts[--bin];
        }

        if (above < wanted)
        {
            return floor > 0 ? null : 0;
        }

        if (bin == _counts.Length)
        {
            return float.MaxValue;
        }

        var threshold = Below(bin);
        if (threshold < floor)
        {
            return null;
        }

        var without = above - _counts[bin];
        return wanted - without < above - wanted ? Below(bin + 1) : threshold;
    }

    /// <summary>The largest value below a bin: exactly the activations in that bin and those above exceed it.</summary>
    private static float Below(int bin) => bin == 0 ? 0 : BitConverter.Int32BitsToSingle((int)(((long)bin << DroppedBits) - 1));
}
