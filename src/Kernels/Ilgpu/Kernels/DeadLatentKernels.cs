using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.ScanReduceOperations;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Steps since each latent fired.</summary>
internal static class DeadLatentKernels
{
    /// <summary>
    /// counters[m] is fired where latent m has a positive value, else one more than before; a thread a latent, which mostly needs to see
    /// one place: a 32-byte sector each of the places and of the values.
    /// </summary>
    [Kernel("16*M", CachedBytes = "32*M")]
    public static void UpdateStepsSinceFired(
        ArrayView<int> columnOffsets, ArrayView<int> entryOf, ArrayView<float> values, ArrayView<int> counters, int fired)
    {
        var m = Grid.GlobalIndex.X;
        if (m < counters.IntLength)
        {
            var last = columnOffsets[m + 1];
            var j = columnOffsets[m];
            while (j < last && !(values[entryOf[j]] > 0))
            {
                j++;
            }

            counters[m] = j < last ? fired : counters[m] + 1;
        }
    }

    /// <summary>counts[group] = how many of the group's counters are at least as large as <paramref name="least"/>.</summary>
    [Kernel("4*M")]
    public static void CountDead(ArrayView<int> counters, int least, ArrayView<int> counts)
    {
        var m = Grid.GlobalIndex.X;
        var count = Group.BarrierPopCount(m < counters.IntLength && counters[m] >= least);
        if (Group.IdxX == 0)
        {
            counts[Grid.IdxX] = count;
        }
    }

    /// <summary>Lists the latents whose counter is large enough, given how many each group finds; their number goes to total.</summary>
    [Kernel("4*2*M")]
    public static void FindDead(ArrayView<int> counters, int least, ArrayView<int> counts, ArrayView<int> list, ArrayView<int> total)
    {
        var m = Grid.GlobalIndex.X;
        var before = 0;
        for (var group = Group.IdxX; group < Grid.IdxX; group += Group.DimX)
        {
            before += counts[group];
        }

        before = GroupExtensions.AllReduce<int, AddInt32>(before);
        var found = m < counters.IntLength && counters[m] >= least ? 1 : 0;
        var position = before + GroupExtensions.ExclusiveScan<int, AddInt32>(found);
        if (found != 0)
        {
            list[position] = m;
        }

        if (Grid.IdxX == Grid.DimX - 1 && Group.IdxX == 0)
        {
            total[0] = before + counts[Grid.IdxX];
        }
    }
}
