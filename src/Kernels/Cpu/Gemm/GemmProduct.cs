using System.Runtime.CompilerServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>Receives the finished tiles of a product.</summary>
internal unsafe interface ITileSink
{
    /// <summary>A task begins: a block of rows times a group of columns, whose tiles one thread delivers.</summary>
    /// <param name="block">The block.</param>
    /// <param name="group">The group.</param>
    /// <param name="row">The block's first row.</param>
    /// <param name="rows">Its rows.</param>
    void Begin(int block, int group, int row, int rows);

    /// <summary>A tile is about to be computed: the sink may prefetch the memory that it goes to.</summary>
    /// <param name="row">First row in the result.</param>
    /// <param name="column">First column in the result.</param>
    /// <param name="rows">Rows that exist.</param>
    /// <param name="columns">Columns that exist.</param>
    void Expect(int row, int column, int rows, int columns);

    /// <summary>
    /// Receives a tile. Within a task, tiles come from left to right and, for equal columns, from top to bottom.
    /// </summary>
    /// <param name="block">The block.</param>
    /// <param name="group">The group.</param>
    /// <param name="row">First row in the result.</param>
    /// <param name="column">First column in the result.</param>
    /// <param name="rows">Rows that exist.</param>
    /// <param name="columns">Columns that exist.</param>
    /// <param name="tile">The sums, <paramref name="stride"/> floats from one row to the next. May be overwritten.</param>
    /// <param name="stride">The tile's full width.</param>
    void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride);
}

/// <summary>The two matrices of a product op(A)·op(B).</summary>
internal readonly unsafe struct CpuGemmOperands
{
    /// <summary>Whether A is stored transposed, length × rows.</summary>
    public required bool TransA { get; init; }

    /// <summary>Whether B is stored transposed, columns × length.</summary>
    public required bool TransB { get; init; }

    /// <summary>A.</summary>
    public required float* A { get; init; }

    /// <summary>Floats from one row of A, as stored, to the next.</summary>
    public required nint Lda { get; init; }

    /// <summary>B.</summary>
    public required float* B { get; init; }

    /// <summary>Floats from one row of B, as stored, to the next.</summary>
    public required nint Ldb { get; init; }
}

/// <summary>Packs a range of blocks of A and, if several blocks share them, a range of groups of B.</summary>
internal readonly unsafe struct PackOperands<TTile> : IParallelWork
    where TTile : struct, IGemmTile
{
    /// <summary>Panels packed by one task.</summary>
    public const int PanelsPerTask = 4;

    public required GemmIsa Isa { get; init; }

    public required CpuGemmOperands Operands { get; init; }

    public required int Length { get; init; }

    public required int FirstRow { get; init; }

    public required int EndRow { get; init; }

    public required int FirstColumn { get; init; }

    public required int EndColumn { get; init; }

    public required int RowTasks { get; init; }

    public required float* PackedA { get; init; }

    public required float* PackedB { get; init; }

    public static int TasksFor(int count, int width) => (int)(((long)count + (width * PanelsPerTask) - 1) / (width * PanelsPerTask));

    public void Run(int index)
    {
        var rows = index < RowTasks;
        var width = rows ? TTile.Rows : TTile.Columns;
        var first = rows ? FirstRow : FirstColumn;
        var end = rows ? EndRow : EndColumn;
        var panel = (rows ? index : index - RowTasks) * PanelsPerTask;
        for (var i = 0; i < PanelsPerTask; i++, panel++)
        {
            var at = first + (panel * width);
            if (at >= end)
            {
                return;
            }

            var count = Math.Min(width, end - at);
            if (rows)
            {
                PackA(at, count, PackedA + ((nint)panel * width * Length));
            }
            else
            {
                PackB(Isa, Operands, at, count, Length, PackedB + ((nint)panel * width * Length));
            }
        }
    }

    public static void PackB(GemmIsa isa, in CpuGemmOperands operands, int column, int columns, int length, float* panel)
    {
        if (operands.TransB)
        {
            Packing.Rows(isa, operands.B + (column * operands.Ldb), operands.Ldb, columns, length, panel, TTile.Columns);
        }
        else
        {
            Packing.Columns(operands.B + column, operands.Ldb, columns, length, panel, TTile.Columns);
        }
    }

    private void PackA(int row, int rows, float* panel)
    {
        if (Operands.TransA)
        {
            Packing.Columns(Operands.A + row, Operands.Lda, rows, Length, panel, TTile.Rows);
        }
        else
        {
            Packing.Rows(Isa, Operands.A + (row * Operands.Lda), Operands.Lda, rows, Length, panel, TTile.Rows);
        }
    }
}

