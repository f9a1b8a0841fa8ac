using MonoLoss.Autodiff;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Models;

/// <summary>The threshold that BatchTopK has outside a batch.</summary>
public sealed class ThresholdTests
{
    private const int Dimension = 16;
    private const int Latents = 96;
    private const int K = 5;

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(5000)]
    [InlineData(49_999)]
    [InlineData(50_000)]
    public void Histogram_finds_the_threshold_that_a_number_of_values_exceed(int wanted)
    {
        var random = new Random(1);
        var values = Enumerable.Range(0, 100_000).Select(i => i % 2 == 0 ? -1 : MathF.Exp(20 * (random.NextSingle() - 0.5f))).ToArray();
        var histogram = new ActivationHistogram();
        histogram.Add(values.AsSpan(0, 300));
        histogram.Add(values.AsSpan(300));
        var threshold = histogram.ThresholdFor(wanted, floor: 0)!.Value;
        // Two values in the same bin cannot be told apart: 50 000 over 20 units of log x are 0.15 per bin.
        Assert.InRange(values.Count(value => value > threshold), wanted - 1, wanted + 1);
    }

    [Fact]
    public void Histogram_with_equal_values_takes_the_nearest_count()
    {
        var histogram = new ActivationHistogram();
        histogram.Add([3, 2, 2, 2, 2, 1]);
        Assert.InRange(histogram.ThresholdFor(2, 0)!.Value, 2f, 2.9999998f);
        Assert.InRange(histogram.ThresholdFor(4, 0)!.Value, 1f, 1.9999999f);
        Assert.Equal(0, histogram.ThresholdFor(7, 0));
        Assert.Null(histogram.ThresholdFor(4, floor: 2));
        Assert.Null(histogram.ThresholdFor(7, floor: 0.5f));
        Assert.InRange(histogram.ThresholdFor(1, floor: 2)!.Value, 2.9f, 2.9999998f);
        histogram.Clear();
        histogram.Add([float.Epsilon, float.MaxValue]);
        Assert.Equal(0, histogram.ThresholdFor(2, 0));
    }

    [Fact]
    public void While_training_it_is_the_mean_of_the_first_steps_and_then_a_running_mean()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        using var tape = new Tape(device);
        double sum = 0, expected = 0;
        for (var step = 1; step <= 250; step++)
        {
            tape.Reset();
            using var x = Rows(device, 8, seed: step);
            var encoding = model.Encode(tape, x);
            model.AfterStep(new CompletedStep(step, encoding, new StepOptions()));
            double smallest = encoding.Latents.Value.ToDense().Where(value => value > 0).Min();
            sum += smallest;
            expected = step <= 100 ? sum / step : expected + (0.01 * (smallest - expected));
            Assert.Equal(expected, model.InferenceThreshold!.Value, 1e-12);
        }
    }

    /// <summary>While k changes, the threshold is that of the last batch; the mean begins anew with each k.</summary>
    [Fact]
    public void Training_forgets_thresholds_of_another_k()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        using var tape = new Tape(device);
        var options = new StepOptions { KStart = K + 3, KAnneal = 9 };
        var kept = new List<(int K, double Smallest)>();
        for (var step = 1; step <= 12; step++)
        {
            tape.Reset();
            var rows = Enumerable.Range(0, 8).SelectMany(i => Row(new Random((step * 8) + i), 1)).ToArray();
            using var x = device.Tensor(8, Dimension).Set(rows);
            model.Scheduled = new TrainingSchedule(model.Config, options).At(step - 1);
            var encoding = model.Encode(tape, x);
            model.AfterStep(new CompletedStep(step, encoding, options));
            kept.Add((model.Scheduled.K, encoding.Latents.Value.ToDense().Where(value => value > 0).Min()));
            Assert.Equal(
                kept.Where(batch => batch.K == kept[^1].K).Average(batch => batch.Smallest), model.InferenceThreshold!.Value, 1e-6);
        }

        Assert.Equal(4, kept.Select(batch => batch.K).Distinct().Count());
    }

    /// <summary>In every order of the rows, even with all large activations in one batch, k per row are above it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_training_k_activations_per_row_exceed_it(bool sorted)
    {
        const int batches = 40, batchRows = 32;
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        using var tape = new Tape(device);
        var rows = Enumerable.Range(0, batches * batchRows).Select(i => Row(new Random(i), i % 7 == 0 ? 3 : 1)).ToArray();
        using var all = device.Tensor(rows.Length, Dimension).Set(rows.SelectMany(row => row).ToArray());
        using var dense = device.CsrMatrix();
        device.EncodeThreshold(all, model.Parameters[0].Value, null, null, dense);
        var activations = dense.ToDense();
        if (sorted)
        {
            rows = [.. rows.Index().OrderByDescending(row => activations.AsSpan(row.Index * Latents, Latents).ToArray().Max())
                .Select(row => row.Item)];
        }

        var passes = 0;
        model.AfterTraining(Batches().Select(Batch.FromTensor));
        Assert.Equal(sorted, passes > 1);
        var threshold = (float)model.InferenceThreshold!.Value;
        var wanted = rows.Length * K;
        Assert.InRange(activations.Count(value => value > threshold), 0.999 * wanted, 1.001 * wanted);

        // The same by the model itself, whatever the batch.
        model.SelectsByThreshold = true;
        using var evaluation = new Evaluation(model, classes: 0);
        evaluation.Add(all, []);
        Assert.Equal(activations.Count(value => value > threshold) / (double)rows.Length, evaluation.Finish().L0, 1e-9);

        IEnumerable<Tensor> Batches()
        {
            passes++;
            for (var i = 0; i < rows.Length; i += batchRows)
            {
                using var x = device.Tensor(batchRows, Dimension).Set(rows[i..(i + batchRows)].SelectMany(row => row).ToArray());
                yield return x;
            }
        }
    }

    [Fact]
    public void With_fewer_than_k_positive_activations_it_is_0()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device, k: Latents - 1);
        using var x = Rows(device, 50, seed: 1);
        model.AfterTraining([x]);
        Assert.Equal(0, model.InferenceThreshold);
    }

    /// <summary>The kernels of GPUs find the same threshold, in their simulation.</summary>
    [Fact]
    public void Devices_agree()
    {
        var thresholds = new List<double>();
        foreach (var name in new[] { "cpu", "ilgpu-cpu" })
        {
            using var device = DeviceFactory.Open(name);
            using var model = Create(device);
            using var x = Rows(device, 24, seed: 1);
            model.AfterTraining([x]);
            thresholds.Add(model.InferenceThreshold!.Value);
            model.SelectsByThreshold = true;
            using var evaluation = new Evaluation(model, classes: 0);
            evaluation.Add(x, []);
            Assert.Equal(K, evaluation.Finish().L0, 1e-9);
        }

        Assert.Equal(thresholds[0], thresholds[1], 1e-6);
    }

    [Fact]
    public void Further_training_is_not_affected()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = Create(device);
        using var other = Create(device);
        using var tape = new Tape(device);
        using var x = Rows(device, 50, seed: 1);
        foreach (var trained in new[] { model, other })
        {
            for (var step = 1; step <= 3; step++)
            {
                tape.Reset();
                trained.AfterStep(new CompletedStep(step, trained.Encode(tape, x), new StepOptions()));
                if (trained == model)
                {
                    trained.AfterTraining([x]);
                }
            }
        }

        Assert.Equal(other.StateNumbers[0].Get(), model.StateNumbers[0].Get());
        Assert.NotEqual(other.InferenceThreshold, model.InferenceThreshold);
    }

    private static BatchTopK Create(Device device, int k = K)
    {
        var config = new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = Dimension, Latents = Latents, K = k };
        var model = (BatchTopK)SparseAutoencoder.Create(device, config);
        model.Initialize(new Random(7));
        return model;
    }

    private static Tensor Rows(Device device, int rows, int seed) =>
        device.Tensor(rows, Dimension).Set(RunFiles.Features(rows, Dimension, seed));

    private static float[] Row(Random random, float length) =>
        [.. Enumerable.Range(0, Dimension).Select(_ => length * (random.NextSingle() - 0.5f))];
}
