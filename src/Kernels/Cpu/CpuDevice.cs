using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>The CPU: SIMD kernels on all of its cores.</summary>
/// <remarks>
/// The size of the problem alone decides how work is cut into tasks, and each task sums in a fixed order, so results do not depend on the
/// number of threads.
/// </remarks>
public sealed unsafe partial class CpuDevice : Device
{
    // Elements or latents per task: small enough to keep 64 cores busy at the usual sizes (M 8192 gives 256 tasks of latents), large
    // enough to hide the dispatch.
    private const int ElementsPerTask = 8192;
    private const int LatentsPerTask = 32;

    private readonly WorkerPool _pool;
    private readonly CpuArray<double> _partials = new(0);
    private readonly CpuArray<float> _scratch = new(0);

    /// <summary>Starts the device's threads.</summary>
    /// <param name="threads">The number of threads; 0 for one per core.</param>
    public CpuDevice(int threads = 0)
        : this(threads, PrefilterPolicy.Auto)
    {
    }

    internal CpuDevice(int threads, PrefilterPolicy filter)
    {
        _pool = new WorkerPool(threads);
        _gemm = new CpuGemm(_pool);
        _encoder = new CpuEncoder(_gemm) { Filter = filter };
    }

    /// <summary>The number of threads that work at once.</summary>
    public int Threads => _pool.Threads;

    /// <inheritdoc/>
    public override string Name => "cpu";

    /// <inheritdoc/>
    public override string Description
    {
        get
        {
            var vectors = Avx512F.IsSupported ? "AVX-512" : Vector256.IsHardwareAccelerated ? "AVX2" : "128-bit vectors";
            var threads = Threads == 1 ? "1 thread" : $"{Threads} threads";
            return $"{RuntimeInformation.ProcessArchitecture}, {threads}, {vectors}";
        }
    }

    /// <inheritdoc/>
    public override DeviceArray<T> Allocate<T>(long length) => new CpuArray<T>(length);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _encoder.Dispose();
        _encoded.Dispose();
        _gemm.Dispose();
        _pool.Dispose();
        _partials.Dispose();
        _scratch.Dispose();
        _block.Dispose();
        _unitRows.Dispose();
        _selfWeights.Dispose();
        _denseLatents.Dispose();
        _histograms.Dispose();
        _centerPartials.Dispose();
    }

    private static float* Pointer(Tensor tensor) => Pointer(tensor.Data);

    private static float* PointerOrNull(Tensor? tensor) => tensor is null ? null : Pointer(tensor);

    private static T* Pointer<T>(DeviceArray<T> array)
        where T : unmanaged => ((CpuArray<T>)array).Pointer;

    private static int RowsPerTask(int columns) => Math.Max(1, ElementsPerTask / Math.Max(1, columns));

    private static int TaskCount(long count, int perTask) => (int)((count + perTask - 1) / perTask);

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message);
        }
    }

    private static void Require(bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref RequirementHandler message)
    {
        if (!condition)
        {
            throw new ArgumentException(message.ToString());
        }
    }

    private static void RequireSameShape(Tensor a, Tensor b) =>
        Require(a.Rows == b.Rows && a.Columns == b.Columns, $"shapes differ: {a.Rows}×{a.Columns} and {b.Rows}×{b.Columns}");

    private static void RequireColumnIndex(CsrMatrix s) => Require(s.HasColumnIndex, "the columns of the sparse matrix are not indexed");

    /// <summary>Memory for one float64 per task, for sums whose order must not depend on which task ends first.</summary>
    private double* Partials(long count)
    {
        _partials.Resize(count);
        return _partials.Pointer;
    }

    private double SumPartials(int count, int stride = 1)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++)
        {
            sum += _partials.Pointer[(long)i * stride];
        }

        return sum;
    }

    private float* Scratch(long count)
    {
        _scratch.Resize(count);
        return _scratch.Pointer;
    }

    /// <summary>A message that is formatted only if the requirement is not met: kernels allocate nothing.</summary>
    [InterpolatedStringHandler]
    private ref struct RequirementHandler
    {
        private DefaultInterpolatedStringHandler _text;

        public RequirementHandler(int literalLength, int formattedCount, bool condition, out bool isNeeded)
        {
            isNeeded = !condition;
            _text = isNeeded ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
        }

        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

        public override string ToString() => _text.ToStringAndClear();
    }
}
