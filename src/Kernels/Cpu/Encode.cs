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

    private readonly CpuGemm _gemm;
    private readonly GemmWorkspace _counts = new();
    private readonly GemmWorkspace _bounds = new();
    private readonly GemmWorkspace _values = new();
    private readonly GemmWorkspace _indices = new();
    private readonly GemmWorkspace _runs = new();
    private PieceEntries* _pieces;
    private int _pieceCount;

    /// <summary>Creates the kernel.</summary>
    /// <param name="gemm">The product to build on; not to be used elsewhere at the same time.</param>
    public CpuEncoder(CpuGemm gemm) => _gemm = gemm;

    /// <summary>Frees the memory.</summary>
    ~CpuEncoder() => FreePieces();

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

        var tileColumns = TileColumns;
        var unlimited = TopKCandidates.CapacityFor(k, latents, tileColumns);
        // In narrow groups a row's bound stays low: many more candidates come up.
        var wideGroups = Math.Max(1, latents / WideGroup);
        var maxGroups = (int)Math.Clamp(CandidateBytes / ((long)rows * unlimited * 8), 1, wideGroups);
        var plan = _gemm.Plan(rows, latents, features, maxGroups);
        var capacity = TopKCandidates.CapacityFor(k, plan.GroupColumns, tileColumns);
        var cells = (long)rows * plan.Groups;
        var rowBounds = _bounds.Get<float>(cells + rows);
        NativeMemory.Clear(rowBounds, (nuint)rows * sizeof(float));
        var candidates = new TopKCandidates
        {
            Isa = _gemm.Isa,
            Bias = bias,
            K = k,
            Groups = plan.Groups,
            Capacity = capacity,
            Counts = _counts.Get<int>(cells),
            RowBounds = rowBounds,
            Bounds = rowBounds + rows,
            Values = _values.Get<float>(cells * capacity),
            Indices = _indices.Get<int>(cells * capacity),
        };
        _gemm.Multiply(Operands(a, lda, w, ldw), plan, candidates);
        _gemm.Pool.Run(
            MergeCandidates.PiecesFor(rows),
            new MergeCandidates { Candidates = candidates, Rows = rows, RowCounts = result.RowOffsets });
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

        var wanted = (long)rows * Math.Min(k, latents);
        var operands = Operands(a, lda, w, ldw);
        var plan = _gemm.Plan(rows, latents, features);
        var pieces = plan.Blocks * plan.Groups;
        float bound;
        EntriesAbove entries;
        long found;
        var attempt = hint > 0 && float.IsFinite(hint) ? 0 : 1;
        do
        {
            // Too high a guess leaves too few values; each further one is lower, and above 0 is everything there is.
            bound = attempt switch
            {
                0 => hint,
                1 => GuessBound(rows, latents, features, operands, bias, 2.0 * wanted),
                2 => GuessBound(rows, latents, features, operands, bias, 8.0 * wanted),
                _ => 0,
            };
            attempt++;
            entries = Entries(plan, bias, bound, bounds: null);
            _gemm.Multiply(operands, plan, entries);
            found = CountAbove(entries, pieces, bound);
        }
        while (found < wanted && bound > 0);

        var cut = found > wanted ? Cut(entries, pieces, bound, wanted) : -1;
        Assemble(entries, plan, cut, wanted, result);
        return result.Count == 0 ? 0 : SmallestKept(entries, pieces, cut, result.Count);
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

        var plan = _gemm.Plan(rows, latents, features);
        var entries = Entries(plan, bias, 0, keepAbove);
        _gemm.Multiply(Operands(a, lda, w, ldw), plan, entries);
        Assemble(entries, plan, -1, long.MaxValue, result);
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

        var values = Sample(rows, latents, features, Operands(a, features, w, features), bias, out var count);
        return (double)Selection.CountAbove(_gemm.Isa, values, count, 0) / count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        FreePieces();
        _counts.Dispose();
        _bounds.Dispose();
        _values.Dispose();
        _indices.Dispose();
        _runs.Dispose();
        GC.SuppressFinalize(this);
    }

    private int TileColumns => _gemm.Isa switch
    {
        GemmIsa.Avx512 => GemmTile512.Columns,
        GemmIsa.Avx2 => GemmTile256.Columns,
        _ => GemmTile128.Columns,
    };

    private static void CheckSizes(int rows, int latents, int features, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(latents);
        ArgumentOutOfRangeException.ThrowIfNegative(features);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
    }

    private static GemmOperands Operands(float* a, nint lda, float* w, nint ldw) =>
        new() { TransA = false, TransB = true, A = a, Lda = lda, B = w, Ldb = ldw };

    private EntriesAbove Entries(in GemmPlan plan, float* bias, float bound, float* bounds)
    {
        var panels = ((long)plan.Columns + TileColumns - 1) / TileColumns;
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
        };
    }

    // A bound that about `wanted` values are above, from a sample.
    private float GuessBound(int rows, int latents, int features, in GemmOperands operands, float* bias, double wanted)
    {
        var values = Sample(rows, latents, features, operands, bias, out var count);
        var tail = Math.Max((long)(wanted * count / ((double)rows * latents)), SampleTail);
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

    // The values relu(A·Wᵀ + bias) at evenly spaced rows and columns.
    private float* Sample(int rows, int latents, int features, in GemmOperands operands, float* bias, out long count)
    {
        var rowStep = Math.Max(1, rows / SampleRows);
        var columnStep = Math.Max(1, latents / SampleColumns);
        var sampleRows = (rows + rowStep - 1) / rowStep;
        var sampleColumns = (latents + columnStep - 1) / columnStep;
        count = (long)sampleRows * sampleColumns;
        var values = _values.Get<float>(count + sampleColumns + Selection.Slack);
        float* sampleBias = null;
        if (bias != null)
        {
            sampleBias = values + count + Selection.Slack;
            for (var j = 0; j < sampleColumns; j++)
            {
                sampleBias[j] = bias[(nint)j * columnStep];
            }
        }

        var sample = Operands(operands.A, operands.Lda * rowStep, operands.B, operands.Ldb * columnStep);
        _gemm.Multiply(sample, _gemm.Plan(sampleRows, sampleColumns, features), new CpuGemm.StoreTile
        {
            C = values,
            Ldc = sampleColumns,
            Alpha = 1,
            Beta = 0,
            Bias = sampleBias,
            Relu = true,
        });
        return values;
    }

    // The value such that fewer than `wanted` are above it and at least `wanted` are not below it; or any that exactly `wanted` are above.
    private float Cut(in EntriesAbove entries, int pieces, float bound, long wanted)
    {
        var low = BitConverter.SingleToInt32Bits(bound);
        var high = MinMax(entries, pieces, bound).Max;
        while (high - low > 1)
        {
            var middle = low + (high - low) / 2;
            var cut = BitConverter.Int32BitsToSingle(middle);
            var above = CountAbove(entries, pieces, cut);
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

    private long CountAbove(in EntriesAbove entries, int pieces, float bound)
    {
        long total = 0;
        _gemm.Pool.Run(pieces, new CountPieces { Isa = _gemm.Isa, Pieces = entries.Pieces, Bound = bound, Total = &total });
        return total;
    }

    private (int Min, int Max) MinMax(in EntriesAbove entries, int pieces, float bound)
    {
        var minMax = stackalloc int[2] { 0x7F800000, 0 };
        _gemm.Pool.Run(pieces, new RangeOfPieces { Isa = _gemm.Isa, Pieces = entries.Pieces, Bound = bound, MinMax = minMax });
        return (minMax[0], minMax[1]);
    }

    private float SmallestKept(in EntriesAbove entries, int pieces, float cut, int kept) =>
        cut >= 0 && CountAbove(entries, pieces, cut) < kept
            ? cut
            : BitConverter.Int32BitsToSingle(MinMax(entries, pieces, cut).Min);

    private void Assemble(in EntriesAbove entries, in GemmPlan plan, float cut, long wanted, SparseBuffer result)
    {
        var cells = (long)plan.Rows * plan.Groups;
        var counts = _counts.Get<int>(2 * cells);
        var assembly = new PieceAssembly
        {
            Entries = entries,
            Plan = plan,
            TileColumns = TileColumns,
            Cut = cut,
            Above = counts,
            Equal = counts + cells,
        };
        _gemm.Pool.Run(assembly.Pieces, new CountEntries { Assembly = assembly });
        var total = PieceAssembly.Place(plan.Rows, plan.Groups, wanted, assembly.Above, assembly.Equal, result.RowOffsets);
        result.EnsureCapacity(total);
        _gemm.Pool.Run(assembly.Pieces, new CopyEntries { Assembly = assembly, Indices = result.Indices, Values = result.Values });
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
