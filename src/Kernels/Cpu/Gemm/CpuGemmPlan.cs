namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// How a product is cut into tasks: blocks of rows times groups of columns. The sizes alone decide, never the number of threads, so that
/// results do not depend on it.
/// </summary>
internal readonly struct CpuGemmPlan
{
    // A block of A and two chunks of B's panels share the level-2 cache: 1 MiB on the AVX-512 machine that these numbers were tuned on,
    // rarely less than 512 KiB elsewhere. `bench -- gemm` measures them.
    private const int BlockBytes = 384 << 10;
    private const int MaxBlockRows = 224;
    private const int ChunkLength = 1024;

    // With fewer rows in a block, there is no time to prefetch the next panel of B; with fewer panels in a group, packing A does not pay.
    private const int FewBlockRows = 56;
    private const int FewGroupPanels = 8;

    // Enough tasks for 64 threads to finish at about the same time, none so small that its dispatch shows.
    private const int EnoughTasks = 256;
    private const long MinTaskFlops = 4_000_000;

    private CpuGemmPlan(int rows, int columns, int length, int tileRows, int tileColumns, int blockPanels, int groupPanels)
    {
        Rows = rows;
        Columns = columns;
        Length = length;
        BlockPanels = blockPanels;
        BlockRows = blockPanels * tileRows;
        GroupPanels = groupPanels;
        GroupColumns = groupPanels * tileColumns;
        Blocks = Ceiling(rows, BlockRows);
        Groups = Ceiling(columns, GroupColumns);
        // k is cut evenly into chunks that fit the caches; their lengths are even because a tile may take k by twos.
        var chunks = Math.Max(1, Ceiling(length, ChunkLength));
        Chunk = Math.Max(1, Ceiling(length, 2 * chunks)) * 2;
    }

    /// <summary>The rows of the result.</summary>
    public int Rows { get; }

    /// <summary>The columns of the result.</summary>
    public int Columns { get; }

    /// <summary>k, the length of the sums.</summary>
    public int Length { get; }

    /// <summary>Panels of A per block.</summary>
    public int BlockPanels { get; }

    /// <summary>Rows per block; the last may have fewer.</summary>
    public int BlockRows { get; }

    /// <summary>The number of blocks.</summary>
    public int Blocks { get; }

    /// <summary>Panels of B per group.</summary>
    public int GroupPanels { get; }

    /// <summary>Columns per group; the last may have fewer.</summary>
    public int GroupColumns { get; }

    /// <summary>The number of groups.</summary>
    public int Groups { get; }

    /// <summary>The length of the chunks in which k is summed.</summary>
    public int Chunk { get; }

    /// <summary>Plans a product.</summary>
    /// <param name="rows">Rows of the result.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="length">Length of the sums.</param>
    /// <param name="tileRows">Rows of a register tile.</param>
    /// <param name="tileColumns">Columns of a register tile.</param>
    /// <param name="maxGroups">The most groups to cut into.</param>
    public static CpuGemmPlan For(int rows, int columns, int length, int tileRows, int tileColumns, int maxGroups = int.MaxValue)
    {
        var rowPanels = Math.Max(1, Ceiling(rows, tileRows));
        var columnPanels = Math.Max(1, Ceiling(columns, tileColumns));
        var blockPanels = (int)Math.Clamp(BlockBytes / (4L * tileRows * Math.Max(1, length)), 2, MaxBlockRows / tileRows);
        blockPanels = Math.Min(blockPanels, rowPanels);
        var fewBlockPanels = FewBlockRows / tileRows;
        var minGroupPanels = Ceiling(columnPanels, maxGroups);
        var groupPanels = Math.Max(Math.Min(columnPanels, 1024 / tileColumns), minGroupPanels);
        var panelFlops = 2L * tileRows * tileColumns * length;
        while ((long)Ceiling(rowPanels, blockPanels) * Ceiling(columnPanels, groupPanels) < EnoughTasks
            && panelFlops * blockPanels * groupPanels >= 2 * MinTaskFlops)
        {
            var canNarrow = groupPanels / 2 >= minGroupPanels && groupPanels > 1;
            if (blockPanels > fewBlockPanels)
            {
                blockPanels = Math.Max(fewBlockPanels, Ceiling(blockPanels, 2));
            }
            else if (canNarrow && (groupPanels > FewGroupPanels || blockPanels == 1))
            {
                groupPanels /= 2;
            }
            else if (blockPanels > 1)
            {
                blockPanels = Ceiling(blockPanels, 2);
            }
            else
            {
                break;
            }
        }

        return new CpuGemmPlan(rows, columns, length, tileRows, tileColumns, blockPanels, groupPanels);
    }

    private static int Ceiling(int a, int b) => (int)(((long)a + b - 1) / b);
}
