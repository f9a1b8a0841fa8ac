using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// Single kernels at the paper's D and M, which only a real device reaches: against naive float64 loops where these take seconds, and
/// against the CPU device, which the conformance suite compares with such loops at small sizes.
/// </summary>
[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
[Trait("Simulation", "Hours")]
public sealed class LargeSizeTests : IDisposable
{
    private const int B = 256, D = 768, M = 8192, K = 64;

    private readonly IlgpuDevice _device;
    private readonly CpuDevice _cpu = new(2);

    public LargeSizeTests(IlgpuFixture ilgpu)
    {
        ilgpu.SkipOnSimulation();
        _device = ilgpu.Device;
    }

    public void Dispose() => _cpu.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Gemm_is_the_float64_product(bool transposeA, bool transposeB)
    {
        const int Stride = 61;
        var random = new Random(1);
        var (a, b) = (Draw(random, B * D), Draw(random, M * D));
        using var left = transposeA ? _device.Tensor(D, B).Set(a) : _device.Tensor(B, D).Set(a);
        using var right = transposeB ? _device.Tensor(M, D).Set(b) : _device.Tensor(D, M).Set(b);
        using var product = _device.Tensor(B, M);
        _device.Gemm(transposeA, transposeB, 1, left, right, 0, product);
        var actual = product.ToArray();
        for (var i = 0; i < actual.Length; i += Stride)
        {
            var (row, column) = (i / M, i % M);
            var expected = 0.0;
            for (var p = 0; p < D; p++)
            {
                expected += (double)(transposeA ? a[(p * B) + row] : a[(row * D) + p])
                    * (transposeB ? b[(column * D) + p] : b[(p * M) + column]);
            }

            Assert.True(Math.Abs(actual[i] - expected) < 1e-4, $"({row}, {column}): {actual[i]} is not {expected}");
        }
    }

    [Fact]
    public void Encoders_select_what_a_sort_of_all_pre_activations_selects()
    {
        // Whole numbers: products are exact and ties frequent.
        var random = new Random(2);
        float[] Whole(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.Next(-2, 3))];
        var (x, w, bias) = (Whole(B * D), Whole(M * D), Whole(M));
        var pre = new double[B * M];
        for (var i = 0; i < pre.Length; i++)
        {
            pre[i] = bias[i % M];
            for (var j = 0; j < D; j++)
            {
                pre[i] += (double)x[(i / M * D) + j] * w[(i % M * D) + j];
            }
        }

        using var input = _device.Tensor(B, D).Set(x);
        using var weights = _device.Tensor(M, D).Set(w);
        using var biasTensor = _device.Tensor(1, M).Set(bias);
        using var s = _device.CsrMatrix();
        IEnumerable<int> Largest(int first, int count, int k) =>
            Enumerable.Range(first, count).Where(i => pre[i] > 0).OrderByDescending(i => pre[i]).ThenBy(i => i).Take(k);
        void Holds(IEnumerable<int> selected)
        {
            var entries = selected.Order().ToArray();
            Assert.Equal(entries.Select(i => i % M), s.Indices.ToArray());
            Assert.Equal(entries.Select(i => (float)pre[i]), s.Values.ToArray());
        }

        _device.EncodeTopK(input, weights, biasTensor, K, s);
        Holds(Enumerable.Range(0, B).SelectMany(row => Largest(row * M, M, K)));
        // The second time the search starts from the last threshold.
        foreach (var k in new[] { K, K / 2 })
        {
            var selected = Largest(0, B * M, B * k).ToArray();
            _device.EncodeBatchTopK(input, weights, biasTensor, k, s);
            Holds(selected);
            Assert.Equal((float)pre[selected[^1]], s.SmallestKept);
        }

        using var bounds = _device.Tensor(1, M).Set(Enumerable.Repeat(60f, M).ToArray());
        _device.EncodeThreshold(input, weights, biasTensor, bounds, s);
        Holds(Enumerable.Range(0, B * M).Where(i => pre[i] > 60));
    }

    [Fact]
    public void Sparse_products_are_those_of_float64_loops()
    {
        var random = new Random(3);
        var (z, w, x) = (DrawSparse(random), Draw(random, M * D), Draw(random, B * D));
        double[] product = new double[B * D], transposed = new double[M * D], sampled = new double[B * M];
        foreach (var i in Enumerable.Range(0, B * M).Where(i => z[i] != 0))
        {
            var (row, column) = (i / M, i % M);
            for (var j = 0; j < D; j++)
            {
                product[(row * D) + j] += (double)z[i] * w[(column * D) + j];
                transposed[(column * D) + j] += (double)z[i] * x[(row * D) + j];
                sampled[i] += (double)x[(row * D) + j] * w[(column * D) + j];
            }
        }

        using var s = _device.CsrMatrix().Set(z, B, M);
        using var weights = _device.Tensor(M, D).Set(w);
        using var input = _device.Tensor(B, D).Set(x);
        using var result = _device.Tensor(0, 0);
        _device.BuildColumnIndex(s);
        _device.SpMM(s, weights, null, result);
        AssertNear(product, result.ToArray(), 1e-5);
        using var gradient = _device.Tensor(M, D);
        _device.SpMMTransposed(s, useGradient: false, input, gradient);
        AssertNear(transposed, gradient.ToArray(), 1e-5);
        s.Gradient.Clear();
        _device.SDDMM(s, input, weights);
        AssertNear(sampled, s.GradientToDense(), 1e-5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fused_backward_pass_agrees_with_the_cpu_device(bool jumpReLU) => AssertAgree(1e-5, device =>
    {
        var random = new Random(4);
        Tensor Dense(int rows, int columns) => device.Tensor(rows, columns).Set(Draw(random, rows * columns));
        using var s = device.CsrMatrix().Set(DrawSparse(random), B, M);
        using var x = Dense(B, D);
        using var g = Dense(B, D);
        using var encoder = Dense(M, D);
        using var decoder = Dense(M, D);
        using var center = Dense(1, D);
        using var logThreshold = Dense(1, M);
        using var encoderGradient = device.Tensor(M, D);
        using var decoderGradient = device.Tensor(M, D);
        using var bias = device.Tensor(1, M);
        using var centerGradient = device.Tensor(1, D);
        using var thresholdGradient = device.Tensor(1, M);
        using var scores = device.Tensor(1, M);
        using var result = device.Allocate<double>(2);
        using var squares = device.Allocate<double>(M);
        using var norms = device.Allocate<double>(0);
        using var directions = device.Allocate<double>(D);
        using var pre = device.Allocate<float>(s.NonzeroCount);
        pre.CopyFrom(s.Values.ToArray().Select(value => value + 0.01f).ToArray());
        device.RowNorms(x, norms);
        device.SumUnitRows(x, norms, directions);
        device.BuildColumnIndex(s);
        device.FusedLatentBackward(new FusedBackwardArgs
        {
            Latents = s,
            DecodedGradient = g,
            Decoder = decoder,
            DecoderGradient = decoderGradient,
            Mono = new MonoLossInputs { X = x, Norms = norms, UnitRowSum = directions, Factor = 0.7, Scores = scores, Result = result },
            JumpReLU = jumpReLU
                ? new JumpReLUTerm
                {
                    Pre = pre,
                    LogThreshold = logThreshold,
                    Bandwidth = 0.8f,
                    L0Factor = 0.3,
                    Gradient = thresholdGradient,
                }
                : default,
            Input = x,
            Center = center,
            Encoder = encoder,
            EncoderGradient = encoderGradient,
            EncoderGradientSquares = squares,
            BiasGradient = bias,
            CenterGradient = centerGradient,
        });
        return
        [
            s.GradientToDense(), encoderGradient.ToArray(), decoderGradient.ToArray(), bias.ToArray(), centerGradient.ToArray(),
            thresholdGradient.ToArray(), scores.ToArray(), ToFloats(squares), ToFloats(result),
        ];
    });

    [Fact]
    public void Dataset_scores_and_their_gradient_agree_with_the_cpu_device() => AssertAgree(1e-5, device =>
    {
        var random = new Random(5);
        using var norms = device.Allocate<double>(0);
        using var sums = new MonoScoreSums(device, M, D);
        using var scores = device.Allocate<double>(M);
        var batches = new List<(CsrMatrix Latents, Tensor X)>();
        for (var i = 0; i < 3; i++)
        {
            batches.Add((device.CsrMatrix().Set(DrawSparse(random), B, M), device.Tensor(B, D).Set(Draw(random, B * D))));
            device.RowNorms(batches[i].X, norms);
            device.BuildColumnIndex(batches[i].Latents);
            device.AccumulateMonoScore(batches[i].Latents, batches[i].X, norms, sums);
        }

        device.FinishMonoScore(sums, scores);
        var results = new List<float[]> { ToFloats(scores) };
        foreach (var (latents, x) in batches)
        {
            latents.Gradient.Clear();
            device.RowNorms(x, norms);
            device.AddDatasetMonoGradient(latents, x, norms, sums, scores, 0.7);
            results.Add(latents.GradientToDense());
            latents.Dispose();
            x.Dispose();
        }

        return results;
    });

    [Fact]
    public void Row_kernels_losses_and_Adam_agree_with_the_cpu_device() => AssertAgree(1e-5, device =>
    {
        var random = new Random(6);
        Tensor Dense(int rows, int columns) => device.Tensor(rows, columns).Set(Draw(random, rows * columns));
        using var x = Dense(B, D);
        using var other = Dense(B, D);
        using var normalized = device.Tensor(0, 0);
        using var mean = device.Tensor(0, 0);
        using var deviation = device.Tensor(0, 0);
        device.LayerNorm(x, normalized, mean, deviation);
        using var error = device.Allocate<double>(1);
        device.SquaredError(x, other, 1.0 / B, relative: true, error);
        using var errorGradient = device.Tensor(B, D);
        device.SquaredErrorGradient(x, other, 1.0 / B, relative: true, 2, errorGradient);
        using var columnErrors = device.Allocate<double>(3 * D);
        device.AccumulateColumnErrors(x, other, columnErrors);

        using var parameter = Dense(M, D);
        using var gradient = Dense(M, D);
        using var first = device.Tensor(M, D);
        using var second = device.Tensor(M, D);
        using var sum = device.Tensor(1, D);
        using var squares = device.Allocate<double>(1);
        device.SumColumns(1f / M, gradient, sum);
        device.AddSumSquares(gradient, squares);
        using var scale = device.Allocate<float>(1);
        scale.CopyFrom([0.5f]);
        for (var step = 1; step <= 2; step++)
        {
            var settings = new AdamStep(step, 0.01f, 0.9f, 0.999f, 1e-8f, 0, UnitRows: true, Project: false);
            device.Adam(parameter, gradient, first, second, settings, scale);
        }

        return
        [
            normalized.ToArray(), mean.ToArray(), deviation.ToArray(), ToFloats(error), errorGradient.ToArray(), ToFloats(columnErrors),
            sum.ToArray(), ToFloats(squares), parameter.ToArray(), first.ToArray(), second.ToArray(),
        ];
    });

    private static float[] ToFloats(DeviceArray<double> values) => Array.ConvertAll(values.ToArray(), value => (float)value);

    private static float[] Draw(Random random, int count)
    {
        var values = new float[count];
        foreach (ref var value in values.AsSpan())
        {
            value = ((2 * random.NextSingle()) - 1) / 8;
        }

        return values;
    }

    /// <summary>B×M latents: K of a row on average, one that fires in every row, and one that never does.</summary>
    private static float[] DrawSparse(Random random)
    {
        var z = new float[B * M];
        for (var i = 0; i < z.Length; i++)
        {
            z[i] = (i % M) switch
            {
                0 => 0,
                1 => 0.1f + random.NextSingle(),
                _ => random.Next(M) < K ? 0.1f + random.NextSingle() : 0,
            };
        }

        return z;
    }

    private static void AssertNear(IReadOnlyList<double> expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Length);
        var scale = 1 + expected.Max(Math.Abs);
        for (var i = 0; i < actual.Length; i++)
        {
            Assert.True(Math.Abs(actual[i] - expected[i]) <= tolerance * scale, $"element {i}: {actual[i]} is not {expected[i]}");
        }
    }

    /// <summary>Runs the same work on both devices; every result is within the tolerance, relative to the largest element.</summary>
    private void AssertAgree(double tolerance, Func<Device, IReadOnlyList<float[]>> work)
    {
        var expected = work(_cpu);
        var actual = work(_device);
        for (var i = 0; i < expected.Count; i++)
        {
            AssertNear([.. expected[i].Select(value => (double)value)], actual[i], tolerance);
        }
    }
}
