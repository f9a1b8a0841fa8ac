using System.Runtime.Intrinsics.X86;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

public sealed unsafe class GemmTests
{
    // Tiles of 14 × 32, 6 × 16 and 8 × 8 with all their remainders, and sizes beyond one block, one group and one chunk of k.
    private static readonly (int M, int N, int K)[] Sizes =
    [
        (0, 0, 0), (0, 5, 3), (3, 0, 4), (1, 1, 0), (5, 7, 0), (1, 1, 1), (1, 33, 17), (2, 3, 5), (14, 32, 16), (15, 33, 31),
        (13, 31, 64), (29, 65, 48), (30, 16, 96), (7, 9, 1), (100, 1, 100), (1, 300, 64), (61, 75, 33), (257, 131, 70), (37, 530, 40),
        (16, 48, 1030), (43, 35, 2500), (64, 96, 24), (6, 16, 5), (35, 127, 20), (1000, 50, 30),
    ];

    internal static IEnumerable<GemmIsa> Isas()
    {
        yield return GemmIsa.Vector128;
        if (Avx2.IsSupported && Fma.IsSupported)
        {
            yield return GemmIsa.Avx2;
        }

        if (Avx512F.IsSupported)
        {
            yield return GemmIsa.Avx512;
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Product_agrees_with_the_float64_loop(bool transA, bool transB)
    {
        using var pool = new WorkerPool(2);
        foreach (var isa in Isas())
        {
            using var gemm = new CpuGemm(pool, isa);
            foreach (var (m, n, k) in Sizes)
            {
                Check(gemm, transA, transB, m, n, k, 1, 0, bias: false, relu: false);
                Check(gemm, transA, transB, m, n, k, 1, 1, bias: false, relu: false);
                Check(gemm, transA, transB, m, n, k, 1, 0, bias: true, relu: true);
                Check(gemm, transA, transB, m, n, k, -0.5f, 0.25f, bias: true, relu: false);
            }
        }
    }

    [Theory]
    [InlineData(203, 517, 1100)]
    // These are not packed if vectors are wide enough.
    [InlineData(203, 51, 110)]
    public void Bits_do_not_depend_on_threads_or_instruction_set(int m, int n, int k)
    {
        var a = Values(m * k, 1);
        var b = Values(n * k, 2);
        float[]? expected = null;
        foreach (var isa in Isas().Reverse())
        {
            foreach (var threads in (int[])[1, 2, 5])
            {
                using var pool = new WorkerPool(threads);
                using var gemm = new CpuGemm(pool, isa);
                var c = new float[m * n];
                fixed (float* pa = a, pb = b, pc = c)
                {
                    gemm.Gemm(false, true, m, n, k, 1, pa, k, pb, k, 0, pc, n);
                }

                expected ??= c;
                // Without fused multiply-add in hardware the 128-bit tile rounds twice.
                if (isa != GemmIsa.Vector128 || Fma.IsSupported)
                {
                    Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), c.Select(BitConverter.SingleToInt32Bits));
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(150_000)]
    public void Operands_too_large_to_pack_at_once_are_packed_in_parts(long packedFloats)
    {
        using var pool = new WorkerPool(2);
        foreach (var isa in Isas())
        {
            using var gemm = new CpuGemm(pool, isa) { PackedFloats = packedFloats };
            Check(gemm, false, true, 700, 2300, 65, 1, 0.5f, bias: true, relu: false);
            Check(gemm, true, false, 2300, 700, 65, 1, 0, bias: false, relu: true);
        }
    }

    [Fact]
    public void Each_sum_is_one_chain_of_fused_multiply_adds()
    {
        const int M = 17, N = 35, K = 1500;
        var a = Values(M * K, 3);
        var b = Values(N * K, 4);
        using var pool = new WorkerPool(1);
        foreach (var isa in Isas().Where(isa => isa != GemmIsa.Vector128))
        {
            using var gemm = new CpuGemm(pool, isa);
            var c = new float[M * N];
            fixed (float* pa = a, pb = b, pc = c)
            {
                gemm.Gemm(false, true, M, N, K, 1, pa, K, pb, K, 0, pc, N);
            }

            for (var i = 0; i < M; i++)
            {
                for (var j = 0; j < N; j++)
                {
                    var sum = 0f;
                    for (var p = 0; p < K; p++)
                    {
                        sum = MathF.FusedMultiplyAdd(a[i * K + p], b[j * K + p], sum);
                    }

                    Assert.Equal(sum, c[i * N + j]);
                }
            }
        }
    }

    private static void Check(CpuGemm gemm, bool transA, bool transB, int m, int n, int k, float alpha, float beta, bool bias, bool relu)
    {
        int lda = (transA ? m : k) + 3, ldb = (transB ? n == 0 ? 1 : k : n) + 1, ldc = n + 2;
        var a = Values((transA ? k : m) * lda, 5);
        var b = Values((transB ? n : k) * ldb, 6);
        var c = Values(m * ldc, 7);
        var offset = Values(n, 8);
        var expected = (float[])c.Clone();
        var magnitude = new double[c.Length];
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                double sum = 0, size = 0;
                for (var p = 0; p < k; p++)
                {
                    var product = (double)(transA ? a[p * lda + i] : a[i * lda + p]) * (transB ? b[j * ldb + p] : b[p * ldb + j]);
                    sum += product;
                    size += Math.Abs(product);
                }

                var at = i * ldc + j;
                sum = alpha * sum + beta * (double)c[at] + (bias ? offset[j] : 0);
                magnitude[at] = Math.Abs(alpha) * size + Math.Abs(beta * c[at]) + 1;
                expected[at] = (float)(relu ? Math.Max(sum, 0) : sum);
                if (beta == 0)
                {
                    c[at] = float.NaN;
                }
            }
        }

        fixed (float* pa = a, pb = b, pc = c, po = offset)
        {
            gemm.Gemm(transA, transB, m, n, k, alpha, pa, lda, pb, ldb, beta, pc, ldc, bias ? po : null, relu);
        }

        for (var i = 0; i < c.Length; i++)
        {
            // Nothing may have been written between the rows.
            var tolerance = i % ldc < n ? 1e-6 * magnitude[i] : 0;
            Assert.True(
                Math.Abs(c[i] - (double)expected[i]) <= tolerance,
                $"{gemm.Isa} {transA} {transB} {m}×{n}×{k}: element {i / ldc},{i % ldc} is {c[i]}, expected {expected[i]}");
        }
    }

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1)).ToArray();
    }
}
