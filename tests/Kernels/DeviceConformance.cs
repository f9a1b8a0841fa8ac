using MonoLoss.Kernels;

namespace MonoLoss.Tests.Kernels;

/// <summary>
/// Compares every kernel of a device with naive float64 loops, at sizes that are not multiples of a block, with empty rows, columns that
/// never fire, ties, and k = 0, 1, M. Each device has a class that derives from this one.
/// </summary>
public abstract class DeviceConformance : IDisposable
{
    private readonly Device _device;
    private readonly Random _random = new(7);

    // Held until the test ends: an operation of the CPU device works on pointers, which do not keep a tensor from being finalized.
    private readonly List<IDisposable> _held = [];

    protected DeviceConformance(Device device) => _device = device;

    public void Dispose()
    {
        _held.ForEach(held => held.Dispose());
        GC.SuppressFinalize(this);
    }

    /// <summary>B, D, M.</summary>
    public static TheoryData<int, int, int> Sizes => [.. MiddleSizes, .. OtherSizes];

    /// <summary>The sizes at which even expensive tests run on ILGPU's simulation of a GPU.</summary>
    public static TheoryData<int, int, int> MiddleSizes => new() { { 17, 19, 23 }, { 37, 64, 50 } };

    public static TheoryData<int, int, int> OtherSizes => new() { { 1, 1, 1 }, { 3, 5, 2 }, { 50, 67, 33 }, { 131, 129, 70 } };

    /// <summary>
    /// B, D, M with enough active latents for an encoder to leave them dense, or for kernels to work on dense matrices (on a GPU above an
    /// eighth of all) or block by block.
    /// </summary>
    public static TheoryData<int, int, int> DenseSizes => new() { { 300, 2000, 3 }, { 400, 2000, 4 }, { 5, 2000, 420 }, { 11, 9, 2100 } };

    /// <summary>B, D, M with rows long enough that several warps of a GPU sum one.</summary>
    public static TheoryData<int, int, int> WideSizes => new() { { 2, 1028, 1 }, { 3, 301, 1 } };

