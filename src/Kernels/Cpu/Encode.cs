using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// A sparse autoencoder's encoder: relu(A·Wᵀ + bias), of which only the latents that stay active are ever written down.
/// </summary>
/// <remarks>
/// The product's tiles are looked at while they are in registers' reach, so the rows × latents matrix of pre-activations does not
/// exist. Values are the very bits that <see cref="CpuGemm.Gemm"/> gives. Selection is exact and takes the lower row, then the lower
/// latent, among equals; zeros, negative values and NaN are never selected. Results do not depend on the number of threads. Memory is
/// kept from call to call. One call at a time.
/// </remarks>
public sealed unsafe class CpuEncoder : IDisposable
{
    // What the candidates of a top-k may take in all, unless a single cell per row takes more.
    private const long CandidateBytes = 64L << 20;

    private const int WideGroup = 1024;

    // A sample for guessing a threshold has about so many rows and columns; its tail must hold enough values to go by.
    private const int SampleRows = 64;
    private const int SampleColumns = 1024;
    private const int SampleTail = 64;

    // More entries than this in a piece of the filter's product are too many to be worth their values; few always are.
    private const double FilteredShare = 0.25;
    private const int FilteredEntries = 4096;

    // A cut below every value, and above what stands for one that is dropped.
    private const float BelowAll = CandidateRows.Dropped / 2;

    // After a filter that let too much through, so many calls do without.
    private const int CallsWithoutFilter = 16;

    private readonly CpuGemm _gemm;
    private readonly EncodeFilter _filter;
    private readonly GemmWorkspace _counts = new();
    private readonly GemmWorkspace _bounds = new();
    private readonly GemmWorkspace _values = new();
    private readonly GemmWorkspace _indices = new();
    private readonly GemmWorkspace _runs = new();
    private readonly GemmWorkspace _candidatePieces = new();
    private readonly SparseBuffer _candidates = new();
    private PieceEntries* _pieces;
    private int _pieceCount;
    private int _callsWithoutFilter;

    /// <summary>Creates the kernel.</summary>
    /// <param name="gemm">The product to build on; not to be used elsewhere at the same time.</param>
    public CpuEncoder(CpuGemm gemm) => (_gemm, _filter) = (gemm, new EncodeFilter(gemm));

    /// <summary>Frees the memory.</summary>
    ~CpuEncoder() => FreePieces();

    /// <summary>Gets whether the float32 product is formed only where <see cref="EncodeFilter"/> finds candidates.</summary>
    internal FilterUse Filter { get; init; }

    /// <summary>Gets whether the last call had its candidates from <see cref="EncodeFilter"/>.</summary>
    internal bool Filtered { get; private set; }

    /// <summary>Keeps the k largest latents of each row, as far as they are positive.</summary>
    /// <param name="rows">Rows of A.</param>
    /// <param name="latents">Rows of W.</param>
    /// <param name="features">Columns of both.</param>
    /// <param name="a">A, rows × features.</param>
    /// <param name="lda">Floats from row to row of A.</param>
    /// <param name="w">W, latents × features.</param>
    /// <param name="ldw">Floats from row to row of W.</param>
    /// <param name="bias">One float a latent, or null.</param>
    /// <param name="k">How many to keep in a row.</param>
    /// <param name="result">Gets the latents that are kept.</param>
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

    /// <summary>Keeps the rows × k largest latents of the whole batch, as far as they are positive.</summary>
    /// <param name="rows">Rows of A.</param>
    /// <param name="latents">Rows of W.</param>
    /// <param name="features">Columns of both.</param>
    /// <param name="a">A, rows × features.</param>
    /// <param name="lda">Floats from row to row of A.</param>
    /// <param name="w">W, latents × features.</param>
    /// <param name="ldw">Floats from row to row of W.</param>
    /// <param name="bias">One float a latent, or null.</param>
    /// <param name="k">How many to keep in a row on average.</param>
    /// <param name="hint">
    /// A value that is probably a little below the threshold, such as 0.9 of the last batch's; 0 if there is none. It changes the time
    /// taken and not the result.
    /// </param>
    /// <param name="result">Gets the latents that are kept.</param>
    /// <returns>The smallest value that is kept, 0 if none is.</returns>
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
        Filtered = Filters(input, (double)k / latents) && FindBatchTopK(input, k, hint, filtered: true, result, out threshold);
        if (!Filtered)
        {
            FindBatchTopK(input, k, hint, filtered: false, result, out threshold);
        }

