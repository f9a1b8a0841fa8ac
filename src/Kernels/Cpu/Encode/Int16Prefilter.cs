using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>Whether an encoder finds its candidates with <see cref="Int16Prefilter"/>. The results have the same bits either way.</summary>
internal enum PrefilterPolicy
{
    /// <summary>Where it is expected to be faster.</summary>
    Auto,

    /// <summary>Never.</summary>
    Never,

    /// <summary>Wherever the processor supports it.</summary>
    Always,
}

/// <summary>
/// Finds the few elements of a product A·Wᵀ that can be large, with 16-bit integers: for every element it gives an upper bound, slightly
/// above the value that <see cref="CpuGemm"/> would give.
/// </summary>
/// <remarks>
/// With a and w the float32 rows, â and ŵ what their integers stand for, the product of integers is â·ŵ exactly, and |a·w − â·ŵ| ≤ ‖a −
/// â‖·‖w‖ + ‖â‖·‖w − ŵ‖ (Cauchy and Schwarz). A chain of n multiply-adds in float32 is off by at most γ_n·‖a‖·‖w‖, γ_n = n·u/(1 − n·u), u
/// = 2^-24 (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1). For 768 features all of it is about 4e-4·‖a‖·‖w‖.
/// Adding a bias to both sides of an inequality and rounding preserve it. So the bound of every value worth keeping is worth keeping, and
/// <see cref="ExactRescorer"/> decides about those few: the result is that of the whole float32 product, bit for bit, in less time.
/// </remarks>
internal sealed unsafe class Int16Prefilter : IDisposable
{
    /// <summary>A generous bound for the relative rounding error of a sum of two numbers.</summary>
    public const float Rounding = 5e-7f;

    // Below these sizes, quantizing takes longer than the integer product saves.
    private const int MinRows = 192;
    private const int MinLatents = 256;
    private const int MinFeatures = 64;

    // A chain of n multiply-adds rounds n times and forming a bound fewer than 16 times, each by 2^-24 at most. Unit is 2^-24/(1 − n·2^-24)
    // for the largest n.
    private const int Roundings = 16;
    private const float Unit = 5.99e-8f;

    // Above this share of candidates, their exact values take longer than the integer product saves.
    private const double MaxShare = 1.0 / 16;

    // CPUID's vendor string, "AuthenticAMD", in three registers.
    private static readonly bool IsAmd =
        X86Base.IsSupported && X86Base.CpuId(0, 0) is (_, 0x68747541, 0x444D4163, 0x69746E65);

    private readonly CpuGemm _gemm;
    private readonly CpuArray<short> _values = new(0);
    private readonly CpuArray<float> _properties = new(0);
    private QuantizedRows _a;
    private QuantizedRows _w;
    // [rows] the most that underflow can take away.
    private float* _least;

    /// <summary>Creates the filter.</summary>
    /// <param name="gemm">The matrix product to build on.</param>
    public Int16Prefilter(CpuGemm gemm) => _gemm = gemm;

    /// <summary>[rows] the most by which an upper bound of the row exceeds its value, apart from the rounding of a bias.</summary>
    public float* Slack { get; private set; }

    /// <summary>The largest of <see cref="Slack"/>.</summary>
    public float LargestSlack { get; private set; }

    /// <summary>Whether the processor supports it.</summary>
    public static bool IsSupported(GemmIsa isa) => isa != GemmIsa.Vector128;

    /// <summary>Whether the integer product is clearly faster than the float32 product.</summary>
    /// <remarks>
    /// Per 32 bits of both operands it takes one multiplication and three additions of pairs of 16-bit integers. An AMD Zen spreads these
    /// over its four vector pipes at any width, while float32 multiply-adds use two of the four. With 256-bit vectors, Intel has two
    /// pipes for products and a third for additions. With 512-bit vectors it has two in all, and nothing is gained over multiply-adds.
    /// </remarks>
    public static bool IsFaster(int rows, int latents, int features, double share) =>
        rows >= MinRows && latents >= MinLatents && features >= MinFeatures && share <= MaxShare
        && (IsAmd || CpuGemm.BestIsa == GemmIsa.Avx2);

    /// <summary>Plans the product.</summary>
    public static CpuGemmPlan Plan(int rows, int latents, int features, int maxGroups = int.MaxValue) =>
        CpuGemmPlan.For(rows, latents, QuantizedRows.StrideFor(features) / 2, IntegerTile.Rows, IntegerTile.Columns, maxGroups);

