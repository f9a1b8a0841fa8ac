namespace MonoLoss.Kernels.Ilgpu;

/// <summary>How a product is multiplied.</summary>
internal enum GemmTile
{
    /// <summary>64×64, single floats: for rows that are not a multiple of 16 bytes.</summary>
    Odd,

    /// <summary>64×64.</summary>
    Small,

    /// <summary>128×128.</summary>
    Large,

    /// <summary>128×128 by tensor cores.</summary>
    Tensor,
}

/// <summary>
/// How a product is divided: into tiles of C, and where these are too few for all multiprocessors, each of its sums into several
/// that are added up afterwards. The plan depends on the sizes and the device alone.
/// </summary>
internal readonly record struct GemmPlan(GemmTile Tile, int Splits, int SplitDepth)
{
    private const int MaxSplits = 16;

    // Sums are cut at multiples of this: any tile's step divides it.
    private const int Step = 32;

    // Cycles that a multiprocessor of 128 lanes takes for a step of a tile; the small tile also waits for shared memory.
    private const double LargeStep = 128 * 128 * Step / 128;
    private const double SmallStep = 1.25 * 64 * 64 * Step / 128;

    // Cycles of a multiprocessor's share of the memory to write a float and read it again (8 bytes; 3 TB/s over 132 of them at 1.7 GHz).
    private const double PartialCycles = 0.6;

    /// <summary>The plan that takes the least time.</summary>
    public static GemmPlan Choose(int m, int n, int k, bool vectorized, bool tensor, int multiprocessors)
    {
        var (best, least) = (default(GemmPlan), double.PositiveInfinity);
        GemmTile[] tiles = tensor ? [GemmTile.Tensor] : vectorized ? [GemmTile.Large, GemmTile.Small] : [GemmTile.Odd];
        foreach (var tile in tiles)
        {
            for (var splits = 1; splits <= MaxSplits; splits++)
            {
                var plan = Split(tile, k, splits);
                var cost = plan.Cost(m, n, multiprocessors);
                if (plan.Splits == splits && (long)splits * m * n <= int.MaxValue && cost < least)
                {
                    (best, least) = (plan, cost);
                }
            }
        }

        return best;
    }

    /// <summary>Cuts sums of K terms into the given number of parts, or fewer.</summary>
    public static GemmPlan Split(GemmTile tile, int k, int splits)
    {
        var steps = Math.Max(1, (k + Step - 1) / Step);
        var depth = (steps + splits - 1) / splits;
        return new(tile, (steps + depth - 1) / depth, depth * Step);
    }

    /// <summary>How many tiles C has.</summary>
    public int Tiles(int m, int n)
    {
        var size = Tile is GemmTile.Large or GemmTile.Tensor ? 128 : 64;
        return ((m + size - 1) / size) * ((n + size - 1) / size);
    }

    private double Cost(int m, int n, int multiprocessors)
    {
        var step = Tile is GemmTile.Large or GemmTile.Tensor ? LargeStep : SmallStep;
        var rounds = Math.Ceiling((double)Tiles(m, n) * Splits / multiprocessors);
        var partials = Splits == 1 ? 0 : PartialCycles * Splits * m * n / multiprocessors;
        return (rounds * SplitDepth / Step * step) + partials;
    }
}
