using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

/// <summary>Compares the upper bounds of the encoders' prefilter with the float32 product, and checks when the filter is used.</summary>
public sealed unsafe class EncodeFilterTests
{
    private const int Rows = 61;
    private const int Latents = 333;

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(129)]
    [InlineData(5000)]
    public void Bound_exceeds_the_value_by_at_most_the_slack(int features)
    {
        var a = Hard(Rows, features, seed: 1);
        var w = Hard(Latents, features, seed: 2);
        foreach (var isa in GemmTests.Isas().Where(Int16Prefilter.IsSupported))
        {
            using var pool = new WorkerPool(2);
            using var gemm = new CpuGemm(pool, isa);
            using var filter = new Int16Prefilter(gemm);
            var (values, bounds) = (new float[Rows * Latents], new float[Rows * Latents]);
            fixed (float* pa = a, pw = w, pv = values, pb = bounds)
            {
                gemm.Gemm(false, true, Rows, Latents, features, 1, pa, features, pw, features, 0, pv, Latents);
                Assert.True(filter.Prepare(Rows, Latents, features, pa, features, pw, features));
                filter.Multiply(Int16Prefilter.Plan(Rows, Latents, features), new CpuGemm.StoreTile
                {
                    C = pb,
                    Ldc = Latents,
                    Alpha = 1,
                    Beta = 0,
                    Bias = null,
                    Relu = false,
                });
                for (var i = 0; i < values.Length; i++)
                {
                    Assert.True(
                        bounds[i] >= values[i] && (double)bounds[i] - values[i] <= filter.Slack[i / Latents],
                        $"{isa} features {features} row {i / Latents} latent {i % Latents}: "
                            + $"{bounds[i]:R} bounds {values[i]:R} with slack {filter.Slack[i / Latents]:R}");
                }
            }
        }
    }

    [Fact]
    public void Slack_of_the_bound_is_small()
    {
        const int Features = 768;
        var random = new Random(3);
        float[] Unit(int rows) => [.. Enumerable.Range(0, rows * Features).Select(_ => (float)((random.NextDouble() * 2 - 1) / 16))];
        using var pool = new WorkerPool(1);
        foreach (var isa in GemmTests.Isas().Where(Int16Prefilter.IsSupported))
        {
            using var gemm = new CpuGemm(pool, isa);
            using var filter = new Int16Prefilter(gemm);
            fixed (float* a = Unit(Rows), w = Unit(Latents))
            {
                Assert.True(filter.Prepare(Rows, Latents, Features, a, Features, w, Features));
            }

            // Both norms are about 1.
            Assert.InRange(filter.LargestSlack, 1e-6f, 1e-3f);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(1e19f)]
    public void Bound_is_absent_for_values_that_are_not_finite_or_too_large(float value)
    {
        const int Features = 20;
        using var pool = new WorkerPool(1);
        foreach (var isa in GemmTests.Isas().Where(Int16Prefilter.IsSupported))
        {
            using var gemm = new CpuGemm(pool, isa);
            using var filter = new Int16Prefilter(gemm);
            foreach (var inA in new[] { true, false })
            {
                var (a, w) = (new float[3 * Features], new float[5 * Features]);
                (inA ? a : w)[^2] = value;
                fixed (float* pa = a, pw = w)
                {
                    Assert.False(filter.Prepare(3, 5, Features, pa, Features, pw, Features));
                }
            }
        }
    }

    [Fact]
    public void Encoders_use_the_filter_unless_everything_is_a_candidate()
    {
        const int Features = 96, K = 8;
        var random = new Random(4);
        float[] Uniform(int rows) => [.. Enumerable.Range(0, rows * Features).Select(_ => (float)(random.NextDouble() * 2 - 1))];
        var bounds = new float[Latents];
        Array.Fill(bounds, 11);
        using var pool = new WorkerPool(2);
        using var result = new SparseBuffer();
        foreach (var isa in GemmTests.Isas().Where(Int16Prefilter.IsSupported))
        {
            using var gemm = new CpuGemm(pool, isa);
            using var encoder = new CpuEncoder(gemm) { Filter = PrefilterPolicy.Always };
            var (a, w) = (Uniform(Rows), Uniform(Latents));
            fixed (float* pa = a, pw = w, above = bounds)
            {
                encoder.EncodeTopK(Rows, Latents, Features, pa, Features, pw, Features, null, K, result);
                Assert.True(encoder.Filtered);
                encoder.EncodeBatchTopK(Rows, Latents, Features, pa, Features, pw, Features, null, K, 0, result);
                Assert.True(encoder.Filtered);
                encoder.EncodeThreshold(Rows, Latents, Features, pa, Features, pw, Features, null, above, result);
                Assert.True(encoder.Filtered);
                // All latents are equal: any of them may be among the largest.
                for (var m = 1; m < Latents; m++)
                {
                    w.AsSpan(0, Features).CopyTo(w.AsSpan(m * Features));
                }

                encoder.EncodeTopK(Rows, Latents, Features, pa, Features, pw, Features, null, K, result);
                Assert.False(encoder.Filtered);
            }
        }
    }

    /// <summary>
    /// Rows of all sizes: normal ones, zeros, one number among zeros, one large among small, tiny, denormal and huge ones.
    /// </summary>
    private static float[] Hard(int rows, int features, int seed)
    {
        var random = new Random(seed);
        var values = new float[rows * features];
        for (var i = 0; i < values.Length; i++)
        {
            var (row, j) = (i / features, i % features);
            var value = (float)(random.NextDouble() * 2 - 1);
            values[i] = (row % 11) switch
            {
                1 => 0,
                2 => j == row % features ? value : 0,
                3 => j == row % features ? 1000 * value : value * 1e-3f,
                4 => value * 1e-13f,
                5 => value * 1e-17f,
                6 => value * 1e-39f,
                7 => value * 1e15f,
                8 => 1,
                9 => j % 2 == 0 ? 1 : -1,
                _ => value,
            };
        }

        return values;
    }
}
