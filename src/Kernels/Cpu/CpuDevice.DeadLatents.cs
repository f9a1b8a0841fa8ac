namespace MonoLoss.Kernels.Cpu;

/// <content>Steps since each latent fired.</content>
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void UpdateStepsSinceFired(CsrMatrix s, DeviceArray<int> counters, int fired)
    {
        RequireColumnIndex(s);
        Require(counters.Length == s.Columns, $"{counters.Length} counters for {s.Columns} latents");
        var tasks = TaskCount(s.Columns, LatentsPerTask);
        if (s.Dense is { } dense)
        {
            _pool.Run(tasks, new StepsSinceFiredDenseWork(Pointer(dense), dense.Rows, dense.Columns, Pointer(counters), fired));
            return;
        }

        _pool.Run(
            tasks,
            new StepsSinceFiredWork(Pointer(s.ColumnOffsets), Pointer(s.EntryOf), Pointer(s.Values), s.Columns, Pointer(counters), fired));
    }

    /// <inheritdoc/>
    public override int FindDead(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        list.Resize(counters.Length);
        var source = Pointer(counters);
        var target = Pointer(list);
        var count = 0;
        for (var m = 0; m < counters.Length; m++)
        {
            if (source[m] >= least)
            {
                target[count++] = m;
            }
        }

        list.Resize(count);
        return count;
    }

    /// <inheritdoc/>
    public override void CountDead(DeviceArray<int> counters, int least, DeviceArray<double> result)
    {
        var count = 0;
        foreach (var counter in new ReadOnlySpan<int>(Pointer(counters), checked((int)counters.Length)))
        {
            count += counter >= least ? 1 : 0;
        }

        Pointer(result)[0] = count;
    }

    private readonly struct StepsSinceFiredWork(
        int* offsets, int* entryOf, float* values, int latents, int* counters, int fired) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                counters[m]++;
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    if (values[entryOf[j]] > 0)
                    {
                        counters[m] = fired;
                        break;
                    }
                }
            }
        }
    }

    private readonly struct StepsSinceFiredDenseWork(float* dense, int latents, int rows, int* counters, int fired) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var isSilent = new ReadOnlySpan<float>(dense + ((long)m * rows), rows).IndexOfAnyExcept(0) < 0;
                counters[m] = isSilent ? counters[m] + 1 : fired;
            }
        }
    }
}
