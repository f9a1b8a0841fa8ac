using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Tests.Kernels;

namespace MonoLoss.Tests.Autodiff;

/// <summary>
/// Every differentiable operation against finite differences of a float64 loop over the same formula, operation by operation and
/// with the fused backward pass. The set of active latents is held fixed, as the gradient does.
/// </summary>
public sealed class GradientTests : IDisposable
{
    private const int B = 9;
    private const int D = 5;
    private const int M = 7;

    private readonly CpuDevice _device = new(2);
    private readonly Random _random = new(3);

    public void Dispose() => _device.Dispose();

    [Theory]
    [InlineData(SelectionKind.TopK, true)]
    [InlineData(SelectionKind.TopK, false)]
    [InlineData(SelectionKind.BatchTopK, true)]
    [InlineData(SelectionKind.BatchTopK, false)]
    [InlineData(SelectionKind.Threshold, true)]
    [InlineData(SelectionKind.Threshold, false)]
    public void Gradient_of_the_mean_squared_error(SelectionKind kind, bool fuse) => Check(
        fuse,
        new Selection(kind, 3),
        (tape, p, z) => tape.MeanSquaredError(tape.Decode(z, p.Decoder, p.DecoderBias), p.X),
        (p, z) => Mean(B * D, i => Square(Decode(p, z, i) - p.X[i])));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_the_normalized_error_of_denormalized_rows(bool fuse)
    {
        float[] deviation = [.. Enumerable.Range(0, B).Select(i => 0.5f + (0.1f * i))];
        float[] mean = [.. Enumerable.Range(0, B).Select(i => 0.3f - (0.05f * i))];
        using var deviationTensor = _device.Tensor(1, B).Set(deviation);
        using var meanTensor = _device.Tensor(1, B).Set(mean);
        Check(
            fuse,
            new Selection(SelectionKind.TopK, 2),
            (tape, p, z) => tape.NormalizedMeanSquaredError(
                tape.Denormalize(tape.Decode(z, p.Decoder, p.DecoderBias), deviationTensor, meanTensor), p.X),
            (p, z) => Mean(B, i => Sum(D, j => Square((Decode(p, z, (i * D) + j) * deviation[i]) + mean[i] - p.X[(i * D) + j]))
                / Sum(D, j => Square(p.X[(i * D) + j]))));
    }

