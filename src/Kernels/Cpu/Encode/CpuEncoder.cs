using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// The encoder of a sparse autoencoder: ReLU(A·Wᵀ + bias), of which only the latents that stay active are ever written to memory.
/// </summary>
/// <remarks>
/// Values are selected tile by tile while they are in the level-1 cache, so there is no matrix of pre-activations. Values have the bits
/// that <see cref="CpuGemm.Gemm"/> gives. Selection is exact; among equals it takes the lower row, then the lower latent. Zeros,
/// negative values and NaN are never selected. Results do not depend on the number of threads. Memory is kept from call to call.
/// Call from one thread at a time.
/// </remarks>
internal sealed unsafe partial class CpuEncoder : IDisposable
{
    // The most memory for the candidates of a top-k, unless a single cell per row takes more.
    private const long CandidateBytes = 64L << 20;

    // Columns of a group for top-k: in narrower ones a row's bound stays low, and many more candidates come up.
    private const int WideGroup = 1024;

    // The sample for guessing a threshold has about this many rows and columns; at least this many of its values must be above the guess.
    private const int SampleRows = 64;
    private const int SampleColumns = 1024;
    private const int SampleTail = 64;

    private readonly CpuGemm _gemm;
    private readonly Int16Prefilter _filter;
    private readonly CpuArray<int> _counts = new(0);
    private readonly CpuArray<float> _bounds = new(0);
    private readonly CpuArray<float> _values = new(0);
    private readonly CpuArray<int> _indices = new(0);
    private readonly CpuArray<byte> _runs = new(0);
    private readonly TaskEntriesArray _entriesOfTasks = new();

    /// <summary>Creates the kernel.</summary>
    /// <param name="gemm">The matrix product to build on; not to be used elsewhere at the same time.</param>
    public CpuEncoder(CpuGemm gemm) => (_gemm, _filter) = (gemm, new Int16Prefilter(gemm));

    /// <summary>Whether the float32 product is formed only where <see cref="Int16Prefilter"/> finds candidates.</summary>
    internal PrefilterPolicy Filter { get; init; }

    /// <summary>Whether the last call had its candidates from <see cref="Int16Prefilter"/>.</summary>
    internal bool Filtered { get; private set; }

    /// <summary>Keeps the k largest positive latents of each row.</summary>
    /// <param name="rows">B, the rows of A.</param>
    /// <param name="latents">M, the rows of W.</param>
    /// <param name="features">D, the columns of both.</param>
    /// <param name="a">A, B×D.</param>
    /// <param name="lda">Floats from one row of A to the next.</param>
    /// <param name="w">W, M×D.</param>
    /// <param name="ldw">Floats from one row of W to the next.</param>
    /// <param name="bias">One value per latent, or null.</param>
    /// <param name="k">The number to keep per row.</param>
    /// <param name="result">Becomes the latents kept.</param>
    public void EncodeTopK(
        int rows, int latents, int features, float* a, int lda, float* w, int ldw, float* bias, int k, SparseBuffer result)
    {
        CheckSizes(rows, latents, features, k);
        result.EnsureRows(rows);
        if (rows == 0 || latents == 0 || k == 0)
        {
            return;
        }

        var input = new Input { Rows = rows, Latents = latents, Features = features, A = a, Lda = lda, W = w, Ldw = ldw, Bias = bias };
        Filtered = Filters(input, (double)k / latents) && FindTopK(input, k, filtered: true, result);
        if (!Filtered)
        {
            FindTopK(input, k, filtered: false, result);
        }
    }

    /// <summary>Keeps the rows·k largest positive latents of the whole batch.</summary>
    /// <param name="rows">B, the rows of A.</param>
    /// <param name="latents">M, the rows of W.</param>
    /// <param name="features">D, the columns of both.</param>
    /// <param name="a">A, B×D.</param>
    /// <param name="lda">Floats from one row of A to the next.</param>
    /// <param name="w">W, M×D.</param>
    /// <param name="ldw">Floats from one row of W to the next.</param>
    /// <param name="bias">One value per latent, or null.</param>
    /// <param name="k">The number to keep per row on average.</param>
    /// <param name="hint">
    /// A value that is probably a little below the threshold, such as 0.9 times the last batch's; 0 for none. It affects the time, not the
    /// result.
    /// </param>
    /// <param name="result">Becomes the latents kept.</param>
    /// <returns>The smallest value kept; 0 if there is none.</returns>
    public float EncodeBatchTopK(
        int rows, int latents, int features, float* a, int lda, float* w, int ldw, float* bias, int k, float hint, SparseBuffer result)
    {
        CheckSizes(rows, latents, features, k);
        result.EnsureRows(rows);
        if (rows == 0 || latents == 0 || k == 0)
        {
            return 0;
        }

        var input = new Input { Rows = rows, Latents = latents, Features = features, A = a, Lda = lda, W = w, Ldw = ldw, Bias = bias };
        var threshold = 0f;
        Filtered = Filters(input, (double)k / latents) && FilterBatchTopK(input, k, hint, result, out threshold);
        return Filtered ? threshold : FindBatchTopK(input, k, hint, result);
    }

