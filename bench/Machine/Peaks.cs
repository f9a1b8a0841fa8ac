using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Bench;

/// <summary>Measures the processor's peaks: multiply-adds on registers, and a stream through memory.</summary>
internal sealed unsafe class Peaks : IDisposable
{
    // 128 MiB per array: more than any cache.
    private const int StreamFloats = 32 << 20;
    private const int StreamPieces = 64;
    private const int FmaLoops = 1 << 24;
    private const int Accumulators = 12;

    private readonly WorkerPool _pool;
    private readonly float* _a = Allocate();
    private readonly float* _b = Allocate();
    private readonly float* _c = Allocate();

    /// <summary>Prepares to measure.</summary>
    /// <param name="threads">Number of threads.</param>
    public Peaks(int threads) => _pool = new WorkerPool(threads);

    /// <summary>Operations of one <see cref="MultiplyAdd"/>; a multiply-add counts as two.</summary>
    public double MultiplyAddFlops =>
        2.0 * _pool.Threads * FmaLoops * Accumulators * (Avx512F.IsSupported ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4);

    /// <summary>Bytes of one <see cref="Triad"/>: two arrays read, one written.</summary>
    public static double TriadBytes => 3.0 * StreamFloats * sizeof(float);

    /// <summary>Measures both, and returns the best of several tries.</summary>
    /// <param name="threads">Number of threads.</param>
    /// <returns>Operations and bytes per second.</returns>
    public static (double Flops, double Bytes) Measure(int threads)
    {
        const int Tries = 10;
        using var peaks = new Peaks(threads);
        peaks.Triad();
        return (
            peaks.MultiplyAddFlops / Enumerable.Range(0, Tries).Min(_ => Timing.Seconds(peaks.MultiplyAdd)),
            TriadBytes / Enumerable.Range(0, Tries).Min(_ => Timing.Seconds(peaks.Triad)));
    }

    /// <summary>Fused multiply-adds on registers alone, on every thread.</summary>
    public void MultiplyAdd() => _pool.Run(_pool.Threads, new FmaWork { Result = _a });

    /// <summary>a = b + s·c (STREAM's triad), past the caches.</summary>
    public void Triad() => _pool.Run(StreamPieces, new TriadWork { A = _a, B = _b, C = _c });

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        NativeMemory.AlignedFree(_a);
        NativeMemory.AlignedFree(_b);
        NativeMemory.AlignedFree(_c);
    }

    private static float* Allocate()
    {
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)StreamFloats * sizeof(float), 64);
        new Span<float>(memory, StreamFloats).Fill(1);
        return memory;
    }

    private readonly struct TriadWork : IParallelWork
    {
        public required float* A { get; init; }

        public required float* B { get; init; }

        public required float* C { get; init; }

        public void Run(int index)
        {
            const int Length = StreamFloats / StreamPieces;
            var start = (long)index * Length;
            float* a = A + start, b = B + start, c = C + start;
            for (var i = 0; i < Length; i += Vector256<float>.Count)
            {
                (Vector256.Load(b + i) + (Vector256.Load(c + i) * 0.5f)).StoreAlignedNonTemporal(a + i);
            }
        }
    }

    /// <summary>Twelve chains, enough to fill the latency of two units; separate variables, so that they stay in registers.</summary>
    private readonly struct FmaWork : IParallelWork
    {
        public required float* Result { get; init; }

        public void Run(int index)
        {
            // One cache line per thread's result.
            var result = Result + (index * 16);
            if (Avx512F.IsSupported)
            {
                Run512(result);
            }
            else if (Vector256.IsHardwareAccelerated)
            {
                Run256(result);
            }
            else
            {
                Run128(result);
            }
        }

        private static void Run512(float* result)
        {
            var (x, y) = (Vector512.Create(0.5f), Vector512.Create(1f));
            Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
            for (var n = 0; n < FmaLoops; n++)
            {
                a = Avx512F.FusedMultiplyAdd(a, x, y);
                b = Avx512F.FusedMultiplyAdd(b, x, y);
                c = Avx512F.FusedMultiplyAdd(c, x, y);
                d = Avx512F.FusedMultiplyAdd(d, x, y);
                e = Avx512F.FusedMultiplyAdd(e, x, y);
                f = Avx512F.FusedMultiplyAdd(f, x, y);
                g = Avx512F.FusedMultiplyAdd(g, x, y);
                h = Avx512F.FusedMultiplyAdd(h, x, y);
                i = Avx512F.FusedMultiplyAdd(i, x, y);
                j = Avx512F.FusedMultiplyAdd(j, x, y);
                k = Avx512F.FusedMultiplyAdd(k, x, y);
                l = Avx512F.FusedMultiplyAdd(l, x, y);
            }

            (a + b + c + d + e + f + g + h + i + j + k + l).Store(result);
        }

        private static void Run256(float* result)
        {
            var (x, y) = (Vector256.Create(0.5f), Vector256.Create(1f));
            Vector256<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
            for (var n = 0; n < FmaLoops; n++)
            {
                a = Vector256.FusedMultiplyAdd(a, x, y);
                b = Vector256.FusedMultiplyAdd(b, x, y);
                c = Vector256.FusedMultiplyAdd(c, x, y);
                d = Vector256.FusedMultiplyAdd(d, x, y);
                e = Vector256.FusedMultiplyAdd(e, x, y);
                f = Vector256.FusedMultiplyAdd(f, x, y);
                g = Vector256.FusedMultiplyAdd(g, x, y);
                h = Vector256.FusedMultiplyAdd(h, x, y);
                i = Vector256.FusedMultiplyAdd(i, x, y);
                j = Vector256.FusedMultiplyAdd(j, x, y);
                k = Vector256.FusedMultiplyAdd(k, x, y);
                l = Vector256.FusedMultiplyAdd(l, x, y);
            }

            (a + b + c + d + e + f + g + h + i + j + k + l).Store(result);
        }

        private static void Run128(float* result)
        {
            var (x, y) = (Vector128.Create(0.5f), Vector128.Create(1f));
            Vector128<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
            for (var n = 0; n < FmaLoops; n++)
            {
                a = Vector128.FusedMultiplyAdd(a, x, y);
                b = Vector128.FusedMultiplyAdd(b, x, y);
                c = Vector128.FusedMultiplyAdd(c, x, y);
                d = Vector128.FusedMultiplyAdd(d, x, y);
                e = Vector128.FusedMultiplyAdd(e, x, y);
                f = Vector128.FusedMultiplyAdd(f, x, y);
                g = Vector128.FusedMultiplyAdd(g, x, y);
                h = Vector128.FusedMultiplyAdd(h, x, y);
                i = Vector128.FusedMultiplyAdd(i, x, y);
                j = Vector128.FusedMultiplyAdd(j, x, y);
                k = Vector128.FusedMultiplyAdd(k, x, y);
                l = Vector128.FusedMultiplyAdd(l, x, y);
            }

            (a + b + c + d + e + f + g + h + i + j + k + l).Store(result);
        }
    }
}