        return threshold;
    }

    /// <summary>Keeps every latent whose value relu(A·Wᵀ + bias) is above a bound.</summary>
    /// <param name="rows">Rows of A.</param>
    /// <param name="latents">Rows of W.</param>
    /// <param name="features">Columns of both.</param>
    /// <param name="a">A, rows × features.</param>
    /// <param name="lda">Floats from row to row of A.</param>
    /// <param name="w">W, latents × features.</param>
    /// <param name="ldw">Floats from row to row of W.</param>
    /// <param name="bias">One float a latent, or null.</param>
    /// <param name="keepAbove">One bound a latent, or null for 0. Below a negative bound even the zeros of the ReLU are kept.</param>
    /// <param name="result">Gets the latents that are kept.</param>
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
        Filtered = Filters(input, keepAbove) && FindAbove(input, keepAbove, filtered: true, result);
        if (!Filtered)
        {
            FindAbove(input, keepAbove, filtered: false, result);
        }
    }

    /// <summary>About which share of the latents is positive, from a sample.</summary>
    /// <param name="rows">Rows of A.</param>
    /// <param name="latents">Rows of W.</param>
    /// <param name="features">Columns of both.</param>
    /// <param name="a">A, rows × features.</param>
    /// <param name="w">W, latents × features.</param>
    /// <param name="bias">One float a latent, or null.</param>
    internal double EstimateActiveShare(int rows, int latents, int features, float* a, float* w, float* bias)
    {
        if (rows == 0 || latents == 0)
        {
            return 0;
        }

        return ShareAbove(new Input { Rows = rows, Latents = latents, Features = features, A = a, Lda = features, W = w, Ldw = features, Bias = bias }, null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        FreePieces();
        _filter.Dispose();
        _counts.Dispose();
        _bounds.Dispose();
        _values.Dispose();
        _indices.Dispose();
        _runs.Dispose();
        _candidatePieces.Dispose();
        _candidates.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>What is encoded by what.</summary>
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

        public GemmOperands Operands => new() { TransA = false, TransB = true, A = A, Lda = Lda, B = W, Ldb = Ldw };

        public ExactValues Exact => new() { A = A, Lda = Lda, W = W, Ldw = Ldw, Bias = Bias, Features = Features };
    }

    private int TileColumns(bool filtered) => filtered ? IntegerTile.Columns : _gemm.Isa switch
    {
        GemmIsa.Avx512 => GemmTile512.Columns,
        GemmIsa.Avx2 => GemmTile256.Columns,
        _ => GemmTile128.Columns,
    };

    private GemmPlan Plan(in Input input, bool filtered, int maxGroups = int.MaxValue) => filtered
        ? EncodeFilter.Plan(input.Rows, input.Latents, input.Features, maxGroups)
        : _gemm.Plan(input.Rows, input.Latents, input.Features, maxGroups);

    private void Multiply<TSink>(in Input input, in GemmPlan plan, bool filtered, TSink sink)
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

    // Which way is taken changes the time and not a bit of the result, so it may depend on how earlier calls went.
    private bool Filters(in Input input, double share) =>
        CanFilter(input)
        && (Filter == FilterUse.Always || (EncodeFilter.IsFaster(input.Rows, input.Latents, input.Features, share) && IsFilterWelcome()))
        && _filter.Prepare(input.Rows, input.Latents, input.Features, input.A, input.Lda, input.W, input.Ldw);

    private bool Filters(in Input input, float* keepAbove)
    {
        // The least that a sample costs is saved where its result does not matter.
        var share = Filter == FilterUse.Auto && CanFilter(input) && EncodeFilter.IsFaster(input.Rows, input.Latents, input.Features, 0)
            ? ShareAbove(input, keepAbove)
            : 0;
        return Filters(input, share);
    }

    private bool CanFilter(in Input input) =>
        Filter != FilterUse.Never && EncodeFilter.IsSupported(_gemm.Isa) && input.Features <= QuantizedRows.MaxFeatures;

    private bool IsFilterWelcome()
    {
        var welcome = _callsWithoutFilter == 0;
        _callsWithoutFilter -= welcome ? 0 : 1;
        return welcome;
    }

    private bool GiveUpFilter()
    {
        _callsWithoutFilter = CallsWithoutFilter;
        return false;
    }

    private bool FindTopK(in Input input, int k, bool filtered, SparseBuffer result)
    {
        var rows = input.Rows;
        var tileColumns = TileColumns(filtered);
        var unlimited = TopKCandidates.CapacityFor(k, input.Latents, tileColumns);
        // In narrow groups a row's bound stays low: many more candidates come up.
        var wideGroups = Math.Max(1, input.Latents / WideGroup);
        var maxGroups = (int)Math.Clamp(CandidateBytes / ((long)rows * unlimited * 8), 1, wideGroups);
        var plan = Plan(input, filtered, maxGroups);
        var capacity = TopKCandidates.CapacityFor(k, plan.GroupColumns, tileColumns);
        var cells = (long)rows * plan.Groups;
        var rowBounds = _bounds.Get<float>(cells + rows);
        NativeMemory.Clear(rowBounds, (nuint)rows * sizeof(float));
        var overflow = false;
        var candidates = new TopKCandidates
        {
            Isa = _gemm.Isa,
            Bias = input.Bias,
            K = k,
            Groups = plan.Groups,
            Capacity = capacity,
            Counts = _counts.Get<int>(cells),
            RowBounds = rowBounds,
            Bounds = rowBounds + rows,
            Slack = filtered ? _filter.Slack : null,
            Overflow = &overflow,
            Values = _values.Get<float>(cells * capacity),
            Indices = _indices.Get<int>(cells * capacity),
        };
        Multiply(input, plan, filtered, candidates);
        if (overflow)
        {
            return GiveUpFilter();
        }

        _gemm.Pool.Run(
            MergeCandidates.PiecesFor(rows),
            new MergeCandidates { Candidates = candidates, Rows = rows, Exact = input.Exact, RowCounts = result.RowOffsets });
        var total = 0L;
        for (var row = 1; row <= rows; row++)
        {
            total += result.RowOffsets[row];
            result.RowOffsets[row] = (int)total;
        }

        result.EnsureCapacity(total);
        _gemm.Pool.Run(CopyCandidates.PiecesFor(rows), new CopyCandidates
        {
            Candidates = candidates,
            Rows = rows,
            RowOffsets = result.RowOffsets,
            Indices = result.Indices,
            Values = result.Values,
        });
        return true;
    }

    private bool FindBatchTopK(in Input input, int k, float hint, bool filtered, SparseBuffer result, out float threshold)
    {
        var wanted = (long)input.Rows * Math.Min(k, input.Latents);
        var plan = Plan(input, filtered);
        var overflow = false;
        threshold = 0;
        float bound;
        EntriesAbove entries;
        var candidates = default(CandidateRows);
        PieceEntries* values;
        int pieces;
        long found;
        var attempt = hint > 0 && float.IsFinite(hint) ? 0 : 1;
        do
        {
            // Too high a guess leaves too few values; each further one is lower, and above 0 is everything there is.
            bound = attempt switch
            {
                0 => hint,
                1 => GuessBound(input, 2.0 * wanted),
                2 => GuessBound(input, 8.0 * wanted),
                _ => 0,
            };
            attempt++;
            entries = Entries(plan, filtered, input.Bias, bound, bounds: null, &overflow);
            Multiply(input, plan, filtered, entries);
            if (overflow)
            {
                return GiveUpFilter();
            }

            values = entries.Pieces;
            pieces = plan.Blocks * plan.Groups;
            found = CountAbove(values, pieces, bound);
            if (filtered && (found >= wanted || bound == 0))
            {
                // So many upper bounds are not below the cut, so that as many values are not below what it comes down to.
                var contenders = found > wanted ? Selection.BelowAll(Cut(values, pieces, bound, wanted), _filter.LargestSlack) : 0;
                candidates = Refine(input, entries, plan, MathF.Max(contenders, bound));
                values = Pieces(candidates);
                pieces = candidates.Pieces;
                found = CountAbove(values, pieces, bound);
            }
        }
        while (found < wanted && bound > 0);

        var cut = found > wanted ? Cut(values, pieces, bound, wanted) : BelowAll;
        if (filtered)
        {
            Assemble(candidates, cut, wanted, result);
        }
        else
        {
            Assemble(entries, plan, filtered, cut, wanted, result);
        }

        threshold = result.Count == 0 ? 0 : SmallestKept(values, pieces, cut, result.Count);
        return true;
    }

    private bool FindAbove(in Input input, float* keepAbove, bool filtered, SparseBuffer result)
    {
        var plan = Plan(input, filtered);
        var overflow = false;
        var entries = Entries(plan, filtered, input.Bias, 0, keepAbove, &overflow);
        Multiply(input, plan, filtered, entries);
        if (overflow)
        {
            return GiveUpFilter();
        }

        if (filtered)
        {
            Assemble(Refine(input, entries, plan, BelowAll), BelowAll, long.MaxValue, result);
        }
        else
        {
            Assemble(entries, plan, filtered, BelowAll, long.MaxValue, result);
        }

        return true;
    }

    private EntriesAbove Entries(in GemmPlan plan, bool filtered, float* bias, float bound, float* bounds, bool* overflow)
    {
        var tileColumns = TileColumns(filtered);
        var panels = ((long)plan.Columns + tileColumns - 1) / tileColumns;
        return new EntriesAbove
        {
            Isa = _gemm.Isa,
            Bias = bias,
            Bound = bound,
            Bounds = bounds,
            Rows = plan.Rows,
            Groups = plan.Groups,
            Pieces = Pieces(plan.Blocks * plan.Groups),
            Runs = _runs.Get<byte>(panels * plan.Rows),
            Limit = filtered ? FilteredEntries + (long)(FilteredShare * plan.BlockRows * plan.GroupColumns) : long.MaxValue,
            Overflow = overflow,
        };
    }

    // The values at evenly spaced rows and columns.
    private (int Rows, int Columns, int ColumnStep) Sample(in Input input, out float* values)
    {
        var rowStep = Math.Max(1, input.Rows / SampleRows);
        var columnStep = Math.Max(1, input.Latents / SampleColumns);
        var rows = (input.Rows + rowStep - 1) / rowStep;
        var columns = (input.Latents + columnStep - 1) / columnStep;
        values = _values.Get<float>((long)rows * columns + Selection.Slack + columns);
        float* bias = null;
        if (input.Bias != null)
        {
            bias = values + (long)rows * columns + Selection.Slack;
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

    private double ShareAbove(in Input input, float* bounds)
    {
        var (rows, columns, columnStep) = Sample(input, out var values);
        var above = 0L;
        for (var i = 0L; i < (long)rows * columns; i++)
        {
            above += values[i] > (bounds == null ? 0 : bounds[i % columns * columnStep]) ? 1 : 0;
        }

        return above / ((double)rows * columns);
    }

    // A bound that about `wanted` values are above.
    private float GuessBound(in Input input, double wanted)
    {
        var (rows, columns, _) = Sample(input, out var values);
        var count = (long)rows * columns;
        var tail = Math.Max((long)(wanted * count / ((double)input.Rows * input.Latents)), SampleTail);
        if (tail >= count)
        {
            return 0;
        }

        // Good to about a part in 250, which is all a sample is worth.
        var low = 0;
        var high = 0x7F800000;
        while (high - low > 1 << 15)
        {
            var middle = low + (high - low) / 2;
            if (Selection.CountAbove(_gemm.Isa, values, count, BitConverter.Int32BitsToSingle(middle)) > tail)
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

    // The value such that fewer than `wanted` are above it and at least `wanted` are not below it; or any that exactly `wanted` are above.
    private float Cut(PieceEntries* values, int pieces, float bound, long wanted)
    {
        var low = BitConverter.SingleToInt32Bits(bound);
        var high = MinMax(values, pieces, bound).Max;
        while (high - low > 1)
        {
            var middle = low + (high - low) / 2;
            var cut = BitConverter.Int32BitsToSingle(middle);
            var above = CountAbove(values, pieces, cut);
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

    private long CountAbove(PieceEntries* values, int pieces, float bound)
    {
        long total = 0;
        _gemm.Pool.Run(pieces, new CountPieces { Isa = _gemm.Isa, Pieces = values, Bound = bound, Total = &total });
        return total;
    }

    private (int Min, int Max) MinMax(PieceEntries* values, int pieces, float bound)
    {
        var minMax = stackalloc int[2] { 0x7F800000, 0 };
        _gemm.Pool.Run(pieces, new RangeOfPieces { Isa = _gemm.Isa, Pieces = values, Bound = bound, MinMax = minMax });
        return (minMax[0], minMax[1]);
    }

    private float SmallestKept(PieceEntries* values, int pieces, float cut, int kept) =>
        cut >= 0 && CountAbove(values, pieces, cut) < kept
            ? cut
            : BitConverter.Int32BitsToSingle(MinMax(values, pieces, cut).Min);

    private void Assemble(in EntriesAbove entries, in GemmPlan plan, bool filtered, float cut, long wanted, SparseBuffer result)
    {
        var cells = (long)plan.Rows * plan.Groups;
        var counts = _counts.Get<int>(2 * cells);
        var assembly = new PieceAssembly
        {
            Entries = entries,
            Plan = plan,
            TileColumns = TileColumns(filtered),
            Cut = cut,
            Above = counts,
            Equal = counts + cells,
        };
        _gemm.Pool.Run(assembly.Pieces, new CountEntries { Assembly = assembly });
        var total = PieceAssembly.Place(plan.Rows, plan.Groups, wanted, assembly.Above, assembly.Equal, result.RowOffsets);
        result.EnsureCapacity(total);
        _gemm.Pool.Run(assembly.Pieces, new CopyEntries { Assembly = assembly, Indices = result.Indices, Values = result.Values });
    }

    private void Assemble(in CandidateRows candidates, float cut, long wanted, SparseBuffer result)
    {
        var rows = candidates.Rows;
        var above = _counts.Get<int>(2L * rows);
        var equal = above + rows;
        _gemm.Pool.Run(candidates.Pieces, new CountRows { Candidates = candidates, Cut = cut, Above = above, Equal = equal });
        var total = PieceAssembly.Place(rows, 1, wanted, above, equal, result.RowOffsets);
        result.EnsureCapacity(total);
        _gemm.Pool.Run(candidates.Pieces, new CopyRows
        {
            Candidates = candidates,
            Cut = cut,
            Starts = above,
            Equal = equal,
            Indices = result.Indices,
            Values = result.Values,
        });
    }

    // Brings the entries whose upper bounds are above something together by rows, and forms their values.
    private CandidateRows Refine(in Input input, in EntriesAbove entries, in GemmPlan plan, float above)
    {
        _candidates.EnsureRows(plan.Rows);
        Assemble(entries, plan, filtered: true, above, long.MaxValue, _candidates);
        var candidates = new CandidateRows
        {
            Rows = plan.Rows,
            Offsets = _candidates.RowOffsets,
            Indices = _candidates.Indices,
            Values = _candidates.Values,
        };
        _gemm.Pool.Run(
            candidates.Pieces,
            new RefineRows { Candidates = candidates, Exact = input.Exact, Bound = entries.Bound, Bounds = entries.Bounds });
        return candidates;
    }

    private PieceEntries* Pieces(in CandidateRows candidates)
    {
        var pieces = _candidatePieces.Get<PieceEntries>(candidates.Pieces);
        for (var i = 0; i < candidates.Pieces; i++)
        {
            pieces[i] = candidates.Entries(i);
        }

        return pieces;
    }

    private PieceEntries* Pieces(int count)
    {
        if (count > _pieceCount)
        {
            _pieces = (PieceEntries*)NativeMemory.Realloc(_pieces, (nuint)count * (nuint)sizeof(PieceEntries));
            new Span<PieceEntries>(_pieces + _pieceCount, count - _pieceCount).Clear();
            _pieceCount = count;
        }

        return _pieces;
    }

    private void FreePieces()
    {
        for (var i = 0; i < _pieceCount; i++)
        {
            _pieces[i].Free();
        }

        NativeMemory.Free(_pieces);
        _pieces = null;
        _pieceCount = 0;
    }
}
