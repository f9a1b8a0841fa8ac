using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Sums over the threads of a warp and of a group, always in the same order.</summary>
internal static class Reductions
{
    // Warps are of 8 threads or more on every device.
    private const int MaxWarps = IlgpuDevice.GroupSize / 8;

    /// <summary>The sum of a value over the lanes of the warp, in every lane.</summary>
    public static float WarpSum(float value)
    {
        for (var distance = Warp.WarpSize / 2; distance > 0; distance /= 2)
        {
            value += Warp.ShuffleXor(value, distance);
        }

        return value;
    }

    /// <inheritdoc cref="WarpSum(float)"/>
    public static double WarpSum(double value)
    {
        for (var distance = Warp.WarpSize / 2; distance > 0; distance /= 2)
        {
            value += Warp.ShuffleXor(value, distance);
        }

        return value;
    }

    /// <summary>The sum of a value over the threads of a one-dimensional group, in every thread. All threads must call it.</summary>
    public static double GroupSum(double value)
    {
        value = WarpSum(value);
        if (Group.DimX <= Warp.WarpSize)
        {
            return value;
        }

        var sums = SharedMemory.Allocate<double>(MaxWarps);
        if (Warp.LaneIdx == 0)
        {
            sums[Group.IdxX / Warp.WarpSize] = value;
        }

        Group.Barrier();
        var sum = 0.0;
        for (var warp = 0; warp < Group.DimX / Warp.WarpSize; warp++)
        {
            sum += sums[warp];
        }

        // Nobody may write the next sum before all have read this one.
        Group.Barrier();
        return sum;
    }
}
