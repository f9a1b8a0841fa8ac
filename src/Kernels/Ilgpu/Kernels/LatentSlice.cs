using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// A part of a long latent, one with more nonzeros than one group should handle alone. The list of nonzeros by column is cut into chunks of
/// <c>length</c>; a part is the overlap of a long latent with a chunk. At most two long latents overlap a chunk, the one of
/// its first nonzero and the one of its last, so every part has a slot (2·chunk, or 2·chunk + 1 for the latter) that needs no counting.
/// </summary>
internal readonly struct LatentSlice(int latent, int first, int last, int slot, int firstSlot, int count)
{
    /// <summary>The latent; negative where the slot is empty.</summary>
    public readonly int Latent = latent;

    /// <summary>The index by column of its first nonzero.</summary>
    public readonly int First = first;

    /// <summary>One past its last nonzero.</summary>
    public readonly int Last = last;

    /// <summary>Where the part keeps its results.</summary>
    public readonly int Slot = slot;

    private readonly int _firstSlot = firstSlot;

    /// <summary>How many parts the latent has.</summary>
    public readonly int Count = count;

    /// <summary>Whether it is the latent's first part.</summary>
    public bool IsFirst => Latent >= 0 && Slot == _firstSlot;

    /// <summary>The number of slots for <paramref name="nonzeros"/> nonzeros.</summary>
    public static long Slots(long nonzeros, int length) => 2 * ((nonzeros + length - 1) / length);

    /// <summary>The part in a slot.</summary>
    public static LatentSlice Of(ArrayView<int> offsets, ArrayView<int> indices, ArrayView<int> entryOf, int length, int slot)
    {
        var chunk = slot / 2;
        var isSecond = slot % 2 == 1;
        var start = chunk * length;
        var end = start + Math.Min(length, entryOf.IntLength - start);
        var latent = indices[entryOf[isSecond ? end - 1 : start]];
        int first = offsets[latent], last = offsets[latent + 1];
        var firstChunk = first / length;
        return new LatentSlice(
            last - first <= length || (isSecond && first <= start) ? -1 : latent,
            Math.Max(first, start),
            Math.Min(last, end),
            slot,
            (2 * firstChunk) + (first > firstChunk * length ? 1 : 0),
            ((last - 1) / length) - firstChunk + 1);
    }

    /// <summary>The slot of the latent's part number <paramref name="part"/>.</summary>
    public int SlotOf(int part) => part == 0 ? _firstSlot : 2 * ((_firstSlot / 2) + part);
}
