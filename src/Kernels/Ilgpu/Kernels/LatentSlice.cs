using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// A part of a latent that fires on more rows than one group should visit alone. The list of nonzeros by column is cut every
/// <c>length</c> nonzeros; a part is what a long latent has between two cuts. At most two long latents reach into one piece of the
/// list, that of its first place and that of its last, so that every part has a slot (2·piece, or 2·piece + 1 for the latter) without
/// anybody having to count.
/// </summary>
internal readonly struct LatentSlice(int latent, int first, int last, int slot, int firstSlot, int count)
{
    /// <summary>The latent; negative where the slot is empty.</summary>
    public readonly int Latent = latent;

    /// <summary>Its first entry by column.</summary>
    public readonly int First = first;

    /// <summary>The end of its nonzeros.</summary>
    public readonly int Last = last;

    /// <summary>Where the part keeps what it has found.</summary>
    public readonly int Slot = slot;

    private readonly int _firstSlot = firstSlot;

    /// <summary>How many parts the latent has.</summary>
    public readonly int Count = count;

    /// <summary>Whether it is the latent's first.</summary>
    public bool IsFirst => Latent >= 0 && Slot == _firstSlot;

    /// <summary>How many slots the parts of <paramref name="nonzeros"/> nonzeros need.</summary>
    public static long Slots(long nonzeros, int length) => 2 * ((nonzeros + length - 1) / length);

    /// <summary>The part in a slot.</summary>
    public static LatentSlice Of(ArrayView<int> offsets, ArrayView<int> indices, ArrayView<int> entryOf, int length, int slot)
    {
        var piece = slot / 2;
        var isSecond = slot % 2 == 1;
        var start = piece * length;
        var end = start + Math.Min(length, entryOf.IntLength - start);
        var latent = indices[entryOf[isSecond ? end - 1 : start]];
        int first = offsets[latent], last = offsets[latent + 1];
        var firstPiece = first / length;
        return new LatentSlice(
            last - first <= length || (isSecond && first <= start) ? -1 : latent,
            Math.Max(first, start),
            Math.Min(last, end),
            slot,
            (2 * firstPiece) + (first > firstPiece * length ? 1 : 0),
            ((last - 1) / length) - firstPiece + 1);
    }

    /// <summary>The slot of the latent's part number <paramref name="part"/>.</summary>
    public int SlotOf(int part) => part == 0 ? _firstSlot : 2 * ((_firstSlot / 2) + part);
}