    /// <summary>
    /// Nested groups, one of them without latents, of which the last reconstruction is in a further term, and MonoLoss beside them.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_the_errors_of_nested_groups(bool fuse)
    {
        int[] ends = [2, 2, 5, M];
        float[] deviation = [.. Enumerable.Range(0, B).Select(i => 0.5f + (0.1f * i))];
        float[] mean = [.. Enumerable.Range(0, B).Select(i => 0.3f - (0.05f * i))];
        using var deviationTensor = _device.Tensor(1, B).Set(deviation);
        using var meanTensor = _device.Tensor(1, B).Set(mean);
        using var endArray = _device.Allocate<int>(ends.Length);
        endArray.CopyFrom(ends);
        Check(
            fuse,
            new Selection(SelectionKind.BatchTopK, 3),
            (tape, p, z) =>
            {
                var groups = tape.DecodeGroups(z, p.Decoder, p.DecoderBias, endArray, p.X, deviationTensor, meanTensor);
                var error = tape.MeanSquaredError(groups.Reconstruction, tape.Subtract(p.X, groups.Reconstruction));
                return tape.WeightedSum((groups.Loss, 2), (error, 0.3), (tape.MonoLoss(z, p.X).Loss, 0.1));
            },
            (p, z) =>
            {
                double Reconstruction(int end, int i) => mean[i / D] + (deviation[i / D]
                    * (p.DecoderBias[i % D] + Sum(end, m => z[((i / D) * M) + m] * p.Decoder[(m * D) + (i % D)])));
                return (2 * Mean(ends.Length, g => Mean(B * D, i => Square(Reconstruction(ends[g], i) - p.X[i]))))
                    + (0.3 * Mean(B * D, i => Square((2 * Reconstruction(M, i)) - p.X[i]))) + (0.1 * MonoLossOf(p, z));
            },
            tolerance: 2e-3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_the_error_of_the_error_and_of_L1(bool fuse) => Check(
        fuse,
        new Selection(SelectionKind.Threshold),
        (tape, p, z) =>
        {
            var decoded = tape.Decode(z, p.Decoder, p.DecoderBias);
            var error = tape.Subtract(p.X, decoded);
            return tape.WeightedSum((tape.MeanSquaredError(decoded, error), 2), (tape.L1(z).Loss, 0.1), (null, 5));
        },
        (p, z) => (2 * Mean(B * D, i => Square((2 * Decode(p, z, i)) - p.X[i]))) + (0.1 * Sum(B * M, i => z[i]) / B));

    [Theory]
    [InlineData(SelectionKind.TopK, true)]
    [InlineData(SelectionKind.TopK, false)]
    [InlineData(SelectionKind.Threshold, true)]
    [InlineData(SelectionKind.Threshold, false)]
    public void Gradient_of_MonoLoss(SelectionKind kind, bool fuse) => Check(
        fuse,
        new Selection(kind, 3),
        (tape, p, z) =>
            tape.WeightedSum((tape.MonoLoss(z, p.X).Loss, 1), (tape.MeanSquaredError(tape.Decode(z, p.Decoder, null), p.X), 0.1)),
        (p, z) => MonoLossOf(p, z) + (0.1 * Mean(B * D, i => Square(Decode(p, z, i) - p.DecoderBias[i % D] - p.X[i]))),
        // Beyond rounding: a finite step can move which row is the smallest or largest of a latent.
        tolerance: 2e-3);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_MonoLoss_of_latents_that_always_fire(bool fuse) => Check(
        fuse,
        new Selection(SelectionKind.Threshold),
        (tape, p, z) => tape.MonoLoss(z, p.X).Loss,
        (p, z) => MonoLossOf(p, z),
        tolerance: 2e-3,
        bias: 6);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_encoding_a_subset_of_latents(bool fuse)
    {
        using var subset = _device.Allocate<int>(3);
        subset.CopyFrom([1, 4, 6]);
        Check(
            fuse,
            new Selection(SelectionKind.TopK, 2),
            (tape, p, z) => tape.MeanSquaredError(tape.Decode(z, p.Decoder, p.DecoderBias), p.X),
            (p, z) => Mean(B * D, i => Square(Decode(p, z, i) - p.X[i])),
            subset: subset);
    }

    /// <summary>
    /// JumpReLU's gradients are defined, not derived: the definition is what is compared with (straight-through estimator).
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_JumpReLU(bool fuse)
    {
        const float Bandwidth = 0.6f;
        var p = new Parameters(_device, _random, bias: 0);
        using var tape = new Tape(_device) { FuseLatents = fuse };
        var logThreshold = new Variable(_device.Tensor(1, M).Set([.. Enumerable.Range(0, M).Select(m => -1.2f + (0.2f * m))]));
        var theta = logThreshold.Value.ToArray().Select(value => Math.Exp(value)).ToArray();
        using var bounds = _device.Tensor(0, 0);
        _device.JumpReLUBounds(logThreshold.Value, Bandwidth, bounds);
        var z = tape.Encode(p.XTensor, p.EncoderVariable, p.BiasVariable, null, new Selection(SelectionKind.Threshold, Bounds: bounds));
        var l0 = tape.JumpReLU(z, p.XTensor, p.EncoderVariable.Value, p.BiasVariable.Value, logThreshold, Bandwidth);
        var error = tape.MeanSquaredError(tape.Decode(z, p.DecoderVariable, p.DecoderBiasVariable), p.XTensor);
        tape.Backward(tape.WeightedSum((error, 1), (l0, 0.05)));

        var pre = Enumerable.Range(0, B * M)
            .Select(i => Math.Max(0, p.Bias[i % M] + Sum(D, j => p.X[((i / M) * D) + j] * p.Encoder[((i % M) * D) + j]))).ToArray();
        var active = pre.Select((value, i) => value > theta[i % M] ? value : 0).ToArray();
        Assert.Equal(active.Count(value => value > 0) / (double)B, l0.Read(), 6);
        double Dz(int i) =>
            Sum(D, j => 2.0 / (B * D) * (Decode(p, active, ((i / M) * D) + j) - p.X[((i / M) * D) + j]) * p.Decoder[((i % M) * D) + j]);
        double Rect(double t) => t is > -0.5 and < 0.5 ? 1 : 0;
        Near([.. Enumerable.Range(0, M).Select(m => Sum(B, i =>
            (-theta[m] / Bandwidth * Rect((pre[(i * M) + m] - theta[m]) / Bandwidth) * Dz((i * M) + m))
            - (0.05 / B / Bandwidth * Rect((active[(i * M) + m] - theta[m]) / Bandwidth))))], logThreshold.Gradient);
        Near([.. Enumerable.Range(0, M * D).Select(i => Sum(B, row =>
            active[(row * M) + (i / D)] > 0 ? Dz((row * M) + (i / D)) * p.X[(row * D) + (i % D)] : 0))], p.EncoderVariable.Gradient);
        Near(
            [.. Enumerable.Range(0, M).Select(m => Sum(B, row => active[(row * M) + m] > 0 ? Dz((row * M) + m) : 0))],
            p.BiasVariable.Gradient);
    }

    /// <summary>
    /// Gated's gate passes no gradient: each term is stepped with the gates, and in the auxiliary one the decoder, held fixed.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradient_of_Gated(bool fuse)
    {
        var p = new Parameters(_device, _random, bias: 0.3f);
        var (scale, magBias) = (new double[M], new double[M]);
        for (var m = 0; m < M; m++)
        {
            (scale[m], magBias[m]) = ((float)(_random.NextDouble() - 0.5), (float)((_random.NextDouble() / 2) - 0.1));
        }

        var scaleVariable = new Variable(_device.Tensor(1, M).Set(Array.ConvertAll(scale, value => (float)value)));
        var magBiasVariable = new Variable(_device.Tensor(1, M).Set(Array.ConvertAll(magBias, value => (float)value)));
        using var tape = new Tape(_device) { FuseLatents = fuse };
        var gate = tape.Encode(
            p.XTensor, p.EncoderVariable, p.BiasVariable, p.DecoderBiasVariable, new Selection(SelectionKind.Threshold));
        var z = tape.Gate(gate, scaleVariable, p.BiasVariable, magBiasVariable);
        var opened = tape.Decode(gate, p.DecoderVariable.Value, p.DecoderBiasVariable.Value);
        var loss = tape.WeightedSum(
            (tape.MeanSquaredError(tape.Decode(z, p.DecoderVariable, p.DecoderBiasVariable), p.XTensor), 1),
            (tape.L1(gate).Loss, 0.1),
            (tape.MeanSquaredError(opened, p.XTensor), 0.5),
            (tape.MonoLoss(z, p.XTensor).Loss, 0.1));
        var (isOpen, isActive) = (gate.Value.ToDense().Select(value => value > 0).ToArray(), z.Value.ToDense().Select(value => value > 0)
            .ToArray());
        var (decoder, decoderBias) = (p.Decoder.ToArray(), p.DecoderBias.ToArray());
        double Product(int i) => Sum(D, j => (p.X[((i / M) * D) + j] - p.DecoderBias[j]) * p.Encoder[((i % M) * D) + j]);
        double Formula()
        {
            double[] magnitudes = [.. isActive.Select((on, i) => on ? (Math.Exp(scale[i % M]) * Product(i)) + magBias[i % M] : 0)];
            double[] gates = [.. isOpen.Select((on, i) => on ? Product(i) + p.Bias[i % M] : 0)];
            return Mean(B * D, i => Square(Decode(p, magnitudes, i) - p.X[i])) + (0.1 * gates.Sum() / B)
                + (0.5 * Mean(B * D, i => Square(
                    decoderBias[i % D] + Sum(M, m => gates[((i / D) * M) + m] * decoder[(m * D) + (i % D)]) - p.X[i])))
                + (0.1 * MonoLossOf(p, magnitudes));
        }

        tape.Backward(loss);
        Assert.Equal(Formula(), loss.Read(), 5);
        foreach (var (values, variable) in new[]
        {
            (p.Encoder, p.EncoderVariable), (p.Bias, p.BiasVariable), (p.Decoder, p.DecoderVariable),
            (p.DecoderBias, p.DecoderBiasVariable), (scale, scaleVariable), (magBias, magBiasVariable),
        })
        {
            const double H = 1e-5;
            var expected = new double[values.Length];
            for (var i = 0; i < values.Length; i++)
            {
                var value = values[i];
                values[i] = value + H;
                var up = Formula();
                values[i] = value - H;
                expected[i] = (up - Formula()) / (2 * H);
                values[i] = value;
            }

            Near(expected, variable.Gradient, 2e-3);
        }
    }

    private static double Decode(IParameters p, double[] z, int i) =>
        p.DecoderBias[i % D] + Sum(M, m => z[((i / D) * M) + m] * p.Decoder[(m * D) + (i % D)]);

    private static double MonoLossOf(IParameters p, double[] z) => NaiveMono.Loss(z, p.X, B, D, M);

    private static double Square(double value) => value * value;

    private static double Mean(int n, Func<int, double> term) => Sum(n, term) / n;

    private static double Sum(int n, Func<int, double> term) => Enumerable.Range(0, n).Sum(term);

    private static void Near(double[] expected, Tensor actual, double tolerance = 2e-5)
    {
        var values = actual.ToArray();
        var scale = Math.Max(1e-3, expected.Max(Math.Abs));
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - values[i]) <= tolerance * scale,
                $"element {i}: {values[i]} is not {expected[i]} (of {scale})");
        }
    }

    /// <summary>
    /// Runs the tape, then steps every parameter by ±h in the float64 formula, with the latents of the tape's own selection.
    /// </summary>
    private void Check(
        bool fuse,
        Selection selection,
        Func<Tape, TapeParameters, SparseVariable, Scalar> record,
        Func<IParameters, double[], double> formula,
        double tolerance = 1e-4,
        float bias = 0,
        DeviceArray<int>? subset = null)
    {
        var p = new Parameters(_device, _random, bias);
        using var tape = new Tape(_device) { FuseLatents = fuse };
        var z = tape.Encode(p.XTensor, p.EncoderVariable, p.BiasVariable, p.DecoderBiasVariable, selection, subset);
        var loss = record(tape, new TapeParameters(p.XTensor, p.DecoderVariable, p.DecoderBiasVariable), z);
        var support = z.Value.ToDense().Select(value => value != 0).ToArray();
        double[] Latents() => [.. support.Select((active, i) => !active ? 0 : p.Bias[i % M] + Sum(
            D, j => (p.X[((i / M) * D) + j] - p.DecoderBias[j]) * p.Encoder[((i % M) * D) + j]))];
        tape.Backward(loss);
        Assert.Equal(formula(p, Latents()), loss.Read(), 5);

        foreach (var (name, values, variable) in new[]
        {
            ("W_enc", p.Encoder, p.EncoderVariable), ("b_enc", p.Bias, p.BiasVariable),
            ("W_dec", p.Decoder, p.DecoderVariable), ("b_dec", p.DecoderBias, p.DecoderBiasVariable),
        })
        {
            const double H = 1e-5;
            var expected = new double[values.Length];
            for (var i = 0; i < values.Length; i++)
            {
                var value = values[i];
                values[i] = value + H;
                var up = formula(p, Latents());
                values[i] = value - H;
                var down = formula(p, Latents());
                values[i] = value;
                expected[i] = (up - down) / (2 * H);
            }

            if (variable.HasGradient)
            {
                Near(expected, variable.Gradient, tolerance);
            }
            else
            {
                Assert.True(expected.All(value => Math.Abs(value) < 1e-9), $"{name} got no gradient");
            }
        }
    }

    private interface IParameters
    {
        double[] X { get; }

        double[] Decoder { get; }

        double[] DecoderBias { get; }
    }

    private sealed record TapeParameters(Tensor X, Variable Decoder, Variable DecoderBias);

    private sealed class Parameters : IParameters
    {
        public Parameters(Device device, Random random, float bias)
        {
            X = Draw(random, B * D);
            Encoder = Draw(random, M * D);
            Bias = [.. Draw(random, M).Select(value => (value / 4) + bias)];
            Decoder = Draw(random, M * D);
            DecoderBias = [.. Draw(random, D).Select(value => value / 4)];
            XTensor = device.Tensor(B, D).Set(Singles(X));
            EncoderVariable = new Variable(device.Tensor(M, D).Set(Singles(Encoder)));
            BiasVariable = new Variable(device.Tensor(1, M).Set(Singles(Bias)));
            DecoderVariable = new Variable(device.Tensor(M, D).Set(Singles(Decoder)));
            DecoderBiasVariable = new Variable(device.Tensor(1, D).Set(Singles(DecoderBias)));
        }

        public double[] X { get; }

        public double[] Encoder { get; }

        public double[] Bias { get; }

        public double[] Decoder { get; }

        public double[] DecoderBias { get; }

        public Tensor XTensor { get; }

        public Variable EncoderVariable { get; }

        public Variable BiasVariable { get; }

        public Variable DecoderVariable { get; }

        public Variable DecoderBiasVariable { get; }

        // Values that float32 holds exactly, so that both sides start from the same.
        private static double[] Draw(Random random, int n) =>
            [.. Enumerable.Range(0, n).Select(_ => (double)(float)((2 * random.NextDouble()) - 1))];

        private static float[] Singles(double[] values) => Array.ConvertAll(values, value => (float)value);
    }
}
