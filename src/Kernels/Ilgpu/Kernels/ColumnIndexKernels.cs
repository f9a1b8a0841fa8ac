using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The nonzeros of a sparse matrix by column, without sorting: a bitmap with a word for 32 rows of a column says which rows have a
/// entry, the running counts of the words where each block of 32 rows begins within the column, and the lower bits of a word where an
/// entry is.
/// </summary>
/// <remarks>
/// Words of one block of rows lie together, so that neighbouring columns are neighbours in memory. Bitmap and counts stay in the
/// level-2 cache up to B·M = 10⁸ (2 MB each at 2048×8192); their traffic is counted as the cache's.
/// </remarks>
internal static class ColumnIndexKernels
{
    /// <summary>Rows that share a word.</summary>
    public const int Block = 32;

    /// <summary>Sets the bit of every entry, one warp per row. Bits are only ever set, so the order does not matter.</summary>
    [Kernel("4*(N + B)", CachedBytes = "32*N", ResidentBytes = "8*N")]
    public static void SetBits(ArrayView<int> rowOffsets, ArrayView<int> indices, ArrayView<int> words, int rows, int columns)
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row >= rows)
        {
            return;
        }

        var block = row / Block * columns;
        var end = rowOffsets[row + 1];
        for (var entry = rowOffsets[row] + Warp.LaneIdx; entry < end; entry += Warp.WarpSize)
        {
            Atomic.Or(ref words[block + indices[entry]], 1 << (row % Block));
        }
    }

    /// <summary>How many nonzeros each block of rows finds before it in its column, and the column in all, one thread per column.</summary>
    [Kernel("4*M", CachedBytes = "B*M/4", ResidentBytes = "B*M/4")]
    public static void CountColumns(ArrayView<int> words, ArrayView<int> before, ArrayView<int> counts, int columns)
    {
        var column = Grid.GlobalIndex.X;
        if (column >= columns)
        {
            return;
        }

        // Four loads in flight: a thread has nothing else to do while it waits.
        var (count, at) = (0, column);
        for (; at + (3 * columns) < words.IntLength; at += 4 * columns)
        {
            var (word0, word1) = (words[at], words[at + columns]);
            var (word2, word3) = (words[at + (2 * columns)], words[at + (3 * columns)]);
            before[at] = count;
            before[at + columns] = count += IntrinsicMath.PopCount(word0);
            before[at + (2 * columns)] = count += IntrinsicMath.PopCount(word1);
            before[at + (3 * columns)] = count += IntrinsicMath.PopCount(word2);
            count += IntrinsicMath.PopCount(word3);
        }

        for (; at < words.IntLength; at += columns)
        {
            before[at] = count;
            count += IntrinsicMath.PopCount(words[at]);
        }

        counts[column] = count;
    }

    /// <summary>Writes every entry where it belongs in its column, one warp per row.</summary>
    [Kernel("12*N + 4*B + 4*M", CachedBytes = "5*32*N", ResidentBytes = "8*N")]
    public static void ListNonzeros(
        ArrayView<int> rowOffsets,
        ArrayView<int> indices,
        ArrayView<int> words,
        ArrayView<int> before,
        ArrayView<int> columnOffsets,
        ArrayView<int> rowOf,
        ArrayView<int> entryOf,
        int rows,
        int columns)
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row >= rows)
        {
            return;
        }

        var block = row / Block * columns;
        var below = (1 << (row % Block)) - 1;
        var end = rowOffsets[row + 1];
        for (var entry = rowOffsets[row] + Warp.LaneIdx; entry < end; entry += Warp.WarpSize)
        {
            var column = indices[entry];
            var target = columnOffsets[column] + before[block + column] + IntrinsicMath.PopCount(words[block + column] & below);
            rowOf[target] = row;
            entryOf[target] = entry;
        }
    }
}
