using System.Runtime.InteropServices;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

/// <summary>Compares the fused encoders, bit for bit, with sorting the results of <see cref="CpuGemm.Gemm"/>.</summary>
public sealed unsafe class EncodeTests
{
    /// <summary>Rows, latents, features and two matrices that produce a certain order or pattern of ties.</summary>
    public sealed record Problem(string Name, int Rows, int Latents, int Features, float[] A, float[] W, float[]? Bias)
    {
        public override string ToString() => $"{Name} {Rows}×{Latents}×{Features}";
    }

    private static IEnumerable<Problem> Problems()
    {
        (int, int, int)[] sizes = [(1, 1, 1), (3, 50, 7), (37, 333, 20), (130, 1500, 33), (70, 2600, 16), (600, 700, 5)];
        foreach (var (rows, latents, features) in sizes)
        {
            yield return Make("random", rows, latents, features, random => (float)(random.NextDouble() * 2 - 1), bias: false);
            yield return Make("biased", rows, latents, features, random => (float)(random.NextDouble() * 2 - 1), bias: true);
            // Small integers: sums are exact and nearly every value occurs many times.
            yield return Make("integers", rows, latents, features, random => random.Next(-1, 2), bias: false);
        }

        yield return Outer("ascending", 40, 3000, r => r + 1, m => m - 100);
        yield return Outer("descending", 40, 3000, r => 40 - r, m => 2000 - m);
        yield return Outer("constant", 45, 2100, _ => 1, _ => 3);
        yield return Outer("negative", 20, 500, _ => -1, m => m + 1);
        yield return Outer("zero", 20, 500, _ => 0, m => m);
        // The values kept first equal the bound, and few enough larger ones follow for some of them to stay.
        yield return Outer("two steps", 20, 1000, _ => 1, m => m < 800 ? 1 : 2);
        yield return Outer("steps", 64, 2500, r => r % 5, m => m / 100 % 7);
        yield return Outer("NaN among others", 33, 1200, r => r + 1, m => m % 3 == 0 ? float.NaN : m % 50);
        yield return Outer("infinity among others", 33, 1200, r => r + 1, m => m % 100 == 0 ? float.PositiveInfinity : m % 50);
        yield return Outer("tiny", 33, 1200, r => 1e-30f * r, m => 1e-12f * (m % 77));
        // One row has everything: the others' values are far below any sampled threshold.
        yield return Outer("one hot row", 50, 2000, r => r == 17 ? 1 : 1e-6f, m => 1 + m % 9);
        foreach (var problem in HardToBound())
        {
            yield return problem;
        }
    }

    private static IEnumerable<Problem> HardToBound()
    {
        // Groups of latents that differ in their last bits, and repeated rows: the deciding differences are below any bound's resolution.
        var random = new Random(5);
        var problem = Make("near ties", 40, 900, 37, random => (float)(random.NextDouble() * 2 - 1), bias: true);
        for (var m = 0; m < problem.Latents; m++)
        {
            for (var j = 0; j < problem.Features; j++)
            {
                var value = problem.W[(m % 60 * problem.Features) + j];
                problem.W[(m * problem.Features) + j] =
                    BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) + random.Next(2));
            }

