using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>Dense matrix products on the CPU.</summary>
/// <remarks>
/// Both operands are packed into panels, and the result is formed tile by tile in registers (Goto and van de Geijn, "Anatomy of
/// high-performance matrix multiplication", 2008). How the work is cut depends on the sizes alone, and every element is one chain of
/// fused multiply-adds in the order of k, so the result has the same bits on any number of threads. Memory for packing is kept from
/// call to call. Call from one thread at a time.
/// </remarks>
internal sealed unsafe class CpuGemm : IDisposable
{
    // A product this small takes one thread less time than a dispatch to several.
    private const long SmallFlops = 1_000_000;

    // The largest op(B) that is not packed, 128 KiB: with a few rows of A and C it fits into the level-2 cache.
    private const long UnpackedFloats = 32 << 10;

    // Packing transposes this many rows at once and may write all of them.
    private const int TransposedRows = 16;

    private readonly WorkerPool _pool;
    private readonly CpuArray<float> _packedA = new(0);
    private readonly CpuArray<float> _packedB = new(0);

    /// <summary>Creates the kernel.</summary>
    /// <param name="pool">The threads to run on.</param>
    public CpuGemm(WorkerPool pool)
        : this(pool, BestIsa)
    {
    }

    internal CpuGemm(WorkerPool pool, GemmIsa isa)
    {
        _pool = pool;
        Isa = isa;
    }

    /// <summary>The widest instructions that this processor supports.</summary>
    internal static GemmIsa BestIsa =>
        Avx512F.IsSupported ? GemmIsa.Avx512 : Fma.IsSupported && Avx2.IsSupported ? GemmIsa.Avx2 : GemmIsa.Vector128;

    /// <summary>The instructions in use.</summary>
    internal GemmIsa Isa { get; }

    /// <summary>
    /// The most of a packed operand that is kept at once, in floats (128 MiB): larger operands are packed and multiplied part by part.
    /// </summary>
    internal long PackedFloats { get; init; } = 32L << 20;

    /// <summary>The threads to run on.</summary>
    internal WorkerPool Pool => _pool;

    /// <summary>
    /// C = α·op(A)·op(B) + β·C, then plus a bias, then ReLU. All matrices are row-major; op(A) is m × k, op(B) is k × n and
    /// C is m × n.
    /// </summary>
    /// <param name="transA">Whether op transposes A, which is then stored k × m.</param>
    /// <param name="transB">Whether op transposes B, which is then stored n × k.</param>
    /// <param name="m">Rows of op(A) and C.</param>
    /// <param name="n">Columns of op(B) and C.</param>
    /// <param name="k">Columns of op(A) and rows of op(B); 0 leaves β·C.</param>
    /// <param name="alpha">α.</param>
    /// <param name="a">A.</param>
    /// <param name="lda">Floats from one row of A, as stored, to the next.</param>
    /// <param name="b">B.</param>
    /// <param name="ldb">Floats from one row of B, as stored, to the next.</param>
    /// <param name="beta">β; if 0, C is not read.</param>
    /// <param name="c">C; must not overlap A or B.</param>
    /// <param name="ldc">Floats from one row of C to the next.</param>
    /// <param name="bias">One value per column of C, or null.</param>
    /// <param name="relu">Whether negative results become 0 (NaN stays NaN).</param>
    public void Gemm(
        bool transA,
        bool transB,
        int m,
        int n,
        int k,
        float alpha,
        float* a,
        int lda,
        float* b,
        int ldb,
        float beta,
        float* c,
        int ldc,
        float* bias = null,
        bool relu = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var operands = new CpuGemmOperands { TransA = transA, TransB = transB, A = a, Lda = lda, B = b, Ldb = ldb };
        if (alpha == 1 && beta == 0 && bias is null && !relu && (long)n * k <= UnpackedFloats)
        {
            if (Isa == GemmIsa.Avx512 && MultiplySmall<Simd512, Vector512<float>, Count4>(operands, m, n, k, c, ldc))
            {
                return;
            }

            if (Isa == GemmIsa.Avx2 && MultiplySmall<Simd256, Vector256<float>, Count2>(operands, m, n, k, c, ldc))
            {
                return;
            }
        }

        var sink = new StoreTile { C = c, Ldc = ldc, Alpha = alpha, Beta = beta, Bias = bias, Relu = relu };
        Multiply(operands, Plan(m, n, k), sink);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _packedA.Dispose();
        _packedB.Dispose();
    }