/// <summary>Multiplies packed panels, tile by tile, and passes the tiles on.</summary>
internal readonly unsafe struct MultiplyPanels<TTile, TSink> : IParallelWork
    where TTile : struct, IGemmTile
    where TSink : unmanaged, ITileSink
{
    public required GemmIsa Isa { get; init; }

    public required CpuGemmOperands Operands { get; init; }

    public required CpuGemmPlan Plan { get; init; }

    public required int FirstBlock { get; init; }

    public required int Blocks { get; init; }

    public required int FirstGroup { get; init; }

    public required float* PackedA { get; init; }

    public required float* PackedB { get; init; }

    /// <summary>Whether each task packs its own panels of B, because no other task needs them.</summary>
    public required bool PacksB { get; init; }

    public required TSink Sink { get; init; }

    /// <summary>Computes one task. Blocks vary fastest, so that threads working at the same time read the same panels of B.</summary>
    [SkipLocalsInit]
    public void Run(int index)
    {
        var block = FirstBlock + (index % Blocks);
        var group = FirstGroup + (index / Blocks);
        var length = Plan.Length;
        var row = block * Plan.BlockRows;
        var rows = Math.Min(Plan.BlockRows, Plan.Rows - row);
        var column = group * Plan.GroupColumns;
        var endColumn = (int)Math.Min((long)column + Plan.GroupColumns, Plan.Columns);
        var tiles = (rows + TTile.Rows - 1) / TTile.Rows;
        var a = PackedA + ((nint)(block - FirstBlock) * Plan.BlockRows * length);
        var b = PackedB + ((PacksB ? index : (nint)(group - FirstGroup) * Plan.GroupPanels) * TTile.Columns * length);
        var tileSize = TTile.Rows * TTile.Columns;
        var oneChunk = Plan.Chunk >= length;
        var scratch = stackalloc float[((oneChunk ? 1 : tiles) * tileSize) + 16];
        scratch = (float*)(((nint)scratch + 63) & ~(nint)63);
        // While the tiles that share a chunk of B are computed, the next chunk, which follows in memory, is prefetched to the level-2
        // cache.
        var prefetchStep = (nint)(((TTile.Columns * sizeof(float)) + tiles - 1) / tiles);
        Sink.Begin(block, group, row, rows);
        for (; column < endColumn; column += TTile.Columns)
        {
            var columns = Math.Min(TTile.Columns, endColumn - column);
            if (PacksB)
            {
                PackOperands<TTile>.PackB(Isa, Operands, column, columns, length, b);
            }

            var k = 0;
            do
            {
                var chunk = Math.Min(Plan.Chunk, length - k);
                var isLast = k + chunk >= length;
                var chunkOfB = b + ((nint)k * TTile.Columns);
                var prefetch = (byte*)(chunkOfB + ((nint)chunk * TTile.Columns));
                for (var i = 0; i < tiles; i++)
                {
                    var tileRows = Math.Min(TTile.Rows, rows - (i * TTile.Rows));
                    var tile = oneChunk ? scratch : scratch + (i * tileSize);
                    var panel = a + ((((nint)i * length) + k) * TTile.Rows);
                    if (isLast)
                    {
                        Sink.Expect(row + (i * TTile.Rows), column, tileRows, columns);
                    }

                    TTile.Multiply(tileRows, chunk, panel, chunkOfB, tile, k > 0, prefetch, prefetchStep);
                    prefetch += chunk * prefetchStep;
                    if (isLast)
                    {
                        Sink.Tile(block, group, row + (i * TTile.Rows), column, tileRows, columns, tile, TTile.Columns);
                    }
                }

                k += chunk;
            }
            while (k < length);

            if (!PacksB)
            {
                b += (nint)TTile.Columns * length;
            }
        }
    }
}