    /// <summary>Keeps every value of ReLU(A·Wᵀ + bias) above a bound.</summary>
    /// <param name="rows">B, the rows of A.</param>
    /// <param name="latents">M, the rows of W.</param>
    /// <param name="features">D, the columns of both.</param>
    /// <param name="a">A, B×D.</param>
    /// <param name="lda">Floats from one row of A to the next.</param>
    /// <param name="w">W, M×D.</param>
    /// <param name="ldw">Floats from one row of W to the next.</param>
    /// <param name="bias">One value per latent, or null.</param>
    /// <param name="keepAbove">One bound per latent, or null for 0. A negative bound keeps the zeros of the ReLU too.</param>
    /// <param name="result">Becomes the latents kept.</param>
    public void EncodeThreshold(
        int rows, int latents, int features, float* a, int lda, float* w, int ldw, float* bias, float* keepAbove, SparseBuffer result)
    {
        CheckSizes(rows, latents, features, 0);
        result.EnsureRows(rows);
        if (rows == 0 || latents == 0)
        {
            return;
        }

        var input = new Input { Rows = rows, Latents = latents, Features = features, A = a, Lda = lda, W = w, Ldw = ldw, Bias = bias };
        Filtered = Filters(input, keepAbove) && FilterAbove(input, keepAbove, result);
        if (!Filtered)
        {
            FindAbove(input, keepAbove, result);
        }
    }

