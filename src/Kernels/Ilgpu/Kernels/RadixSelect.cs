using ILGPU;
using ILGPU.Util;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Finds the k-th largest of many positive floats digit by digit: their bits, read as integers, have the order of the values. A
/// histogram of all first digits gives that of the k-th largest; one of the second digits of those that share it gives the second.
/// </summary>
internal static class RadixSelect
{
    /// <summary>Digits of 11, 10 and 10 bits.</summary>
    public const int Passes = 3;

    /// <summary>The number of values of the first digit.</summary>
    public const int Bins = 2048;

    /// <summary>A threshold that no key exceeds.</summary>
    public const int Nothing = int.MaxValue;

    /// <summary>The bits of a positive value, 0 for any other and for NaN.</summary>
    public static int Key(float value) => Utilities.Select(value > 0, (int)Interop.FloatAsInt(value), 0);

    /// <summary>The lowest bit of a pass's digit.</summary>
    public static int Shift(int pass) => Utilities.Select(pass == 0, 20, Utilities.Select(pass == 1, 10, 0));

    /// <summary>The digit of the key with a given rank, which is in one of the bins searched.</summary>
    /// <param name="histogram">How many keys have each digit.</param>
    /// <param name="last">The last bin to look at.</param>
    /// <param name="above">How many keys are in later bins; becomes how many have a larger digit.</param>
    /// <param name="rank">The key's rank from the largest, from 1.</param>
    public static int Digit(ArrayView<int> histogram, int last, ref int above, int rank)
    {
        var bin = last;
        for (; above + histogram[bin] < rank; bin--)
        {
            above += histogram[bin];
        }

        return bin;
    }
}

/// <summary>One pass: which digit is counted, and of which keys.</summary>
internal readonly struct RadixPass(int pass, int prefix)
{
    private readonly int _shift = RadixSelect.Shift(pass);
    private readonly int _known = Utilities.Select(pass == 0, 31, RadixSelect.Shift(pass - 1));
    private readonly int _mask = Utilities.Select(pass == 0, RadixSelect.Bins - 1, (RadixSelect.Bins / 2) - 1);
    private readonly int _prefix = prefix;

    /// <summary>Counts the digit of every value that is positive and whose digits before it are those found so far.</summary>
    public void Count(ArrayView<int> histogram, Float4 values)
    {
        Count(histogram, values.X);
        Count(histogram, values.Y);
        Count(histogram, values.Z);
        Count(histogram, values.W);
    }

    /// <inheritdoc cref="Count(ArrayView{int}, Float4)"/>
    public void Count(ArrayView<int> histogram, float value)
    {
        var key = RadixSelect.Key(value);
        if (key > 0 & key >> _known == _prefix >> _known)
        {
            Atomic.Add(ref histogram[(key >> _shift) & _mask], 1);
        }
    }
}