    /// <summary>B, D, M with more nonzeros in a column, or in a row of many features, than a group of threads takes at once.</summary>
    public static TheoryData<int, int, int> LongSizes => new() { { 700, 8, 5 }, { 700, 3, 3 }, { 3, 260, 300 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(DenseSizes))]
    public void SpMM_equals_the_float64_loop(int b, int d, int m) => CheckSpMM(b, d, m, oneIn: 4);

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(LongSizes))]
    [InlineData(7, 68, 1000)]
    public void SpMM_of_few_nonzeros_equals_the_float64_loop(int b, int d, int m) => CheckSpMM(b, d, m + 30, oneIn: 30);

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(LongSizes))]
    public void SpMMTransposed_equals_the_float64_loop(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m);
        var (x, input) = Dense(b, d);
        var (start, result) = Dense(m, d);
        _device.BuildColumnIndex(s);
        _device.SpMMTransposed(s, useGradient: false, input, result);
        Near(m * d, i => start[i] + Sum(b, row => z[(row * m) + (i / d)] * x[(row * d) + (i % d)]), result.ToArray());

        var gradient = FillGradient(s);
        result.Set(start);
        _device.SpMMTransposed(s, useGradient: true, input, result);
        Near(m * d, i => start[i] + Sum(b, row => gradient[(row * m) + (i / d)] * x[(row * d) + (i % d)]), result.ToArray());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    [InlineData(3, 260, 300)]
    public void SDDMM_equals_the_float64_loop(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m);
        var (g, gradient) = Dense(b, d);
        var (w, weights) = Dense(m, d);
        var start = FillGradient(s);
        _device.SDDMM(s, gradient, weights);
        Near(
            b * m,
            i => z[i] == 0 ? 0 : start[i] + Sum(d, j => g[((i / m) * d) + j] * w[((i % m) * d) + j]),
            s.GradientToDense());
    }

    /// <summary>
    /// All reconstructions of nested groups, some of them without latents, and the gradients that each group's latents get.
    /// </summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(LongSizes))]
    [InlineData(7, 68, 1000)]
    [InlineData(5, 36, 420)]
    public void Group_reconstructions_and_their_gradients_equal_the_float64_loops(int b, int d, int m)
    {
        for (var kind = 0; kind < 3; kind++)
        {
            var ends = GroupEnds(m, kind);
            var last = ends.ToArray();
            var groups = last.Length;
            var (z, s) = Sparse(b, m, kind == 2 ? 2 : 4);
            var (w, matrix) = Dense(m, d);
            var (bias, biasTensor) = Dense(1, d);
            var (x, target) = Dense(b, d);
            var (scale, scaleTensor) = Dense(1, b);
            var (shift, shiftTensor) = Dense(1, b);
            var (upstream, upstreamTensor) = Dense(b, d);
            var isScaled = kind != 1;
            using var errors = _device.Tensor(0, 0);
            using var result = _device.Tensor(0, 0);
            using var squares = _device.Allocate<double>(groups);
            _device.DecodeGroups(new GroupDecodeArgs
            {
                Latents = s,
                Matrix = matrix,
                Bias = kind == 1 ? null : biasTensor,
                GroupEnds = ends,
                Target = target,
                Scale = isScaled ? scaleTensor : null,
                Shift = isScaled ? shiftTensor : null,
                Errors = errors,
                Result = result,
                Squares = squares,
            });
            double Reconstruction(int g, int i)
            {
                var (row, j) = (i / d, i % d);
                var sum = (kind == 1 ? 0 : bias[j]) + Sum(last[g], latent => z[(row * m) + latent] * w[(latent * d) + j]);
                return isScaled ? (sum * scale[row]) + shift[row] : sum;
            }

            double Error(int g, int i) => Reconstruction(g, i) - x[i];
            Near(groups * b * d, i => Error(i / (b * d), i % (b * d)), errors.ToArray());
            Near(b * d, i => Reconstruction(groups - 1, i), result.ToArray());
            Near(groups, g => Sum(b * d, i => Math.Pow(Error(g, i), 2)), squares.ToArray());

            _device.SumGroupErrors(errors, groups, 0.7, isScaled ? scaleTensor : null, kind == 2 ? null : upstreamTensor);
            double Gradient(int g, int i) => (isScaled ? scale[i / d] : 1)
                * ((kind == 2 ? 0 : upstream[i]) + (0.7 * Sum(groups - g, h => Error(g + h, i))));
            Near(groups * b * d, i => Gradient(i / (b * d), i % (b * d)), errors.ToArray());

            int GroupOf(int latent) => Array.FindIndex(last, end => latent < end);
            var start = FillGradient(s);
            _device.SDDMM(s, errors, matrix, ends);
            Near(
                b * m,
                i => z[i] == 0 ? 0 : start[i] + Sum(d, j => Gradient(GroupOf(i % m), ((i / m) * d) + j) * w[((i % m) * d) + j]),
                s.GradientToDense(),
                1e-4);
            var (dW, dMatrix) = Dense(m, d);
            _device.BuildColumnIndex(s);
            _device.SpMMTransposed(s, useGradient: false, errors, dMatrix, ends);
            Near(
                m * d,
                i => dW[i] + Sum(b, row => z[(row * m) + (i / d)] == 0 ? 0
                    : z[(row * m) + (i / d)] * Gradient(GroupOf(i / d), (row * d) + (i % d))),
                dMatrix.ToArray(),
                1e-4);
            var (biasStart, biasGradient) = Dense(1, d);
            _device.SumColumns(-1, errors, biasGradient, b);
            Near(d, j => biasStart[j] - Sum(b, row => Gradient(0, (row * d) + j)), biasGradient.ToArray(), 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Column_index_and_column_sums_equal_the_loops(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m);
        _device.BuildColumnIndex(s);
        var (offsets, rowOf, entryOf, values) =
            (s.ColumnOffsets.ToArray(), s.RowIndices.ToArray(), s.EntryOf.ToArray(), s.Values.ToArray());
        for (var column = 0; column < m; column++)
        {
            var expected = Enumerable.Range(0, b).Where(row => z[(row * m) + column] != 0).ToArray();
            Assert.Equal(expected, rowOf[offsets[column]..offsets[column + 1]]);
            Assert.Equal(
                expected.Select(row => z[(row * m) + column]),
                entryOf[offsets[column]..offsets[column + 1]].Select(entry => values[entry]));
        }

        var gradient = FillGradient(s);
        using var sums = _device.Tensor(1, m);
        _device.SumGradientColumns(s, sums);
        Near(m, column => Sum(b, row => gradient[(row * m) + column]), sums.ToArray());

        using var result = _device.Allocate<double>(2);
        _device.SumAndCountPositive(s, result);
        Near(2, i => z.Where(value => value > 0).Sum(value => i == 0 ? 1.0 : value), result.ToArray());

        _device.AddToGradientWherePositive(s, 0.5f);
        Near(b * m, i => gradient[i] + (z[i] > 0 ? 0.5 : 0), s.GradientToDense());
    }

    /// <summary>More latents, and more rows that one of them fires on, than a block of any kernel holds.</summary>
    [Theory]
    [InlineData(3, 5000)]
    [InlineData(700, 5)]
    public void BuildColumnIndex_lists_many_nonzeros_in_order(int b, int m)
    {
        var (z, s) = Sparse(b, m);
        _device.BuildColumnIndex(s);
        var nonzeros = s.Indices.ToArray().Select((column, entry) => (column, entry)).OrderBy(pair => pair.column).ToArray();
        Assert.Equal(nonzeros.Select(pair => pair.entry), s.EntryOf.ToArray());
        var offsets = s.RowOffsets.ToArray();
        Assert.Equal(
            nonzeros.Select(pair => Enumerable.Range(0, b).Last(row => offsets[row] <= pair.entry)), s.RowIndices.ToArray());
        Assert.Equal(
            Enumerable.Range(0, m + 1).Select(column => nonzeros.Count(pair => pair.column < column)), s.ColumnOffsets.ToArray());
    }

    /// <summary>Latents as an encoder leaves them, used before and after their nonzeros are listed.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(DenseSizes))]
    public void Encoded_latents_give_the_results_of_listed_ones(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m, oneIn: 2);
        s = Encoded(z, b, m);
        var (w, weights) = Dense(m, d);
        var (bias, biasTensor) = Dense(1, d);
        using var product = _device.Tensor(0, 0);
        using var sums = _device.Allocate<double>(2);
        using var counters = _device.Allocate<int>(m);
        _device.BuildColumnIndex(s);
        foreach (var _ in new[] { "possibly dense", "listed" })
        {
            _device.SpMM(s, weights, biasTensor, product);
            Near(b * d, i => bias[i % d] + Sum(m, j => z[((i / d) * m) + j] * w[(j * d) + (i % d)]), product.ToArray());
            _device.SumAndCountPositive(s, sums);
            Near(2, i => z.Where(value => value > 0).Sum(value => i == 0 ? 1.0 : value), sums.ToArray());
            counters.CopyFrom(Enumerable.Repeat(4, m).ToArray());
            _device.UpdateStepsSinceFired(s, counters, 2);
            Assert.Equal(
                Enumerable.Range(0, m).Select(j => Enumerable.Range(0, b).Any(i => z[(i * m) + j] > 0) ? 2 : 5), counters.ToArray());
            Assert.Equal(z, s.ToDense());
        }

        Assert.Equal(z.Count(value => value != 0), s.NonzeroCount);
        var (offsets, rowOf, entryOf, values) =
            (s.ColumnOffsets.ToArray(), s.RowIndices.ToArray(), s.EntryOf.ToArray(), s.Values.ToArray());
        for (var j = 0; j < m; j++)
        {
            var expected = Enumerable.Range(0, b).Where(i => z[(i * m) + j] != 0).ToArray();
            Assert.Equal(expected, rowOf[offsets[j]..offsets[j + 1]]);
            Assert.Equal(expected.Select(i => z[(i * m) + j]), entryOf[offsets[j]..offsets[j + 1]].Select(entry => values[entry]));
        }

        // With a threshold that few exceed, the same matrix is sparse again.
        using var x = _device.Tensor(b, 1).Set(Enumerable.Repeat(1f, b).ToArray());
        using var one = _device.Tensor(m, 1).Set(Enumerable.Range(0, m).Select(j => j == m - 1 ? 1f : -1f).ToArray());
        _device.EncodeThreshold(x, one, null, null, s);
        Assert.Equal(Enumerable.Range(0, b * m).Select(i => i % m == m - 1 ? 1f : 0), s.ToDense());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    [InlineData(5, 4, 1028)]
    public void Encoders_select_what_a_sort_selects(int b, int d, int m)
    {
        // Whole numbers: products are exact and ties frequent.
        var (x, input) = Dense(b, d, whole: true);
        var (w, weights) = Dense(m, d, whole: true);
        var (bias, biasTensor) = Dense(1, m, whole: true);
        var pre = Enumerable.Range(0, b * m)
            .Select(i => (float)Math.Max(0, bias[i % m] + Sum(d, j => x[((i / m) * d) + j] * w[((i % m) * d) + j]))).ToArray();
        using var s = _device.CsrMatrix();
        foreach (var k in new[] { 0, 1, Math.Min(m, 3), m })
        {
            _device.EncodeTopK(input, weights, biasTensor, k, s);
            var kept = Enumerable.Range(0, b)
                .SelectMany(row => Enumerable.Range(row * m, m).OrderByDescending(i => pre[i]).ThenBy(i => i).Take(k)).ToHashSet();
            Assert.Equal(pre.Select((value, i) => kept.Contains(i) ? value : 0), s.ToDense());

            _device.EncodeBatchTopK(input, weights, biasTensor, k, s);
            kept = Enumerable.Range(0, b * m).OrderByDescending(i => pre[i]).ThenBy(i => i).Take(b * k).ToHashSet();
            Assert.Equal(pre.Select((value, i) => kept.Contains(i) ? value : 0), s.ToDense());
            Assert.Equal(kept.Select(i => pre[i]).Where(value => value > 0).DefaultIfEmpty(0).Min(), s.SmallestKept);
        }

        var (bounds, boundsTensor) = Dense(1, m, whole: true);
        _device.EncodeThreshold(input, weights, biasTensor, boundsTensor, s);
        Assert.Equal(pre.Select((value, i) => value > bounds[i % m] ? value : 0), s.ToDense());
        Assert.Equal(pre.Where((value, i) => value > bounds[i % m]).Count(), s.NonzeroCount);
        _device.EncodeThreshold(input, weights, null, null, s);
        Near(b * m, i => Math.Max(0, Sum(d, j => x[((i / m) * d) + j] * w[((i % m) * d) + j])), s.ToDense());
    }

    /// <summary>
    /// One feature, so that every pre-activation is one product: among them NaN, infinities, denormal numbers, zeros and ties.
    /// </summary>
    [Theory]
    [InlineData(300)]
    [InlineData(301)]
    public void Encoders_select_among_special_values_what_a_sort_selects(int m)
    {
        float[] rows = [1, 2, 0, -1, 1e-30f, 3, 1];
        var w = Enumerable.Range(0, m)
            .Select(i => i % 7 == 0 ? float.NaN : i % 50 == 1 ? float.PositiveInfinity : i % 13 * (i % 3 == 0 ? 1e-12f : 1)).ToArray();
        using var x = _device.Tensor(rows.Length, 1);
        using var weights = _device.Tensor(m, 1).Set(w);
        using var s = _device.CsrMatrix();
        // The second time all values are far below the previous threshold.
        foreach (var scale in new[] { 1, 1e-3f })
        {
            x.Set(rows.Select(value => scale * value).ToArray());
            var pre = Enumerable.Range(0, rows.Length * m).Select(i => scale * rows[i / m] * w[i % m]).ToArray();
            int[] Largest(IEnumerable<int> nonzeros, int k) =>
                [.. nonzeros.Where(i => pre[i] > 0).OrderByDescending(i => pre[i]).ThenBy(i => i).Take(k)];
            void Same(IEnumerable<int> kept)
            {
                var nonzeros = kept.Order().ToArray();
                Assert.Equal(nonzeros.Select(i => i % m), s.Indices.ToArray());
                Assert.Equal(nonzeros.Select(i => pre[i]), s.Values.ToArray());
                Assert.Equal(Enumerable.Range(0, rows.Length + 1).Select(row => nonzeros.Count(i => i < row * m)), s.RowOffsets.ToArray());
            }

            foreach (var k in new[] { 3, 20, m })
            {
                _device.EncodeTopK(x, weights, null, k, s);
                Same(Enumerable.Range(0, rows.Length).SelectMany(row => Largest(Enumerable.Range(row * m, m), k)));
                var largest = Largest(Enumerable.Range(0, rows.Length * m), rows.Length * k);
                _device.EncodeBatchTopK(x, weights, null, k, s);
                Same(largest);
                Assert.Equal(pre[largest[^1]], s.SmallestKept);
            }
        }
    }

    [Fact]
    public void Encoding_no_rows_or_no_latents_gives_an_empty_result()
    {
        using var s = _device.CsrMatrix();
        foreach (var (rows, latents) in new[] { (0, 5), (4, 0) })
        {
            using var x = _device.Tensor(rows, 3);
            using var weights = _device.Tensor(latents, 3);
            _device.EncodeTopK(x, weights, null, 2, s);
            Assert.Equal((rows, latents, 0), (s.Rows, s.Columns, s.NonzeroCount));
            _device.EncodeBatchTopK(x, weights, null, 2, s);
            Assert.Equal(0, s.SmallestKept);
            Assert.Equal((rows, latents, 0), (s.Rows, s.Columns, s.NonzeroCount));
            _device.EncodeThreshold(x, weights, null, null, s);
            Assert.Equal((rows, latents, 0), (s.Rows, s.Columns, s.NonzeroCount));
            Assert.Equal(new int[rows + 1], s.RowOffsets.ToArray());
        }
    }

    [Fact]
    public void NaN_is_never_selected()
    {
        using var x = _device.Tensor(2, 1).Set([1, float.NaN]);
        using var weights = _device.Tensor(3, 1).Set([2, 1, 3]);
        using var s = _device.CsrMatrix();
        _device.EncodeTopK(x, weights, null, 2, s);
        Assert.Equal([2, 0, 3, 0, 0, 0], s.ToDense());
        _device.EncodeBatchTopK(x, weights, null, 2, s);
        Assert.Equal([2, 1, 3, 0, 0, 0], s.ToDense());
        _device.EncodeThreshold(x, weights, null, null, s);
        Assert.Equal([2, 1, 3, 0, 0, 0], s.ToDense());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gemm_equals_the_float64_loop(int m, int k, int n)
    {
        foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            var (a, left) = transposeA ? Dense(k, m) : Dense(m, k);
            var (b, right) = transposeB ? Dense(n, k) : Dense(k, n);
            var (c, result) = Dense(m, n);
            var (bias, biasTensor) = Dense(1, n);
            double Product(int i, int j) => Sum(
                k, p => (double)(transposeA ? a[(p * m) + i] : a[(i * k) + p]) * (transposeB ? b[(j * k) + p] : b[(p * n) + j]));
            _device.Gemm(transposeA, transposeB, 0.5f, left, right, 2, result);
            Near(m * n, i => (0.5 * Product(i / n, i % n)) + (2 * c[i]), result.ToArray());
            result.Set(Enumerable.Repeat(float.NaN, m * n).ToArray());
            _device.Gemm(transposeA, transposeB, 1, left, right, 0, result, biasTensor, relu: true);
            Near(m * n, i => Math.Max(0, Product(i / n, i % n) + bias[i % n]), result.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(WideSizes))]
    public void Row_kernels_equal_the_float64_loops(int b, int d, int m)
    {
        var (x, input) = Dense(b, d);
        if (b > 2)
        {
            Array.Clear(x, d, d);
            input.Set(x);
        }

        double[] means = [.. Enumerable.Range(0, b).Select(i => Sum(d, j => x[(i * d) + j]) / d)];
        double[] deviations =
            [.. means.Select((mean, i) => d < 2 ? 0 : Math.Sqrt(Sum(d, j => Math.Pow(x[(i * d) + j] - mean, 2)) / (d - 1)))];
        using var normalized = _device.Tensor(0, 0);
        using var mean = _device.Tensor(0, 0);
        using var deviation = _device.Tensor(0, 0);
        _device.LayerNorm(input, normalized, mean, deviation);
        Near(b * d, i => (x[i] - means[i / d]) / (deviations[i / d] + 1e-5f), normalized.ToArray(), 1e-4);
        Near(b, i => means[i], mean.ToArray());
        Near(b, i => deviations[i], deviation.ToArray());

        var (scale, scaleTensor) = Dense(1, b);
        var (shift, shiftTensor) = Dense(1, b);
        using var result = _device.Tensor(0, 0);
        _device.ScaleRows(input, scaleTensor, shiftTensor, result);
        Near(b * d, i => (x[i] * scale[i / d]) + shift[i / d], result.ToArray());
        _device.ScaleRows(input, scaleTensor, null, result);
        Near(b * d, i => x[i] * scale[i / d], result.ToArray());

        var (row, rowTensor) = Dense(1, d);
        _device.AddRow(input, -2, rowTensor, result);
        Near(b * d, i => x[i] - (2 * row[i % d]), result.ToArray());
        var (y, other) = Dense(b, d);
        _device.LinearCombination(2, input, -3, other, result);
        Near(b * d, i => (2 * x[i]) - (3 * y[i]), result.ToArray());

        var (start, sums) = Dense(1, d);
        _device.SumColumns(0.5f, input, sums);
        Near(d, j => start[j] + (0.5 * Sum(b, i => x[(i * d) + j])), sums.ToArray());
        var (weights, weightsTensor) = Dense(1, b);
        sums.Set(start);
        _device.AddVectorMatrixProduct(-1, weightsTensor, input, sums);
        Near(d, j => start[j] - Sum(b, i => weights[i] * x[(i * d) + j]), sums.ToArray());

        using var norms = _device.Allocate<double>(0);
        using var directions = _device.Allocate<double>(d);
        double Norm(int i) => Math.Max(Math.Sqrt(Sum(d, j => (double)x[(i * d) + j] * x[(i * d) + j])), 1e-8);
        _device.RowNorms(input, norms);
        Near(b, Norm, norms.ToArray(), 1e-12);
        _device.SumUnitRows(input, norms, directions);
        Near(d, j => Sum(b, i => x[(i * d) + j] / Norm(i)), directions.ToArray(), 1e-12);

        using var list = _device.Allocate<int>(2);
        list.CopyFrom([b - 1, 0]);
        _device.GatherRows(input, list, result);
        Near(2 * d, i => x[(i < d ? (b - 1) * d : 0) + (i % d)], result.ToArray());
        _device.GatherElements(scaleTensor, list, result);
        Near(2, i => scale[i == 0 ? b - 1 : 0], result.ToArray());
        _device.NormalizeRows(input);
        Near(b * d, i => Norm(i / d) > 1e-8 ? x[i] / Norm(i / d) : 0, input.ToArray());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(WideSizes))]
    public void Squared_errors_and_their_gradients_equal_the_float64_loops(int b, int d, int m)
    {
        var (r, left) = Dense(b, d);
        var (t, right) = Dense(b, d);
        if (b > 2)
        {
            // A target of zeros does not count.
            Array.Clear(t, 0, d);
            right.Set(t);
        }

        using var result = _device.Allocate<double>(1);
        foreach (var relative in new[] { false, true })
        {
            double Weight(int i)
            {
                var squares = Sum(d, j => (double)t[(i * d) + j] * t[(i * d) + j]);
                return !relative ? 0.25 : squares > 0 ? 0.25 / squares : 0;
            }

            _device.SquaredError(left, right, 0.25, relative, result);
            Near(1, _ => Sum(b * d, i => Weight(i / d) * Math.Pow((double)r[i] - t[i], 2)), result.ToArray());
            var (start, gradient) = Dense(b, d);
            _device.SquaredErrorGradient(left, right, 0.25, relative, 3, gradient);
            Near(b * d, i => start[i] + (3 * Weight(i / d) * 2 * ((double)r[i] - t[i])), gradient.ToArray());
        }

        using var sums = _device.Allocate<double>(3 * d);
        _device.AccumulateColumnErrors(left, right, sums);
        _device.AccumulateColumnErrors(left, right, sums);
        Near(
            3 * d,
            i => 2 * Sum(b, row =>
            {
                double value = r[(row * d) + (i % d)], error = value - t[(row * d) + (i % d)];
                return i < d ? value : i < 2 * d ? value * value : error * error;
            }),
            sums.ToArray());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dead_latents_are_counted_and_listed(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m);
        _device.BuildColumnIndex(s);
        using var counters = _device.Allocate<int>(m);
        using var list = _device.Allocate<int>(0);
        var expected = new int[m];
        for (var round = 0; round < 3; round++)
        {
            _device.UpdateStepsSinceFired(s, counters, round);
            for (var column = 0; column < m; column++)
            {
                expected[column] = Enumerable.Range(0, b).Any(row => z[(row * m) + column] > 0) ? round : expected[column] + 1;
            }
        }

        Assert.Equal(expected, counters.ToArray());
        var dead = Enumerable.Range(0, m).Where(column => expected[column] >= 3).ToArray();
        Assert.Equal(dead.Length, _device.FindDead(counters, 3, list));
        Assert.Equal(dead, list.ToArray());
        using var count = _device.Scalars(2);
        _device.CountDead(counters, 3, count.ToWrite());
        Assert.Equal(dead.Length, count.Read(0));
        list.Resize(m);
        list.CopyFrom(Enumerable.Range(0, m).Select(column => (2 * column) + 1).ToArray());
        _device.RemapColumns(s, list, 2 * m);
        Assert.Equal(z, s.ToDense().Where((_, i) => i % 2 == 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(5)]
    public void FindDead_lists_many_latents_in_order(int least)
    {
        var steps = Enumerable.Range(0, 3001).Select(_ => _random.Next(5)).ToArray();
        using var counters = _device.Allocate<int>(steps.Length);
        counters.CopyFrom(steps);
        using var list = _device.Allocate<int>(0);
        var expected = Enumerable.Range(0, steps.Length).Where(m => steps[m] >= least).ToArray();
        Assert.Equal(expected.Length, _device.FindDead(counters, least, list));
        Assert.Equal(expected, list.ToArray());
        using var count = _device.Scalars(1);
        _device.CountDead(counters, least, count.ToWrite());
        Assert.Equal(expected.Length, count.Read(0));
    }

    /// <summary>
    /// Right after an encoding, whose selection may have to start again: the third batch has much smaller values than the second.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FindDead_after_an_encoding_lists_what_did_not_fire(bool wholeBatch)
    {
        const int Rows = 9, Features = 8, Latents = 36, K = 3, Least = 2;
        using var s = _device.CsrMatrix();
        using var counters = _device.Allocate<int>(Latents);
        using var list = _device.Allocate<int>(0);
        var (_, weights) = Dense(Latents, Features);
        var (values, x) = Dense(Rows, Features);
        var expected = new int[Latents];
        foreach (var scale in new[] { 1f, 1f, 1e-3f, 1f, -1f })
        {
            x.Set([.. values.Select(value => scale * value)]);
            if (wholeBatch)
            {
                _device.EncodeBatchTopK(x, weights, null, K, s);
            }
            else
            {
                _device.EncodeTopK(x, weights, null, K, s);
            }

            var count = _device.FindDead(s, counters, fired: 0, Least, list);
            var z = s.ToDense();
            for (var m = 0; m < Latents; m++)
            {
                expected[m] = Enumerable.Range(0, Rows).Any(row => z[(row * Latents) + m] > 0) ? 0 : expected[m] + 1;
            }

            Assert.Equal(z.Count(value => value > 0), s.NonzeroCount);
            Assert.Equal(s.NonzeroCount, s.Values.Length);
            Assert.Equal(s.NonzeroCount, s.EntryOf.Length);
            Assert.Equal(expected, counters.ToArray());
            Assert.Equal(Enumerable.Range(0, Latents).Where(m => expected[m] >= Least), list.ToArray());
            Assert.Equal(list.Length, count);
        }
    }

    [Fact]
    public void ScatterRows_writes_the_listed_rows()
    {
        foreach (var d in new[] { 8, 5 })
        {
            var (rows, source) = Dense(3, d);
            var (before, matrix) = Dense(40, d);
            using var list = _device.Allocate<int>(3);
            int[] numbers = [31, 0, 7];
            list.CopyFrom(numbers);
            _device.ScatterRows(source, list, matrix);
            for (var i = 0; i < numbers.Length; i++)
            {
                rows.AsSpan(i * d, d).CopyTo(before.AsSpan(numbers[i] * d, d));
            }

            Assert.Equal(before, matrix.ToArray());
        }
    }

    [Theory]
    [InlineData(16, 2.0000005, 0.5)]
    [InlineData(16, 5, 1)]
    [InlineData(0, 0, 0)]
    [InlineData(16, double.PositiveInfinity, 1)]
    [InlineData(double.NaN, 1, double.NaN)]
    public void ClipFactor_is_that_of_PyTorch(double sumOfSquares, double maxNorm, double expected)
    {
        using var squares = _device.Scalars(1);
        using var factor = _device.Allocate<float>(1);
        squares.ToWrite().CopyFrom([sumOfSquares]);
        _device.ClipFactor(squares.Array, maxNorm, factor);
        Assert.Equal((float)expected, factor.ToArray()[0]);
    }

    [Fact]
    public void Sums_over_many_values_equal_the_float64_loops()
    {
        var values = Enumerable.Range(0, 30_001).Select(_ => _random.NextDouble() - 0.5).ToArray();
        using var array = _device.Allocate<double>(values.Length);
        array.CopyFrom(values);
        using var result = _device.Allocate<double>(1);
        _device.AddSum(array, result);
        Near(1, _ => values.Sum(), result.ToArray(), 1e-12);

        var (x, tensor) = Dense(203, 301);
        result.Clear();
        _device.AddSumSquares(tensor, result);
        Near(1, _ => x.Sum(value => (double)value * value), result.ToArray(), 1e-12);
        var (start, sums) = Dense(1, 301);
        _device.SumColumns(2, tensor, sums);
        Near(301, j => start[j] + (2 * Sum(203, i => x[(i * 301) + j])), sums.ToArray());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(WideSizes))]
    public void Adam_equals_the_float64_loop(int b, int d, int m)
    {
        using var scale = _device.Allocate<float>(1);
        scale.CopyFrom([0.5f]);
        foreach (var (unit, project, decay) in new[]
        {
            (false, false, 0.0), (true, false, 0), (true, true, 0), (false, false, 0.3), (true, true, 0.3),
        })
        {
            var (p, parameter) = Dense(b, d);
            var (g, gradient) = Dense(b, d);
            using var first = _device.Tensor(b, d);
            using var second = _device.Tensor(b, d);
            var expected = p.Select(value => (double)value).ToArray();
            double[] m1 = new double[b * d], m2 = new double[b * d];
            for (var step = 1; step <= 3; step++)
            {
                var settings = new AdamStep(step, 0.01f, 0.9f, 0.999f, 1e-8f, (float)decay, unit, project);
                _device.Adam(parameter, gradient, first, second, settings, scale);
                for (var i = 0; i < b; i++)
                {
                    var norm = unit ? Math.Sqrt(Sum(d, j => expected[(i * d) + j] * expected[(i * d) + j])) : 1;
                    for (var j = 0; j < d; j++)
                    {
                        expected[(i * d) + j] /= norm;
                    }

                    var along = project ? Sum(d, j => g[(i * d) + j] * expected[(i * d) + j]) : 0;
                    for (var at = i * d; at < (i + 1) * d; at++)
                    {
                        var clipped = 0.5 * (g[at] - (along * expected[at]));
                        m1[at] = (0.9 * m1[at]) + (0.1 * clipped);
                        m2[at] = (0.999 * m2[at]) + (0.001 * clipped * clipped);
                        // A gradient that projection cancels is only rounding error, which Adam turns into a full step.
                        expected[at] = Math.Abs(clipped) < 1e-6
                            ? parameter.ToArray()[at]
                            : (expected[at] * (1 - (0.01 * decay)))
                                - (0.01 / (1 - Math.Pow(0.9, step)) * m1[at] / (Math.Sqrt(m2[at] / (1 - Math.Pow(0.999, step))) + 1e-8));
                    }
                }
            }

            Near(b * d, i => expected[i], parameter.ToArray(), 2e-4);
        }

        var (x, tensor) = Dense(b, d);
        using var squares = _device.Allocate<double>(1);
        squares.CopyFrom([1.0]);
        _device.AddSumSquares(tensor, squares);
        Near(1, _ => 1 + Sum(b * d, i => (double)x[i] * x[i]), squares.ToArray());
        using var values = _device.Allocate<double>(3);
        values.CopyFrom([1.5, 2, -1]);
        squares.CopyFrom([1.0]);
        _device.AddSum(values, squares);
        Assert.Equal(3.5, squares.ToArray()[0]);
    }

    [Fact]
    public void Moments_of_dead_latents_do_not_become_denormal()
    {
        using var parameter = _device.Tensor(1, 40);
        using var gradient = _device.Tensor(1, 40);
        using var first = _device.Tensor(1, 40);
        using var second = _device.Tensor(1, 40);
        first.Set(Enumerable.Repeat(1.2e-38f, 40).ToArray());
        second.Set(Enumerable.Repeat(1.1755e-38f, 40).ToArray());
        _device.Adam(parameter, gradient, first, second, new AdamStep(5, 0.01f, 0.9f, 0.999f, 1e-8f, 0, false, false));
        Assert.All(first.ToArray(), value => Assert.Equal(0, value));
        Assert.All(second.ToArray(), value => Assert.Equal(0, value));
    }

    /// <summary>Compares the fused backward pass with the kernels that it combines.</summary>
    [Theory]
    [MemberData(nameof(MiddleSizes))]
    [MemberData(nameof(OtherSizes), Traits = new[] { "Simulation", "Hours" })]
    [MemberData(nameof(DenseSizes), Traits = new[] { "Simulation", "Hours" })]
    public void FusedLatentBackward_equals_its_parts(int b, int d, int m) => CheckBackwardLatents(b, d, m, oneIn: 4);

    /// <summary>Few enough active latents that each is processed separately, with one that is active in every row.</summary>
    [Theory]
    [MemberData(nameof(MiddleSizes))]
    [MemberData(nameof(OtherSizes), Traits = new[] { "Simulation", "Hours" })]
    [InlineData(300, 7, 1, Traits = new[] { "Simulation", "Hours" })]
    [InlineData(270, 1100, 5, Traits = new[] { "Simulation", "Hours" })]
    [InlineData(20, 301, 40, Traits = new[] { "Simulation", "Hours" })]
    public void FusedLatentBackward_of_few_nonzeros_equals_its_parts(int b, int d, int m) => CheckBackwardLatents(b, d, m + 30, oneIn: 30);

    /// <summary>MonoScore of a batch, and of a dataset in parts, against the sum over pairs.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void MonoScores_equal_the_sum_over_pairs(int b, int d, int m) => CheckMonoScores(b, d, m, oneIn: 4);

    /// <summary>Few active latents beside one that is active in every row, which a GPU divides among groups.</summary>
    [Theory]
    [InlineData(300, 8, 31)]
    public void MonoScores_of_few_nonzeros_equal_the_sum_over_pairs(int b, int d, int m) => CheckMonoScores(b, d, m, oneIn: 30);

    /// <summary>The gradient of a dataset's scores, batch by batch, against finite differences of the sum over pairs.</summary>
    [Theory]
    [InlineData(37, 12, 7, 4)]
    [InlineData(50, 19, 23, 4)]
    [InlineData(300, 8, 31, 30)]
    public void Dataset_gradient_equals_finite_differences_of_the_scores(int b, int d, int m, int oneIn)
    {
        const double Factor = -0.7, Step = 1e-6;
        // Without ties, at which a score has no gradient.
        var z = Sparse(b, m, oneIn).Values.Select((value, i) => value * (1 + (1e-4f * i / m))).ToArray();
        var (x, _) = Dense(b, d);
        using var norms = _device.Allocate<double>(0);
        using var sums = new MonoScoreSums(_device, m, d);
        using var scores = _device.Allocate<double>(m);
        var half = b / 3;
        (CsrMatrix Latents, Tensor X, int First)[] parts =
        [
            .. new[] { (0, half), (half, b - half) }.Select(part => (
                _device.CsrMatrix().Set(z.AsSpan(part.Item1 * m, part.Item2 * m), part.Item2, m),
                _device.Tensor(part.Item2, d).Set(x.AsSpan(part.Item1 * d, part.Item2 * d)),
                part.Item1)),
        ];
        foreach (var part in parts)
        {
            _device.RowNorms(part.X, norms);
            _device.BuildColumnIndex(part.Latents);
            _device.AccumulateMonoScore(part.Latents, part.X, norms, sums);
        }

        _device.FinishMonoScore(sums, scores);
        foreach (var part in parts)
        {
            var start = FillGradient(part.Latents);
            _device.RowNorms(part.X, norms);
            _device.AddDatasetMonoGradient(part.Latents, part.X, norms, sums, scores, Factor);
            var gradient = part.Latents.GradientToDense();
            foreach (var i in Enumerable.Range(0, gradient.Length).Where(i => z[(part.First * m) + i] != 0).Where((_, i) => i % 5 == 0))
            {
                var column = NaiveMono.Column(z, i % m, b, m);
                double Score(double step)
                {
                    column[part.First + (i / m)] += step;
                    return NaiveMono.Score(column, x, b, d, 1e-12);
                }

                var expected = scores.ToArray()[i % m] == 0 ? 0 : Factor * (Score(Step) - Score(-2 * Step)) / (2 * Step);
                Assert.InRange(gradient[i] - start[i] - expected, -1e-4, 1e-4);
            }

            part.Latents.Dispose();
            part.X.Dispose();
        }
    }

    [Fact]
    public void JumpReLU_keeps_pre_activations_within_the_band()
    {
        // θ = 1, h = 0.5: the band is 0.75 … 1.25.
        using var x = _device.Tensor(1, 1).Set([1]);
        using var weights = _device.Tensor(5, 1).Set([0.5f, 0.8f, 1, 1.2f, 2]);
        using var bias = _device.Tensor(1, 5);
        using var logThreshold = _device.Tensor(1, 5);
        using var bounds = _device.Tensor(0, 0);
        using var pre = _device.Allocate<float>(0);
        using var s = _device.CsrMatrix();
        _device.JumpReLUBounds(logThreshold, 0.5f, bounds);
        _device.EncodeThreshold(x, weights, bias, bounds, s);
        _device.JumpReLU(s, x, weights, bias, logThreshold, 0.5f, pre);
        Assert.Equal([0.8f, 1, 1.2f, 2], pre.ToArray());
        Assert.Equal([0, 0, 1.2f, 2], s.Values.ToArray());
        s.Gradient.CopyFrom([1, 2, 4, 8]);
        _device.BuildColumnIndex(s);
        using var gradient = _device.Tensor(1, 5);
        _device.JumpReLUGradient(s, pre, logThreshold, 0.5f, 10, gradient);
        Assert.Equal([0, 0, 4, 8], s.Gradient.ToArray());
        // −(θ/h)·∂z within the band, and −(1/h)·10 where z itself is.
        Near(5, i => new double[] { 0, -2, -4, -8 - 20, 0 }[i], gradient.ToArray());
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void JumpReLUGradient_equals_the_straight_through_formula(int b, int d, int m)
    {
        var (z, s) = Sparse(b, m);
        const float Bandwidth = 0.5f;
        using var logThreshold = _device.Tensor(1, m).Set([.. Enumerable.Range(0, m).Select(j => (j % 5) - 2.5f)]);
        // A latent is off where its pre-activation is not above the threshold.
        double Threshold(int i) => Math.Exp((i % m % 5) - 2.5);
        var off = s.Values.ToArray().Zip(s.Indices.ToArray(), (value, column) => value > Threshold(column) ? value : 0).ToArray();
        using var pre = _device.Allocate<float>(s.NonzeroCount);
        pre.CopyFrom(s.Values.ToArray());
        s.Values.CopyFrom(off);
        var start = FillGradient(s);
        var (gradientStart, gradient) = Dense(1, m);
        _device.BuildColumnIndex(s);
        _device.JumpReLUGradient(s, pre, logThreshold, Bandwidth, 3, gradient);
        Near(b * m, i => z[i] > Threshold(i) ? start[i] : 0, s.GradientToDense());
        Near(
            m,
            j => gradientStart[j] - (Sum(b, row =>
            {
                var (i, threshold) = ((row * m) + j, Threshold(j));
                var inBand = z[i] != 0 && Math.Abs(z[i] - threshold) < Bandwidth / 2;
                // A latent that is off is 0, which a small threshold's band may reach.
                var value = z[i] > threshold ? z[i] : 0;
                return (inBand ? threshold * start[i] : 0) + (z[i] != 0 && Math.Abs(value - threshold) < Bandwidth / 2 ? 3 : 0);
            }) / Bandwidth),
            gradient.ToArray());
    }

    /// <summary>Magnitudes behind gates, listed and as an encoder leaves them, and their gradient.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    [MemberData(nameof(DenseSizes))]
    public void Gate_and_its_gradient_equal_the_float64_loop(int b, int d, int m)
    {
        foreach (var encoded in new[] { false, true })
        {
            var (opening, gate) = Sparse(b, m, encoded ? 2 : 4 + (d % 2));
            gate = encoded ? Encoded(opening, b, m) : gate;
            var (scale, scaleTensor) = Dense(1, m);
            var (gateBias, gateBiasTensor) = Dense(1, m);
            var (magBias, magBiasTensor) = Dense(1, m);
            var z = Hold(_device.CsrMatrix());
            _device.Gate(gate, scaleTensor, gateBiasTensor, magBiasTensor, z);
            double Product(int i) => Math.Exp(scale[i % m]) * (opening[i] - gateBias[i % m]);
            double Value(int i) => opening[i] > 0 ? Math.Max(0, Product(i) + magBias[i % m]) : 0;
            using var counts = _device.Allocate<double>(2);
            _device.SumAndCountPositive(z, counts);
            Near(b * m, Value, z.ToDense());
            Near(2, i => Sum(b * m, j => i == 0 ? Value(j) > 0 ? 1 : 0 : Value(j)), counts.ToArray());
            // An entry for every gate that is open.
            Assert.Equal(gate.Indices.ToArray(), z.Indices.ToArray());
            Assert.Equal(gate.RowOffsets.ToArray(), z.RowOffsets.ToArray());

            var (dz, start) = (FillGradient(z), FillGradient(gate));
            var (scaleStart, scaleGradient) = Dense(1, m);
            var (gateBiasStart, gateBiasGradient) = Dense(1, m);
            var (magBiasStart, magBiasGradient) = Dense(1, m);
            _device.BuildColumnIndex(z);
            _device.GateGradient(z, gate, scaleTensor, magBiasTensor, scaleGradient, gateBiasGradient, magBiasGradient);
            double Gradient(int i) => Value(i) > 0 ? dz[i] : 0;
            Near(b * m, i => start[i] + (Math.Exp(scale[i % m]) * Gradient(i)), gate.GradientToDense());
            Near(m, i => magBiasStart[i] + Sum(b, row => Gradient((row * m) + i)), magBiasGradient.ToArray());
            Near(m, i => scaleStart[i] + Sum(b, row => Gradient((row * m) + i) * Product((row * m) + i)), scaleGradient.ToArray());
            Near(
                m,
                i => gateBiasStart[i] - Sum(b, row => Math.Exp(scale[i]) * Gradient((row * m) + i)),
                gateBiasGradient.ToArray());
        }
    }

    /// <summary>Pre-activations so close to an edge that float32 rounding may have put them on either side.</summary>
    [Fact]
    public void JumpReLU_is_exact_at_an_edge()
    {
        const int B = 20, D = 130, M = 40;
        var (x, input) = Dense(B, D);
        var (w, weights) = Dense(M, D);
        var (bias, biasTensor) = Dense(1, M);
        double Exact(int i) => bias[i % M] + Sum(D, j => (double)x[((i / M) * D) + j] * w[((i % M) * D) + j]);
        var given = Enumerable.Range(0, B * M).Select(i => (float)Math.Max(0, Exact(i) + 8e-7)).ToArray();
        // For some latents one row's pre-activation equals the threshold, for others an end of the band.
        double AtEdge(int m) => Math.Max(0.5, Exact((m % B * M) + m));
        using var logThreshold = _device.Tensor(1, M).Set(
            [.. Enumerable.Range(0, M).Select(m => (float)Math.Log(AtEdge(m) + (m % 3 == 0 ? 0 : m % 3 == 1 ? 0.1 : -0.1)))]);
        var thresholds = logThreshold.ToArray().Select(value => (float)Math.Exp(value)).ToArray();
        using var s = _device.CsrMatrix().Set(given, B, M);
        using var pre = _device.Allocate<float>(0);
        _device.JumpReLU(s, input, weights, biasTensor, logThreshold, 0.2f, pre);
        bool IsNear(int i)
        {
            var distance = Math.Abs(given[i] - thresholds[i % M]);
            return Math.Min(distance, Math.Abs(distance - 0.1)) < 1e-6 * (1 + thresholds[i % M]);
        }

        Assert.InRange(Enumerable.Range(0, B * M).Count(i => given[i] > 0 && IsNear(i)), 5, 2 * M);
        var values = s.ToDense();
        s.Values.CopyFrom(pre.ToArray());
        Near(B * M, i => given[i] == 0 ? 0 : IsNear(i) ? Exact(i) : given[i], s.ToDense(), 1e-7);
        var formed = s.ToDense();
        Assert.All(Enumerable.Range(0, B * M), i => Assert.True(
            values[i] == (formed[i] > thresholds[i % M] ? formed[i] : 0) || Math.Abs(formed[i] - thresholds[i % M]) < 1e-6));
    }

    private void CheckBackwardLatents(int b, int d, int m, int oneIn)
    {
        // The larger the sums, the more their order matters.
        var tolerance = 1e-4 * Math.Max(1, d / 200.0);
        foreach (var (encoded, mono, jump, center, tied, add, grouped, gated) in new[]
        {
            (false, true, false, true, false, false, false, false),
            (false, true, true, false, false, true, false, false),
            (false, false, false, true, true, false, false, false),
            (false, true, false, true, true, true, false, false),
            (true, true, false, true, false, false, false, false),
            (true, false, false, false, true, false, false, false),
            (false, true, false, true, false, false, true, false),
            (true, false, false, true, false, false, true, false),
            (false, true, false, true, false, false, false, true),
            (false, true, false, true, false, true, false, true),
            (true, true, false, true, false, false, false, true),
        })
        {
            var ends = grouped ? GroupEnds(m, 0) : null;
            var (z, s) = Sparse(b, m, encoded ? 2 : oneIn);
            s = encoded ? Encoded(z, b, m) : s;
            var gate = s;
            var (_, scale) = Dense(1, m);
            var (_, gateBias) = Dense(1, m);
            var (_, magBias) = Dense(1, m);
            var (_, gateG) = Dense(b, d);
            if (gated)
            {
                s = Hold(_device.CsrMatrix());
                _device.Gate(gate, scale, gateBias, magBias, s);
            }

            var (_, x) = Dense(b, d);
            var (_, g) = Dense(b * (int)(ends?.Length ?? 1), d);
            var (_, encoder) = Dense(m, d);
            var (_, decoder) = Dense(m, d);
            var (_, centerTensor) = Dense(1, d);
            var (_, logThreshold) = Dense(1, m);
            using var pre = _device.Allocate<float>(0);
            if (jump)
            {
                pre.Resize(s.NonzeroCount);
                pre.CopyFrom(s.Values.ToArray().Select(value => value + 0.01f).ToArray());
            }

            using var norms = _device.Allocate<double>(0);
            using var directions = _device.Allocate<double>(d);
            _device.RowNorms(x, norms);
            _device.SumUnitRows(x, norms, directions);
            _device.BuildColumnIndex(s);
            var start = add ? FillGradient(s) : [];
            var gateStart = add && gated ? FillGradient(gate) : [];
            using var scaleGradient = _device.Tensor(1, m);
            using var magBiasGradient = _device.Tensor(1, m);
            var (encoderStart, encoderGradient) = Dense(m, d);
            var (decoderStart, ownDecoderGradient) = Dense(m, d);
            var decoderGradient = tied ? encoderGradient : ownDecoderGradient;
            using var bias = _device.Tensor(1, m);
            using var centerGradient = _device.Tensor(1, d);
            using var thresholdGradient = _device.Tensor(1, m);
            using var scores = _device.Tensor(1, m);
            using var result = _device.Allocate<double>(2);
            using var squares = _device.Allocate<double>(m);
            _device.FusedLatentBackward(new FusedBackwardArgs
            {
                Latents = s,
                AddToLatentGradient = add,
                DecodedGradient = g,
                GroupEnds = ends,
                Decoder = decoder,
                DecoderGradient = decoderGradient,
                AddToDecoderGradient = add,
                PositiveAmount = 0.1f,
                Mono = mono
                    ? new MonoLossInputs { X = x, Norms = norms, UnitRowSum = directions, Factor = 0.7, Scores = scores, Result = result }
                    : default,
                JumpReLU = jump
                    ? new JumpReLUTerm
                    {
                        Pre = pre,
                        LogThreshold = logThreshold,
                        Bandwidth = 0.8f,
                        L0Factor = 0.3,
                        Gradient = thresholdGradient,
                    }
                    : default,
                Gate = gated
                    ? new GateTerm
                    {
                        Gate = gate,
                        AddToGateGradient = add,
                        DecodedGradient = gateG,
                        Decoder = decoder,
                        PositiveAmount = 0.2f,
                        Scale = scale,
                        MagBias = magBias,
                        ScaleGradient = scaleGradient,
                        MagBiasGradient = magBiasGradient,
                    }
                    : default,
                Input = x,
                Center = center ? centerTensor : null,
                Encoder = encoder,
                EncoderGradient = encoderGradient,
                AddToEncoderGradient = add,
                EncoderGradientSquares = squares,
                BiasGradient = bias,
                CenterGradient = center ? centerGradient : null,
            });
            var actual = (Z: encoded ? null : s.GradientToDense(), Encoder: encoderGradient.ToArray(), Decoder: decoderGradient.ToArray());

            // The parts, one after another.
            if (add)
            {
                s.Gradient.CopyFrom(Compress(s, start));
            }
            else
            {
                s.Gradient.Clear();
            }

            _device.SDDMM(s, g, decoder, ends);
            _device.AddToGradientWherePositive(s, 0.1f);
            if (mono)
            {
                using var expectedScores = _device.Tensor(0, 0);
                using var scoreGradient = _device.Allocate<float>(0);
                using var expectedResult = _device.Allocate<double>(2);
                _device.MonoScores(s, x, norms, directions, expectedScores, scoreGradient, expectedResult);
                _device.AddMonoGradient(s, scoreGradient, expectedResult, 0.7);
                var expected = expectedScores.ToArray();
                Near(m, i => expected[i], scores.ToArray());
                Assert.Equal(expectedResult.ToArray()[1], result.ToArray()[1]);
                Assert.Equal(expectedResult.ToArray()[1], _device.CountMonoActive(s, norms));
            }

            if (jump)
            {
                using var expectedThreshold = _device.Tensor(1, m);
                _device.JumpReLUGradient(s, pre, logThreshold, 0.8f, 0.3, expectedThreshold);
                var expected = expectedThreshold.ToArray();
                Near(m, i => expected[i], thresholdGradient.ToArray(), tolerance);
            }

            using var gateBiasGradient = _device.Tensor(1, m);
            if (gated)
            {
                using var expectedScale = _device.Tensor(1, m);
                using var expectedMagBias = _device.Tensor(1, m);
                gate.Gradient.CopyFrom(add ? Compress(gate, gateStart) : new float[gate.NonzeroCount]);
                _device.SDDMM(gate, gateG, decoder);
                _device.AddToGradientWherePositive(gate, 0.2f);
                _device.BuildColumnIndex(gate);
                _device.SumGradientColumns(gate, gateBiasGradient);
                using var ignored = _device.Tensor(1, m);
                _device.GateGradient(s, gate, scale, magBias, expectedScale, ignored, expectedMagBias);
                var (scales, biases) = (expectedScale.ToArray(), expectedMagBias.ToArray());
                Near(m, i => scales[i], scaleGradient.ToArray(), tolerance);
                Near(m, i => biases[i], magBiasGradient.ToArray(), tolerance);
            }

            var pi = gated ? gate : s;
            var gradient = pi.GradientToDense();
            if (actual.Z is not null)
            {
                Near(b * m, i => gradient[i], actual.Z, tolerance);
            }

            using var centered = _device.Tensor(0, 0);
            _device.AddRow(x, center ? -1 : 0, centerTensor, centered);
            using var dW = _device.Tensor(m, d);
            dW.Set(add ? encoderStart : new float[m * d]);
            _device.SpMMTransposed(pi, useGradient: true, centered, dW);
            using var dWdec = _device.Tensor(m, d);
            dWdec.Set(add && !tied ? decoderStart : new float[m * d]);
            _device.SpMMTransposed(s, useGradient: false, g, dWdec, ends);
            var (expectedEncoder, expectedDecoder) = (dW.ToArray(), dWdec.ToArray());
            if (tied)
            {
                expectedEncoder = expectedDecoder = expectedEncoder.Zip(expectedDecoder, (left, right) => left + right).ToArray();
            }

            Near(m * d, i => expectedEncoder[i], actual.Encoder, tolerance);
            Near(m * d, i => expectedDecoder[i], actual.Decoder, tolerance);
            Near(m, i => Sum(d, j => Math.Pow(actual.Encoder[(i * d) + j], 2)), squares.ToArray());
            var (sums, w) = (Enumerable.Range(0, m).Select(i => Sum(b, row => gradient[(row * m) + i])).ToArray(), encoder.ToArray());
            var biasSums = gated ? Array.ConvertAll(gateBiasGradient.ToArray(), sum => (double)sum) : sums;
            Near(m, i => biasSums[i], bias.ToArray(), tolerance);
            if (center)
            {
                Near(d, j => -Sum(m, i => sums[i] * w[(i * d) + j]), centerGradient.ToArray(), tolerance);
            }
        }
    }

    private void CheckMonoScores(int b, int d, int m, int oneIn)
    {
        var (z, s) = Sparse(b, m, oneIn);
        var (x, input) = Dense(b, d);
        using var norms = _device.Allocate<double>(0);
        using var directions = _device.Allocate<double>(d);
        _device.RowNorms(input, norms);
        _device.SumUnitRows(input, norms, directions);
        _device.BuildColumnIndex(s);
        using var scores = _device.Tensor(0, 0);
        using var scoreGradient = _device.Allocate<float>(0);
        using var result = _device.Allocate<double>(2);
        _device.MonoScores(s, input, norms, directions, scores, scoreGradient, result);
        Near(m, i => NaiveMono.Score(NaiveMono.Column(z, i, b, m), x, b, d, 1e-8), scores.ToArray());

        using var sums = new MonoScoreSums(_device, m, d);
        using var datasetScores = _device.Allocate<double>(m);
        var half = b / 2;
        foreach (var (first, rows) in new[] { (0, half), (half, b - half) })
        {
            using var part = _device.CsrMatrix().Set(z.AsSpan(first * m, rows * m), rows, m);
            using var partX = _device.Tensor(rows, d).Set(x.AsSpan(first * d, rows * d));
            _device.RowNorms(partX, norms);
            _device.BuildColumnIndex(part);
            _device.AccumulateMonoScore(part, partX, norms, sums);
        }

        _device.FinishMonoScore(sums, datasetScores);
        Near(m, i => NaiveMono.Score(NaiveMono.Column(z, i, b, m), x, b, d, 1e-12), datasetScores.ToArray(), 1e-6);
    }

    private void CheckSpMM(int b, int d, int m, int oneIn)
    {
        var (z, s) = Sparse(b, m, oneIn);
        var (w, weights) = Dense(m, d);
        var (bias, biasTensor) = Dense(1, d);
        using var result = _device.Tensor(0, 0);
        _device.SpMM(s, weights, biasTensor, result);
        Near(b * d, (i) => bias[i % d] + Sum(m, j => z[((i / d) * m) + j] * w[(j * d) + (i % d)]), result.ToArray());
        _device.SpMM(s, weights, null, result);
        Near(b * d, (i) => Sum(m, j => z[((i / d) * m) + j] * w[(j * d) + (i % d)]), result.ToArray());
    }

    /// <summary>Ends of groups of m latents: the second one empty; all latents in the last one; all in one of one.</summary>
    private DeviceArray<int> GroupEnds(int m, int kind)
    {
        int[] ends = kind switch { 0 => [m / 3, m / 3, (2 * m) / 3, m], 1 => [0, m], _ => [m] };
        var array = Hold(_device.Allocate<int>(ends.Length));
        array.CopyFrom(ends);
        return array;
    }

    private static double Sum(int n, Func<int, double> term)
    {
        var sum = 0.0;
        for (var i = 0; i < n; i++)
        {
            sum += term(i);
        }

        return sum;
    }

    private static float[] Compress(CsrMatrix s, float[] dense)
    {
        var (offsets, indices) = (s.RowOffsets.ToArray(), s.Indices.ToArray());
        return [.. Enumerable.Range(0, s.Rows).SelectMany(
            row => indices[offsets[row]..offsets[row + 1]].Select(column => dense[(row * s.Columns) + column]))];
    }

    private static void Near(int count, Func<int, double> expected, float[] actual, double tolerance = 1e-5) =>
        Near(count, expected, Array.ConvertAll(actual, value => (double)value), tolerance);

    private static void Near(int count, Func<int, double> expected, double[] actual, double tolerance = 1e-5)
    {
        Assert.Equal(count, actual.Length);
        for (var i = 0; i < count; i++)
        {
            var value = expected(i);
            Assert.True(Math.Abs(value - actual[i]) <= tolerance * (1 + Math.Abs(value)), $"element {i}: {actual[i]} is not {value}");
        }
    }

    private (float[] Values, Tensor Tensor) Dense(int rows, int columns, bool whole = false)
    {
        var values = new float[rows * columns];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = whole ? _random.Next(-2, 3) : (float)((2 * _random.NextDouble()) - 1);
        }

        return (values, Hold(_device.Tensor(rows, columns)).Set(values));
    }

    /// <summary>Non-negative latents with an empty row, a column that never fires, one that fires once and one that always does.</summary>
    private (float[] Values, CsrMatrix Matrix) Sparse(int rows, int columns, int oneIn = 4)
    {
        var z = new float[rows * columns];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                var fires = j switch
                {
                    0 => false,
                    1 => i == rows / 2,
                    2 => true,
                    _ => i != 1 && _random.Next(oneIn) == 0,
                };
                // Eighths: ties of minimum and maximum.
                z[(i * columns) + j] = fires ? (1 + _random.Next(8)) / 8f : 0;
            }
        }

        return (z, Hold(_device.CsrMatrix()).Set(z, rows, columns));
    }

    /// <summary>The same latents, encoded: the rows of the input are those of the unit matrix, latents' weights their columns.</summary>
    private CsrMatrix Encoded(float[] z, int rows, int columns)
    {
        using var unit = _device.Tensor(rows, rows)
            .Set(Enumerable.Range(0, rows * rows).Select(i => i / rows == i % rows ? 1f : 0).ToArray());
        using var weights = _device.Tensor(columns, rows)
            .Set(Enumerable.Range(0, rows * columns).Select(i => z[((i % rows) * columns) + (i / rows)]).ToArray());
        var s = Hold(_device.CsrMatrix());
        _device.EncodeThreshold(unit, weights, null, null, s);
        return s;
    }

    private T Hold<T>(T held)
        where T : IDisposable
    {
        _held.Add(held);
        return held;
    }

    private float[] FillGradient(CsrMatrix s)
    {
        s.Gradient.CopyFrom(Enumerable.Range(0, s.NonzeroCount).Select(_ => (float)_random.NextDouble() - 0.5f).ToArray());
        return s.GradientToDense();
    }
}
