using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.ScanReduceOperations;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Exclusive scan of counts to offsets: tiles are summed, then each group scans its tile from the sum of the tiles before.
/// </summary>
internal static class ScanKernels
{
    /// <summary>Elements that a group scans.</summary>
    public const int Tile = PerThread * IlgpuDevice.GroupSize;

    private const int PerThread = 8;

    /// <summary>The sum of each tile, one group per tile.</summary>
    [Kernel("4*M")]
    public static void SumTiles(ArrayView<int> counts, ArrayView<int> sums)
    {
        var first = (Grid.IdxX * Tile) + (Group.IdxX * PerThread);
        var sum = GroupExtensions.AllReduce<int, AddInt32>(Sum(counts, first));
        if (Group.IdxX == 0)
        {
            sums[Grid.IdxX] = sum;
        }
    }

    /// <summary>counts[i] = Σ_{j&lt;i} counts[j], one group per tile, given the sums of the tiles. The second read is from cache.</summary>
    [Kernel("8*M", CachedBytes = "32*M")]
    public static void ScanTiles(ArrayView<int> counts, ArrayView<int> sums)
    {
        var before = 0;
        for (var tile = Group.IdxX; tile < Grid.IdxX; tile += Group.DimX)
        {
            before += sums[tile];
        }

        before = GroupExtensions.AllReduce<int, AddInt32>(before);
        var first = (Grid.IdxX * Tile) + (Group.IdxX * PerThread);
        var offset = before + GroupExtensions.ExclusiveScan<int, AddInt32>(Sum(counts, first));
        for (var i = first; i < XMath.Min(first + PerThread, counts.IntLength); i++)
        {
            var count = counts[i];
            counts[i] = offset;
            offset += count;
        }
    }

    private static int Sum(ArrayView<int> counts, int first)
    {
        var sum = 0;
        for (var i = first; i < XMath.Min(first + PerThread, counts.IntLength); i++)
        {
            sum += counts[i];
        }

        return sum;
    }
}