    /// <summary>An estimate, from a sample, of the share of latents that are positive.</summary>
    /// <param name="rows">B, the rows of A.</param>
    /// <param name="latents">M, the rows of W.</param>
    /// <param name="features">D, the columns of both.</param>
    /// <param name="a">A, B×D.</param>
    /// <param name="w">W, M×D.</param>
    /// <param name="bias">One value per latent, or null.</param>
    internal double EstimateActiveShare(int rows, int latents, int features, float* a, float* w, float* bias)
    {
        if (rows == 0 || latents == 0)
        {
            return 0;
        }

        var input = new Input
        {
            Rows = rows, Latents = latents, Features = features, A = a, Lda = features, W = w, Ldw = features, Bias = bias,
        };
        return ShareAbove(input, null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _entriesOfTasks.Dispose();
        _filter.Dispose();
        _counts.Dispose();
        _bounds.Dispose();
        _values.Dispose();
        _indices.Dispose();
        _runs.Dispose();
        _candidateEntries.Dispose();
        _candidates.Dispose();
    }

    /// <summary>The operands of a call.</summary>
    private readonly struct Input
    {
        public required int Rows { get; init; }

        public required int Latents { get; init; }

        public required int Features { get; init; }

        public required float* A { get; init; }

        public required nint Lda { get; init; }

        public required float* W { get; init; }

        public required nint Ldw { get; init; }

        public required float* Bias { get; init; }

        public CpuGemmOperands Operands => new() { TransA = false, TransB = true, A = A, Lda = Lda, B = W, Ldb = Ldw };

        public ExactRescorer Exact => new() { A = A, Lda = Lda, W = W, Ldw = Ldw, Bias = Bias, Features = Features };
    }

    private int TileColumns(bool filtered) => filtered ? IntegerTile.Columns : _gemm.Isa switch
    {
        GemmIsa.Avx512 => GemmTile512.Columns,
        GemmIsa.Avx2 => GemmTile256.Columns,
        _ => GemmTile128.Columns,
    };

    private CpuGemmPlan Plan(in Input input, bool filtered, int maxGroups = int.MaxValue) => filtered
        ? Int16Prefilter.Plan(input.Rows, input.Latents, input.Features, maxGroups)
        : _gemm.Plan(input.Rows, input.Latents, input.Features, maxGroups);

    private void Multiply<TSink>(in Input input, in CpuGemmPlan plan, bool filtered, TSink sink)
        where TSink : unmanaged, ITileSink
    {
        if (filtered)
        {
            _filter.Multiply(plan, sink);
        }
        else
        {
            _gemm.Multiply(input.Operands, plan, sink);
        }
    }

    private static void CheckSizes(int rows, int latents, int features, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(latents);
        ArgumentOutOfRangeException.ThrowIfNegative(features);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
    }

    private bool FindTopK(in Input input, int k, bool filtered, SparseBuffer result)
    {
        var rows = input.Rows;
        var tileColumns = TileColumns(filtered);
        var unlimited = TopKCandidates.CapacityFor(k, input.Latents, tileColumns);
        var wideGroups = Math.Max(1, input.Latents / WideGroup);
        var maxGroups = (int)Math.Clamp(CandidateBytes / ((long)rows * unlimited * 8), 1, wideGroups);
        var plan = Plan(input, filtered, maxGroups);
        var capacity = TopKCandidates.CapacityFor(k, plan.GroupColumns, tileColumns);
        var cells = (long)rows * plan.Groups;
        var rowBounds = _bounds.Ensure(cells + rows);
        NativeMemory.Clear(rowBounds, (nuint)rows * sizeof(float));
        var overflow = false;
        var candidates = new TopKCandidates
        {
            Isa = _gemm.Isa,
            Bias = input.Bias,
            K = k,
            Groups = plan.Groups,
            Capacity = capacity,
            Counts = _counts.Ensure(cells),
            RowBounds = rowBounds,
            Bounds = rowBounds + rows,
            Slack = filtered ? _filter.Slack : null,
            Overflow = &overflow,
            Values = _values.Ensure(cells * capacity),
            Indices = _indices.Ensure(cells * capacity),
        };
        Multiply(input, plan, filtered, candidates);
        if (overflow)
        {
            return GiveUpFilter();
        }

        _gemm.Pool.Run(
            MergeCandidates.TasksFor(rows),
            new MergeCandidates { Candidates = candidates, Rows = rows, Exact = input.Exact, RowCounts = result.RowOffsets });
        var total = 0L;
        for (var row = 1; row <= rows; row++)
        {
            total += result.RowOffsets[row];
            result.RowOffsets[row] = (int)total;
        }

        result.EnsureCapacity(total);
        _gemm.Pool.Run(CopyCandidates.TasksFor(rows), new CopyCandidates
        {
            Candidates = candidates,
            Rows = rows,
            RowOffsets = result.RowOffsets,
            Indices = result.Indices,
            Values = result.Values,
        });
        return true;
    }

    private float FindBatchTopK(in Input input, int k, float hint, SparseBuffer result)
    {
        var wanted = (long)input.Rows * Math.Min(k, input.Latents);
        var plan = Plan(input, filtered: false);
        var tasks = plan.Blocks * plan.Groups;
        float bound;
        EntriesAbove entries;
        long found;
        var attempt = 0;
        do
        {
            bound = Guess(input, wanted, hint, ref attempt);
            entries = Entries(plan, input.Bias, bound, bounds: null);
            _gemm.Multiply(input.Operands, plan, entries);
            found = CountAbove(entries.Tasks, tasks, bound);
        }
        while (found < wanted && bound > 0);

        var cut = found > wanted ? Cut(entries.Tasks, tasks, bound, wanted) : -1;
        Assemble(entries, plan, cut, wanted, result);
        return result.Count == 0 ? 0 : SmallestKept(entries.Tasks, tasks, cut, result.Count);
    }

    private void FindAbove(in Input input, float* keepAbove, SparseBuffer result)
    {
        var plan = Plan(input, filtered: false);
        var entries = Entries(plan, input.Bias, 0, keepAbove);
        _gemm.Multiply(input.Operands, plan, entries);
        Assemble(entries, plan, -1, long.MaxValue, result);
    }

    private EntriesAbove Entries(in CpuGemmPlan plan, float* bias, float bound, float* bounds)
    {
        var tileColumns = TileColumns(filtered: false);
        var panels = ((long)plan.Columns + tileColumns - 1) / tileColumns;
        return new EntriesAbove
        {
            Isa = _gemm.Isa,
            Bias = bias,
            Bound = bound,
            Bounds = bounds,
            Rows = plan.Rows,
            Groups = plan.Groups,
            Tasks = _entriesOfTasks.Ensure(plan.Blocks * plan.Groups),
            Runs = _runs.Ensure(panels * plan.Rows),
        };
    }

    /// <summary>
    /// A lower bound for a batch's largest values. If it is too high, too few values are above it: each further guess is lower, and the
    /// last is 0, which all candidates are above.
    /// </summary>
    private float Guess(in Input input, long wanted, float hint, ref int attempt)
    {
        if (attempt == 0 && !(hint > 0 && float.IsFinite(hint)))
        {
            attempt++;
        }

        return attempt++ switch
        {
            0 => hint,
            1 => GuessBound(input, 2.0 * wanted),
            2 => GuessBound(input, 8.0 * wanted),
            _ => 0,
        };
    }

    /// <summary>The values at evenly spaced rows and columns of the product.</summary>
    private (int Rows, int Columns, int ColumnStep) Sample(in Input input, out float* values)
    {
        var rowStep = Math.Max(1, input.Rows / SampleRows);
        var columnStep = Math.Max(1, input.Latents / SampleColumns);
        var rows = (input.Rows + rowStep - 1) / rowStep;
        var columns = (input.Latents + columnStep - 1) / columnStep;
        values = _values.Ensure(((long)rows * columns) + ValueSelection.Slack + columns);
        float* bias = null;
        if (input.Bias is not null)
        {
            bias = values + ((long)rows * columns) + ValueSelection.Slack;
            for (var j = 0; j < columns; j++)
            {
                bias[j] = input.Bias[(nint)j * columnStep];
            }
        }

        var operands = (input with { Lda = input.Lda * rowStep, Ldw = input.Ldw * columnStep }).Operands;
        _gemm.Multiply(operands, _gemm.Plan(rows, columns, input.Features), new CpuGemm.StoreTile
        {
            C = values,
            Ldc = columns,
            Alpha = 1,
            Beta = 0,
            Bias = bias,
            Relu = true,
        });
        return (rows, columns, columnStep);
    }

    /// <summary>A bound that about <paramref name="wanted"/> values are above.</summary>
    private float GuessBound(in Input input, double wanted)
    {
        var (rows, columns, _) = Sample(input, out var values);
        var count = (long)rows * columns;
        var tail = Math.Max((long)(wanted * count / ((double)input.Rows * input.Latents)), SampleTail);
        if (tail >= count)
        {
            return 0;
        }

        // To about 1 part in 250, which is as precise as a sample is.
        var low = 0;
        var high = 0x7F800000;
        while (high - low > 1 << 15)
        {
            var middle = low + ((high - low) / 2);
            if (ValueSelection.CountAbove(_gemm.Isa, values, count, BitConverter.Int32BitsToSingle(middle)) > tail)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return BitConverter.Int32BitsToSingle(low);
    }

    /// <summary>
    /// The value with fewer than <paramref name="wanted"/> values above it and at least as many not below it; or a value with exactly as
    /// many above it.
    /// </summary>
    private float Cut(TaskEntries* values, int tasks, float bound, long wanted)
    {
        var low = BitConverter.SingleToInt32Bits(bound);
        var high = MinMax(values, tasks, bound).Max;
        while (high - low > 1)
        {
            var middle = low + ((high - low) / 2);
            var cut = BitConverter.Int32BitsToSingle(middle);
            var above = CountAbove(values, tasks, cut);
            if (above == wanted)
            {
                return cut;
            }

            if (above > wanted)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return BitConverter.Int32BitsToSingle(high);
    }

    private long CountAbove(TaskEntries* values, int tasks, float bound)
    {
        long total = 0;
        _gemm.Pool.Run(tasks, new CountAboveInTasks { Isa = _gemm.Isa, Tasks = values, Bound = bound, Total = &total });
        return total;
    }

    private (int Min, int Max) MinMax(TaskEntries* values, int tasks, float bound)
    {
        var minMax = stackalloc int[2] { 0x7F800000, 0 };
        _gemm.Pool.Run(tasks, new RangeOfTasks { Isa = _gemm.Isa, Tasks = values, Bound = bound, MinMax = minMax });
        return (minMax[0], minMax[1]);
    }

    private float SmallestKept(TaskEntries* values, int tasks, float cut, int kept) =>
        cut >= 0 && CountAbove(values, tasks, cut) < kept
            ? cut
            : BitConverter.Int32BitsToSingle(MinMax(values, tasks, cut).Min);

    private void Assemble(in EntriesAbove entries, in CpuGemmPlan plan, float cut, long wanted, SparseBuffer result)
    {
        var cells = (long)plan.Rows * plan.Groups;
        var counts = _counts.Ensure(2 * cells);
        var assembly = new SparseAssembly
        {
            Entries = entries,
            Plan = plan,
            TileColumns = TileColumns(filtered: false),
            Cut = cut,
            Above = counts,
            Equal = counts + cells,
        };
        _gemm.Pool.Run(assembly.Tasks, new CountEntries { Assembly = assembly });
        var total = SparseAssembly.Place(plan.Rows, plan.Groups, wanted, assembly.Above, assembly.Equal, result.RowOffsets);
        result.EnsureCapacity(total);
        _gemm.Pool.Run(assembly.Tasks, new CopyEntries { Assembly = assembly, Indices = result.Indices, Values = result.Values });
    }
}