    /// <summary>Plans a product for the tiles of <see cref="Isa"/>.</summary>
    internal CpuGemmPlan Plan(int rows, int columns, int length, int maxGroups = int.MaxValue) => Isa switch
    {
        GemmIsa.Avx512 => CpuGemmPlan.For(rows, columns, length, GemmTile512.Rows, GemmTile512.Columns, maxGroups),
        GemmIsa.Avx2 => CpuGemmPlan.For(rows, columns, length, GemmTile256.Rows, GemmTile256.Columns, maxGroups),
        _ => CpuGemmPlan.For(rows, columns, length, GemmTile128.Rows, GemmTile128.Columns, maxGroups),
    };

    /// <summary>Computes op(A)·op(B) and passes it to a sink, tile by tile.</summary>
    internal void Multiply<TSink>(in CpuGemmOperands operands, in CpuGemmPlan plan, TSink sink)
        where TSink : unmanaged, ITileSink
    {
        if (plan.Rows == 0 || plan.Columns == 0)
        {
            return;
        }

        switch (Isa)
        {
            case GemmIsa.Avx512:
                Multiply<GemmTile512, TSink>(operands, plan, sink);
                break;
            case GemmIsa.Avx2:
                Multiply<GemmTile256, TSink>(operands, plan, sink);
                break;
            default:
                Multiply<GemmTile128, TSink>(operands, plan, sink);
                break;
        }
    }

    private bool MultiplySmall<TSimd, TVector, TVectors>(in CpuGemmOperands operands, int m, int n, int k, float* c, int ldc)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, ICount
    {
        // Transposing B takes about as long as multiplying this many rows.
        var minRows = operands.TransB ? TransposedRows : SmallProduct<TSimd, TVector, TVectors>.TileRows;
        if (m < minRows || n < TSimd.Width)
        {
            return false;
        }

        var b = operands.B;
        var ldb = operands.Ldb;
        if (operands.TransB)
        {
            ldb = (n + TransposedRows - 1) / TransposedRows * TransposedRows;
            b = _packedB.Ensure(ldb * k);
            Packing.Rows(Isa, operands.B, operands.Ldb, n, k, b, (int)ldb);
        }

        var rowFlops = Math.Max(1, 2L * n * k);
        var rowsPerTask = (int)Math.Clamp(SmallFlops / rowFlops, 1, m);
        Run(rowFlops * m < SmallFlops, (m + rowsPerTask - 1) / rowsPerTask, new SmallProduct<TSimd, TVector, TVectors>
        {
            Rows = m,
            Columns = n,
            Length = k,
            A = operands.A,
            RowStride = operands.TransA ? 1 : operands.Lda,
            ColumnStride = operands.TransA ? operands.Lda : 1,
            B = b,
            Ldb = ldb,
            C = c,
            Ldc = ldc,
            RowsPerTask = rowsPerTask,
        });
        return true;
    }

