using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Sums over the threads of a warp and of a group, always in the same order.</summary>
internal static class Reductions
{
    // Warps have at least 8 threads on every device.
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

    /// <inheritdoc cref="WarpSum(float)"/>
    public static int WarpSum(int value)
    {
        for (var distance = Warp.WarpSize / 2; distance > 0; distance /= 2)
        {
            value += Warp.ShuffleXor(value, distance);
        }

        return value;
    }

    /// <summary>The minimum of a value over the lanes of the warp, in every lane.</summary>
    public static float WarpMin(float value)
    {
        for (var distance = Warp.WarpSize / 2; distance > 0; distance /= 2)
        {
            value = Math.Min(value, Warp.ShuffleXor(value, distance));
        }

        return value;
    }

    /// <inheritdoc cref="WarpMin(float)"/>
    public static int WarpMin(int value)
    {
        for (var distance = Warp.WarpSize / 2; distance > 0; distance /= 2)
        {
            value = Math.Min(value, Warp.ShuffleXor(value, distance));
        }

        return value;
    }

    /// <summary>
    /// The sums of four values over the lanes of the warp: the first one's in the first quarter of the lanes, and so on. A third of
    /// the shuffles that four sums take.
    /// </summary>
    public static float WarpSums(float value0, float value1, float value2, float value3)
    {
        // Each half of the lanes continues with two of the values, each quarter with one.
        var distance = Warp.WarpSize / 2;
        var upper = (Warp.LaneIdx & distance) != 0;
        var kept0 = (upper ? value2 : value0) + Warp.ShuffleXor(upper ? value0 : value2, distance);
        var kept1 = (upper ? value3 : value1) + Warp.ShuffleXor(upper ? value1 : value3, distance);
        distance /= 2;
        upper = (Warp.LaneIdx & distance) != 0;
        var sum = (upper ? kept1 : kept0) + Warp.ShuffleXor(upper ? kept0 : kept1, distance);
        for (distance /= 2; distance > 0; distance /= 2)
        {
            sum += Warp.ShuffleXor(sum, distance);
        }

        return sum;
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

        // Every thread must have read this sum before the next one overwrites it.
        Group.Barrier();
        return sum;
    }

    /// <summary>
    /// Two sums at once over the threads of a one-dimensional group, in every thread. All threads must call it; when it returns, they
    /// see what the others wrote before the call.
    /// </summary>
    public static Double2 GroupSum(Double2 value)
    {
        var sums = SharedMemory.Allocate<Double2>(MaxWarps);
        value = new(WarpSum(value.X), WarpSum(value.Y));
        if (Warp.LaneIdx == 0)
        {
            sums[Group.IdxX / Warp.WarpSize] = value;
        }

        Group.Barrier();
        Double2 sum = default;
        for (var warp = 0; warp < Group.DimX / Warp.WarpSize; warp++)
        {
            sum = sum.Add(sums[warp]);
        }

        Group.Barrier();
        return sum;
    }
}

/// <summary>Two sums that are formed together.</summary>
internal readonly struct Double2(double x, double y)
{
    public readonly double X = x;
    public readonly double Y = y;

    public Double2 Add(Double2 x) => new(X + x.X, Y + x.Y);
}