    /// <summary>Quantizes both operands.</summary>
    /// <returns>Whether there are bounds: not if an operand contains NaN or infinity, or values so large that products overflow.</returns>
    public bool Prepare(int rows, int latents, int features, float* a, nint lda, float* w, nint ldw)
    {
        var stride = QuantizedRows.StrideFor(features);
        var values = _values.Ensure((long)(rows + latents) * stride);
        var properties = _properties.Ensure((4L * (rows + latents)) + (2L * rows) + IntegerTile.Columns);
        _a = Rows(values, properties, rows, stride);
        _w = Rows(values + ((nint)rows * stride), properties + (4L * rows), latents, stride);
        Slack = properties + (4L * (rows + latents));
        _least = Slack + rows;
        var work = new QuantizeWork
        {
            Left = _a,
            LeftSource = a,
            LeftStride = lda,
            LeftRows = rows,
            Right = _w,
            RightSource = w,
            RightStride = ldw,
            RightRows = latents,
            Features = features,
        };
        _gemm.Pool.Run(work.Tasks, work);
        float reach = 0, error = 0;
        for (var latent = 0; latent < latents; latent++)
        {
            reach = MathF.Max(reach, _w.Reach[latent]);
            error = MathF.Max(error, _w.Error[latent]);
        }

        LargestSlack = 0;
        for (var row = 0; row < rows; row++)
        {
            // From here on, the error of A's rows includes that of float32 sums, which is proportional to the same norms.
            _a.Error[row] += _a.Reach[row] * ((features + Roundings) * Unit);
            // A row of zeros gives zeros exactly.
            _least[row] = _a.Reach[row] > 0 ? (features + Roundings) * 2 * float.Epsilon : 0;
            Slack[row] = 2 * ((_a.Error[row] * reach) + (_a.Reach[row] * error) + _least[row]) * (1 + Rounding);
            LargestSlack = MathF.Max(LargestSlack, Slack[row]);
        }

        return float.IsFinite(LargestSlack) && float.IsFinite(reach);
    }

    /// <summary>Passes an upper bound for every element of the product to a sink, tile by tile.</summary>
    public void Multiply<TSink>(in CpuGemmPlan plan, TSink sink)
        where TSink : unmanaged, ITileSink
    {
        var operands = new CpuGemmOperands
        {
            TransA = false,
            TransB = true,
            A = (float*)_a.Values,
            Lda = _a.Stride / 2,
            B = (float*)_w.Values,
            Ldb = _w.Stride / 2,
        };
        _gemm.Multiply<IntegerTile, UpperBounds<TSink>>(
            operands, plan, new UpperBounds<TSink> { A = _a, W = _w, Least = _least, Sink = sink });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _values.Dispose();
        _properties.Dispose();
    }

    private static QuantizedRows Rows(short* values, float* properties, int rows, int stride) => new()
    {
        Values = values,
        Stride = stride,
        Scale = properties,
        Reach = properties + rows,
        Error = properties + (2L * rows),
        Cross = (int*)(properties + (3L * rows)),
    };

    /// <summary>Turns tiles of integer sums into upper bounds and passes them on.</summary>
    private readonly struct UpperBounds<TSink> : ITileSink
        where TSink : unmanaged, ITileSink
    {
        public required QuantizedRows A { get; init; }

        public required QuantizedRows W { get; init; }

        /// <summary>[rows] the most that underflow can take away.</summary>
        public required float* Least { get; init; }

        public required TSink Sink { get; init; }

        public void Begin(int block, int group, int row, int rows) => Sink.Begin(block, group, row, rows);

        public void Expect(int row, int column, int rows, int columns) => Sink.Expect(row, column, rows, columns);

        public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
        {
            // Columns beyond the last read whatever follows in memory: their bounds are not used.
            for (var j = 0; j < stride; j += 8)
            {
                var scale = Vector256.Load(W.Scale + column + j);
                var reach = Vector256.Load(W.Reach + column + j);
                var error = Vector256.Load(W.Error + column + j);
                var cross = Vector256.Load(W.Cross + column + j);
                for (var r = 0; r < rows; r++)
                {
                    var entry = tile + (r * stride) + j;
                    var i = row + r;
                    var sum = Avx.ConvertToVector256Single(Vector256.Load((int*)entry) - cross - Vector256.Create(A.Cross[i]));
                    var bound = Fma.MultiplyAdd(Vector256.Create(A.Reach[i]), error, Vector256.Create(Least[i]));
                    bound = Fma.MultiplyAdd(Vector256.Create(A.Error[i]), reach, bound);
                    Fma.MultiplyAdd(sum, scale * Vector256.Create(A.Scale[i]), bound).Store(entry);
                }
            }

            Sink.Tile(block, group, row, column, rows, columns, tile, stride);
        }
    }
}