    /// <summary>The same with tiles of another kind, for which the plan must have been made.</summary>
    internal void Multiply<TTile, TSink>(in CpuGemmOperands operands, in CpuGemmPlan plan, TSink sink)
        where TTile : struct, IGemmTile
        where TSink : unmanaged, ITileSink
    {
        var length = Math.Max(1, plan.Length);
        var blocksAtOnce = (int)Math.Clamp(PackedFloats / ((long)plan.BlockRows * length), 1, plan.Blocks);
        var groupsAtOnce = (int)Math.Clamp(PackedFloats / ((long)plan.GroupColumns * length), 1, plan.Groups);
        var packsB = plan.Blocks == 1;
        var isSmall = 2L * plan.Rows * plan.Columns * length < SmallFlops;
        var packedA = _packedA.Ensure((long)blocksAtOnce * plan.BlockRows * length);
        var packedB = _packedB.Ensure((long)groupsAtOnce * (packsB ? TTile.Columns : plan.GroupColumns) * length);
        for (var group = 0; group < plan.Groups; group += groupsAtOnce)
        {
            var groups = Math.Min(groupsAtOnce, plan.Groups - group);
            for (var block = 0; block < plan.Blocks; block += blocksAtOnce)
            {
                var blocks = Math.Min(blocksAtOnce, plan.Blocks - block);
                var firstRow = block * plan.BlockRows;
                var endRow = (int)Math.Min(plan.Rows, firstRow + ((long)blocks * plan.BlockRows));
                var firstColumn = group * plan.GroupColumns;
                var endColumn = (int)Math.Min(plan.Columns, firstColumn + ((long)groups * plan.GroupColumns));
                // The panels of a group of B stay packed for all blocks of A, and all of A stays packed if it fits.
                var rowTasks = group > 0 && blocksAtOnce == plan.Blocks
                    ? 0
                    : PackOperands<TTile>.TasksFor(endRow - firstRow, TTile.Rows);
                var columnTasks = block > 0 || packsB ? 0 : PackOperands<TTile>.TasksFor(endColumn - firstColumn, TTile.Columns);
                Run(isSmall, rowTasks + columnTasks, new PackOperands<TTile>
                {
                    Isa = Isa,
                    Operands = operands,
                    Length = plan.Length,
                    FirstRow = firstRow,
                    EndRow = endRow,
                    FirstColumn = firstColumn,
                    EndColumn = endColumn,
                    RowTasks = rowTasks,
                    PackedA = packedA,
                    PackedB = packedB,
                });
                Run(isSmall, blocks * groups, new MultiplyPanels<TTile, TSink>
                {
                    Isa = Isa,
                    Operands = operands,
                    Plan = plan,
                    FirstBlock = block,
                    Blocks = blocks,
                    FirstGroup = group,
                    PackedA = packedA,
                    PackedB = packedB,
                    PacksB = packsB,
                    Sink = sink,
                });
            }
        }
    }

    private void Run<TWork>(bool isSmall, int tasks, TWork work)
        where TWork : unmanaged, IParallelWork
    {
        if (!isSmall)
        {
            _pool.Run(tasks, work);
            return;
        }

        for (var i = 0; i < tasks; i++)
        {
            work.Run(i);
        }
    }

    /// <summary>C = α·tile + β·C + bias, then ReLU.</summary>
    internal readonly struct StoreTile : ITileSink
    {
        public required float* C { get; init; }

        public required nint Ldc { get; init; }

        public required float Alpha { get; init; }

        public required float Beta { get; init; }

        public required float* Bias { get; init; }

        public required bool Relu { get; init; }

        public void Begin(int block, int group, int row, int rows)
        {
        }

        public void Expect(int row, int column, int rows, int columns)
        {
            if (Sse.IsSupported)
            {
                for (var r = 0; r < rows; r++)
                {
                    var to = C + ((row + r) * Ldc) + column;
                    Sse.Prefetch0(to);
                    Sse.Prefetch0(to + columns - 1);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
        {
            for (var r = 0; r < rows; r++)
            {
                var from = tile + (r * stride);
                var to = C + ((row + r) * Ldc) + column;
                var j = 0;
                for (; j + 8 <= columns; j += 8)
                {
                    var value = Vector256.Load(from + j) * Alpha;
                    if (Beta != 0)
                    {
                        value += Vector256.Load(to + j) * Beta;
                    }

                    if (Bias is not null)
                    {
                        value += Vector256.Load(Bias + column + j);
                    }

                    if (Relu)
                    {
                        value = Vector256.ConditionalSelect(Vector256.LessThan(value, Vector256<float>.Zero), Vector256<float>.Zero, value);
                    }

                    value.Store(to + j);
                }

                for (; j < columns; j++)
                {
                    var value = from[j] * Alpha;
                    if (Beta != 0)
                    {
                        value += to[j] * Beta;
                    }

                    if (Bias is not null)
                    {
                        value += Bias[column + j];
                    }

                    to[j] = Relu && value < 0 ? 0 : value;
                }
            }
        }
    }
}