            problem.Bias![m] = problem.Bias[m % 60];
        }

        problem.A.AsSpan(0, 20 * problem.Features).CopyTo(problem.A.AsSpan(20 * problem.Features));
        yield return problem;

        // Rows and latents of very different magnitude, and with one large number among small ones.
        problem = Make("outliers", 45, 1100, 50, random => (float)(random.NextDouble() * 2 - 1), bias: true);
        for (var i = 0; i < problem.A.Length; i++)
        {
            problem.A[i] *= MathF.Pow(10, (i / problem.Features % 9) - 4);
        }

        for (var m = 0; m < problem.Latents; m += 7)
        {
            problem.W[(m * problem.Features) + (m % problem.Features)] = 1e4f;
        }

        problem.A.AsSpan(3 * problem.Features, problem.Features).Clear();
        problem.A.AsSpan(4 * problem.Features, problem.Features).Fill(1e-30f);
        problem.A.AsSpan(5 * problem.Features, problem.Features).Fill(float.Epsilon);
        problem.W.AsSpan(9 * problem.Features, problem.Features).Clear();
        yield return problem;
        yield return problem with { Name = "too large", A = [.. problem.A.Select(value => value * 1e16f)] };
    }

    public static TheoryData<int, string> Cases()
    {
        var cases = new TheoryData<int, string>();
        foreach (var (i, problem) in Problems().Index())
        {
            cases.Add(i, problem.ToString());
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EncodeTopK_keeps_the_largest_of_each_row(int index, string name)
    {
        var problem = Problems().ElementAt(index);
        int[] numbers = [0, 1, 2, 16, 64, 300, problem.Latents - 1, problem.Latents, problem.Latents + 5];
        ForEveryKernel(
            problem,
            pre =>
            {
                var rows = Enumerable.Range(0, problem.Rows)
                    .Select(row => Positive(problem, pre, row)
                        .OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Latent).ToList())
                    .ToList();
                return numbers.Select(k => rows.SelectMany(row => row.Take(k).OrderBy(entry => entry.Latent)).ToList()).ToList();
            },
            (encoder, a, w, bias, result, expected, context) =>
            {
                foreach (var (k, entries) in numbers.Zip(expected))
                {
                    encoder.EncodeTopK(
                        problem.Rows, problem.Latents, problem.Features, a, problem.Features, w, problem.Features, bias, k, result);
                    AssertSame(entries, result, problem.Rows, $"{name} k {k} {context}");
                }
            });
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EncodeBatchTopK_keeps_the_largest_of_the_batch(int index, string name)
    {
        var problem = Problems().ElementAt(index);
        int[] numbers = [0, 1, 3, 64, problem.Latents];
        ForEveryKernel(
            problem,
            pre =>
            {
                var sorted = Enumerable.Range(0, problem.Rows)
                    .SelectMany(row => Positive(problem, pre, row))
                    .OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Row).ThenBy(entry => entry.Latent)
                    .ToList();
                return numbers.Select(k =>
                {
                    var kept = sorted.Take(problem.Rows * k).ToList();
                    var threshold = kept.Count == 0 ? 0 : kept[^1].Value;
                    return (Threshold: threshold, Entries: kept.OrderBy(entry => entry.Row).ThenBy(entry => entry.Latent).ToList());
                }).ToList();
            },
            (encoder, a, w, bias, result, expected, context) =>
            {
                foreach (var (k, (threshold, entries)) in numbers.Zip(expected))
                {
                    // None, about right, exactly the threshold, too low, too high, and nonsense.
                    foreach (var hint in new[] { 0, 0.9f * threshold, threshold, 1e-3f * threshold, 2 * threshold, float.NaN })
                    {
                        var got = encoder.EncodeBatchTopK(
                            problem.Rows, problem.Latents, problem.Features, a, problem.Features, w, problem.Features, bias, k, hint,
                            result);
                        AssertSame(entries, result, problem.Rows, $"{name} k {k} hint {hint} {context}");
                        Assert.True(threshold.Equals(got), $"{name} k {k} hint {hint} {context}: threshold {got}, expected {threshold}");
                    }
                }
            });
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EncodeThreshold_keeps_values_above_each_latents_bound(int index, string name)
    {
        var problem = Problems().ElementAt(index);
        var random = new Random(9);
        var bounds = Enumerable.Range(0, problem.Latents).Select(m => m % 11 == 0 ? -0.1f : (float)random.NextDouble()).ToArray();
        var zeros = new float[problem.Latents];
        ForEveryKernel(
            problem,
            pre => new[] { zeros, bounds }.Select(above =>
                (from row in Enumerable.Range(0, problem.Rows)
                 from m in Enumerable.Range(0, problem.Latents)
                 let value = pre[row * problem.Latents + m]
                 where value > above[m]
                 select (row, m, value)).ToList()).ToList(),
            (encoder, a, w, bias, result, expected, context) =>
            {
                fixed (float* above = bounds)
                {
                    encoder.EncodeThreshold(
                        problem.Rows, problem.Latents, problem.Features, a, problem.Features, w, problem.Features, bias, null, result);
                    AssertSame(expected[0], result, problem.Rows, $"{name} above 0 {context}");
                    encoder.EncodeThreshold(
                        problem.Rows, problem.Latents, problem.Features, a, problem.Features, w, problem.Features, bias, above, result);
                    AssertSame(expected[1], result, problem.Rows, $"{name} above bounds {context}");
                }
            });
    }

    [Fact]
    public void Ties_go_to_the_lowest_latent_whichever_group_is_first()
    {
        const int K = 2, Columns = 256, Groups = 2, Stride = 32;
        var capacity = TopKCandidates.CapacityFor(K, Columns, Stride);
        int* counts = stackalloc int[Groups], indices = stackalloc int[Groups * capacity], rowCounts = stackalloc int[2];
        float* bounds = stackalloc float[Groups], values = stackalloc float[Groups * capacity], tile = stackalloc float[Stride];
        var rowBound = 0f;
        new Span<float>(tile, Stride).Fill(1);
        var candidates = new TopKCandidates
        {
            Isa = GemmIsa.Vector128,
            Bias = null,
            K = K,
            Groups = Groups,
            Capacity = capacity,
            Counts = counts,
            Bounds = bounds,
            RowBounds = &rowBound,
            Values = values,
            Indices = indices,
        };
        foreach (var group in new[] { 1, 0 })
        {
            candidates.Begin(0, group, 0, 1);
            for (var column = 0; column < Columns; column += Stride)
            {
                candidates.Tile(0, group, 0, group * Columns + column, 1, Stride, tile, Stride);
            }
        }

        new MergeCandidates { Candidates = candidates, Rows = 1, RowCounts = rowCounts }.Run(0);
        Assert.Equal((2, 0, 1), (rowCounts[1], indices[0], indices[1]));
    }

    [Fact]
    public void Encoding_no_rows_or_no_latents_gives_an_empty_result()
    {
        using var pool = new WorkerPool(2);
        using var gemm = new CpuGemm(pool);
        using var encoder = new CpuEncoder(gemm);
        using var result = new SparseBuffer();
        encoder.EncodeTopK(0, 5, 3, null, 3, null, 3, null, 2, result);
        Assert.Equal((0, 0), (result.Rows, result.Count));
        encoder.EncodeThreshold(4, 0, 3, null, 3, null, 3, null, null, result);
        Assert.Equal((4, 0), (result.Rows, result.Count));
        Assert.Equal(0, encoder.EncodeBatchTopK(4, 0, 3, null, 3, null, 3, null, 2, 0, result));
        Assert.Equal((4, 0), (result.Rows, result.Count));
    }

    private delegate void Check<T>(CpuEncoder encoder, float* a, float* w, float* bias, SparseBuffer result, T expected, string context);

    private static void ForEveryKernel<T>(Problem problem, Func<float[], T> expect, Check<T> check)
    {
        float[]? known = null;
        T expected = default!;
        foreach (var (isa, filter) in GemmTests.Isas()
            .SelectMany(isa => new[] { (isa, PrefilterPolicy.Never), (isa, PrefilterPolicy.Always) })
            .Where(kernel => kernel.Item2 == PrefilterPolicy.Never || Int16Prefilter.IsSupported(kernel.isa)))
        {
            foreach (var threads in new[] { 1, 2, 5 })
            {
                using var pool = new WorkerPool(threads);
                using var gemm = new CpuGemm(pool, isa);
                using var encoder = new CpuEncoder(gemm) { Filter = filter };
                using var result = new SparseBuffer();
                var pre = new float[problem.Rows * problem.Latents];
                fixed (float* a = problem.A, w = problem.W, bias = problem.Bias, p = pre)
                {
                    gemm.Gemm(
                        false, true, problem.Rows, problem.Latents, problem.Features, 1, a, problem.Features, w, problem.Features, 0, p,
                        problem.Latents, bias, relu: true);
                    if (known == null || !MemoryMarshal.Cast<float, int>(known).SequenceEqual(MemoryMarshal.Cast<float, int>(pre)))
                    {
                        known = pre;
                        expected = expect(pre);
                    }

                    check(encoder, a, w, bias, result, expected, $"{isa} filter {filter} threads {threads}");
                }
            }
        }
    }

    private static IEnumerable<(int Row, int Latent, float Value)> Positive(Problem problem, float[] pre, int row) =>
        Enumerable.Range(0, problem.Latents).Select(m => (row, m, pre[row * problem.Latents + m])).Where(entry => entry.Item3 > 0);

    private static void AssertSame(List<(int Row, int Latent, float Value)> expected, SparseBuffer result, int rows, string context)
    {
        Assert.Equal(rows, result.Rows);
        Assert.True(expected.Count == result.Count, $"{context}: {result.Count} entries, expected {expected.Count}");
        var at = 0;
        for (var row = 0; row < rows; row++)
        {
            for (var i = result.RowOffsets[row]; i < result.RowOffsets[row + 1]; i++)
            {
                var got = (row, result.Indices[i], result.Values[i]);
                if (!expected[at].Equals(got))
                {
                    Assert.Fail($"{context}: entry {at} is {got}, expected {expected[at]}");
                }

                at++;
            }
        }

        Assert.Equal(expected.Count, at);
    }

    private static Problem Make(string name, int rows, int latents, int features, Func<Random, float> value, bool bias)
    {
        var random = new Random(rows + latents);
        float[] Fill(int count) => Enumerable.Range(0, count).Select(_ => value(random)).ToArray();
        return new Problem(name, rows, latents, features, Fill(rows * features), Fill(latents * features), bias ? Fill(latents) : null);
    }

    private static Problem Outer(string name, int rows, int latents, Func<int, float> row, Func<int, float> latent) => new(
        name,
        rows,
        latents,
        1,
        Enumerable.Range(0, rows).Select(row).ToArray(),
        Enumerable.Range(0, latents).Select(latent).ToArray(),
        null);
}
