using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MonoLoss.Kernels.Cpu;

/// <summary>A·Wᵀ + bias at single places, with the bits of <see cref="CpuGemm.Gemm"/>.</summary>
internal readonly unsafe struct ExactRescorer
{
    /// <summary>Values computed at once.</summary>
    public const int Lanes = 16;

    public required float* A { get; init; }

    public required nint Lda { get; init; }

    public required float* W { get; init; }

    public required nint Ldw { get; init; }

    public required float* Bias { get; init; }

    public required int Features { get; init; }

    /// <summary>Computes values of one row of A·Wᵀ + bias.</summary>
    /// <param name="row">The row.</param>
    /// <param name="columns">Their columns, i.e. rows of W.</param>
    /// <param name="count">Their number.</param>
    /// <param name="values">Becomes the values.</param>
    [SkipLocalsInit]
    public void OfRow(int row, int* columns, int count, float* values)
    {
        var w = stackalloc float*[2 * Lanes];
        for (var i = 0; i < count; i += Lanes)
        {
            var lanes = Math.Min(Lanes, count - i);
            WeightRows(columns + i, lanes, w);
            WeightRows(columns + i + lanes, Math.Min(Lanes, count - i - lanes), w + Lanes);
            Chains(A + (row * Lda), w, w + Lanes, lanes, values + i);
            AddBias(columns + i, lanes, values + i);
        }
    }

    private void WeightRows(int* columns, int lanes, float** w)
    {
        for (var lane = 0; lane < Lanes; lane++)
        {
            w[lane] = lanes > 0 ? W + (columns[Math.Min(lane, lanes - 1)] * Ldw) : W;
        }
    }

    private void AddBias(int* columns, int lanes, float* values)
    {
        for (var lane = 0; Bias is not null && lane < lanes; lane++)
        {
            values[lane] += Bias[columns[lane]];
        }
    }

    /// <summary>
    /// The chains of multiply-adds of up to 16 values. A sum in the order of k cannot be spread over the lanes of a vector, so each lane
    /// has its own value and the rows of W are transposed, eight by eight. There are two vectors so that one chain's latency hides the
    /// other's.
    /// </summary>
    private void Chains(float* a, float** w, float** next, int lanes, float* values)
    {
        Vector256<float> sums0 = Vector256<float>.Zero, sums1 = Vector256<float>.Zero;
        var k = 0;
        for (; k + 8 <= Features; k += 8)
        {
            // Rows are too short for the hardware prefetcher. Each iteration prefetches from half of the next rows, in turn.
            var ahead = next + (k & 8);
            Sse.Prefetch1(ahead[0] + k);
            Sse.Prefetch1(ahead[1] + k);
            Sse.Prefetch1(ahead[2] + k);
            Sse.Prefetch1(ahead[3] + k);
            Sse.Prefetch1(ahead[4] + k);
            Sse.Prefetch1(ahead[5] + k);
            Sse.Prefetch1(ahead[6] + k);
            Sse.Prefetch1(ahead[7] + k);
            Load(w, k, out var w0, out var w1, out var w2, out var w3, out var w4, out var w5, out var w6, out var w7);
            Load(w + 8, k, out var v0, out var v1, out var v2, out var v3, out var v4, out var v5, out var v6, out var v7);
            var x = Vector256.Create(a[k]);
            sums0 = Fma.MultiplyAdd(x, w0, sums0);
            sums1 = Fma.MultiplyAdd(x, v0, sums1);
            x = Vector256.Create(a[k + 1]);
            sums0 = Fma.MultiplyAdd(x, w1, sums0);
            sums1 = Fma.MultiplyAdd(x, v1, sums1);
            x = Vector256.Create(a[k + 2]);
            sums0 = Fma.MultiplyAdd(x, w2, sums0);
            sums1 = Fma.MultiplyAdd(x, v2, sums1);
            x = Vector256.Create(a[k + 3]);
            sums0 = Fma.MultiplyAdd(x, w3, sums0);
            sums1 = Fma.MultiplyAdd(x, v3, sums1);
            x = Vector256.Create(a[k + 4]);
            sums0 = Fma.MultiplyAdd(x, w4, sums0);
            sums1 = Fma.MultiplyAdd(x, v4, sums1);
            x = Vector256.Create(a[k + 5]);
            sums0 = Fma.MultiplyAdd(x, w5, sums0);
            sums1 = Fma.MultiplyAdd(x, v5, sums1);
            x = Vector256.Create(a[k + 6]);
            sums0 = Fma.MultiplyAdd(x, w6, sums0);
            sums1 = Fma.MultiplyAdd(x, v6, sums1);
            x = Vector256.Create(a[k + 7]);
            sums0 = Fma.MultiplyAdd(x, w7, sums0);
            sums1 = Fma.MultiplyAdd(x, v7, sums1);
        }

        Store(sums0, sums1, lanes, values);
        for (; k < Features; k++)
        {
            for (var lane = 0; lane < lanes; lane++)
            {
                values[lane] = MathF.FusedMultiplyAdd(a[k], w[lane][k], values[lane]);
            }
        }
    }

    /// <summary>Stores the sums by way of the stack, because there may be fewer values than lanes.</summary>
    [SkipLocalsInit]
    private static void Store(Vector256<float> sums0, Vector256<float> sums1, int lanes, float* values)
    {
        var all = stackalloc float[Lanes];
        sums0.Store(all);
        sums1.Store(all + 8);
        new Span<float>(all, lanes).CopyTo(new Span<float>(values, lanes));
    }

    /// <summary>Elements k … k + 7 of eight rows, transposed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(
        float** rows,
        int k,
        out Vector256<float> c0,
        out Vector256<float> c1,
        out Vector256<float> c2,
        out Vector256<float> c3,
        out Vector256<float> c4,
        out Vector256<float> c5,
        out Vector256<float> c6,
        out Vector256<float> c7)
    {
        // Rows i and i + 4 share a vector, so that all shuffles stay within 128-bit halves.
        Transpose(Halves(rows, 0, k), Halves(rows, 1, k), Halves(rows, 2, k), Halves(rows, 3, k), out c0, out c1, out c2, out c3);
        Transpose(
            Halves(rows, 0, k + 4), Halves(rows, 1, k + 4), Halves(rows, 2, k + 4), Halves(rows, 3, k + 4), out c4, out c5, out c6, out c7);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Halves(float** rows, int row, int k) =>
        Vector256.Create(Vector128.Load(rows[row] + k), Vector128.Load(rows[row + 4] + k));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(
        Vector256<float> r0,
        Vector256<float> r1,
        Vector256<float> r2,
        Vector256<float> r3,
        out Vector256<float> c0,
        out Vector256<float> c1,
        out Vector256<float> c2,
        out Vector256<float> c3)
    {
        var low02 = Avx.UnpackLow(r0, r2);
        var low13 = Avx.UnpackLow(r1, r3);
        var high02 = Avx.UnpackHigh(r0, r2);
        var high13 = Avx.UnpackHigh(r1, r3);
        c0 = Avx.UnpackLow(low02, low13);
        c1 = Avx.UnpackHigh(low02, low13);
        c2 = Avx.UnpackLow(high02, high13);
        c3 = Avx.UnpackHigh(high02, high13);
    }
}
