namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// How a product is cut into tasks of work: blocks of rows times groups of columns. It follows from the sizes alone, never from
/// the number of threads.
/// </summary>
internal readonly struct CpuGemmPlan
{
    // A block of A and two chunks of B's panels share the level-2 cache, 1 MiB on the machines this is tuned for and seldom less
    // than 512 KiB.
    private const int BlockBytes = 384 << 10;
    private const int MaxBlockRows = 224;
    private const int ChunkLength = 1024;

    // Fewer panels of A than this do not give the time to bring in the next panel of B; fewer of B waste that of A.
    private const int FewBlockRows = 56;
    private const int FewGroupPanels = 8;

    // Enough tasks for 64 threads to finish at about the same time, none so small that handing it out shows.
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
        // k is cut evenly, into chunks that the caches like; a tile may take k by twos.
        var chunks = Math.Max(1, Ceiling(length, ChunkLength));
        Chunk = Math.Max(1, Ceiling(length, 2 * chunks)) * 2;
    }

    /// <summary>Gets the rows of the result.</summary>
    public int Rows { get; }

    /// <summary>Gets the columns of the result.</summary>
    public int Columns { get; }

    /// <summary>Gets the length of the sums.</summary>
    public int Length { get; }

    /// <summary>Gets the panels of A in a block.</summary>
    public int BlockPanels { get; }

    /// <summary>Gets the rows in a block; the last may have fewer.</summary>
    public int BlockRows { get; }

    /// <summary>Gets the number of blocks.</summary>
    public int Blocks { get; }

    /// <summary>Gets the panels of B in a group.</summary>
    public int GroupPanels { get; }

    /// <summary>Gets the columns in a group; the last may have fewer.</summary>
    public int GroupColumns { get; }

    /// <summary>Gets the number of groups.</summary>
    public int Groups { get; }

    /// <summary>Gets how much of k is summed at a time.</summary>
    public int Chunk { get; }

    /// <summary>Cuts a product.</summary>
    /// <param name="rows">Rows of the result.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="length">Length of the sums.</param>
    /// <param name="tileRows">Rows of a register tile.</param>
    /// <param name="tileColumns">Columns of a register tile.</param>
    /// <param name="maxGroups">The most groups that are wanted.</param>
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
