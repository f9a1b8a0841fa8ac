using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.ScanReduceOperations;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Steps since each latent fired.</summary>
internal static class DeadLatentKernels
{
    /// <summary>
    /// after[m] is <paramref name="fired"/> where latent m has a positive value, else before[m] + 1; one thread per latent, which mostly
    /// needs to see one nonzero: a 32-byte sector each of the column index and of the values.
    /// </summary>
    [Kernel("16*M", CachedBytes = "32*M")]
    public static void UpdateStepsSinceFired(
        ArrayView<int> columnOffsets,
        ArrayView<int> entryOf,
        ArrayView<float> values,
        ArrayView<int> before,
        int fired,
        ArrayView<int> after)
    {
        var m = Grid.GlobalIndex.X;
        if (m < after.IntLength)
        {
            var last = columnOffsets[m + 1];
            var j = columnOffsets[m];
            while (j < last && !(values[entryOf[j]] > 0))
            {
                j++;
            }

            after[m] = j < last ? fired : before[m] + 1;
        }
    }

    /// <summary>result[0] = how many counters are at least <paramref name="least"/>, in one group.</summary>
    [Kernel("4*M")]
    public static void CountAll(ArrayView<int> counters, int least, ArrayView<double> result)
    {
        var count = 0;
        for (var m = Group.IdxX; m < counters.IntLength; m += Group.DimX)
        {
            count += counters[m] >= least ? 1 : 0;
        }

        count = GroupExtensions.AllReduce<int, AddInt32>(count);
        if (Group.IdxX == 0)
        {
            result[0] = count;
        }
    }

    /// <summary>counts[group] = how many of the group's counters are at least <paramref name="least"/>.</summary>
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

    /// <summary>Lists the latents whose counter is large enough, given how many each group finds, and stores their number.</summary>
    [Kernel("4*2*M")]
    public static void FindDead(ArrayView<int> counters, int least, ArrayView<int> counts, ArrayView<int> list, ArrayView<int> state)
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
            state[SelectionKernels.Dead] = before + counts[Grid.IdxX];
        }
    }
}
