using MonoLoss.Data;
using MonoLoss.Kernels;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Models;

/// <summary>The library without files: what a program of one's own does.</summary>
public sealed class TrainingStepTests
{
    [Fact]
    public void Features_in_memory_are_trained_on_and_scored()
    {
        const int rows = 640;
        const int dimension = 16;
        const int batchSize = 64;
        float[] features = RunFiles.Features(rows, dimension);

        // README's example begins here.
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(device, new SaeConfig
        {
            Architecture = Architecture.BatchTopK, Dimension = dimension, Latents = 64, K = 4, MonoCoefficient = 3e-4,
        });
        model.Initialize(new Random(42));
        using var step = new TrainingStep(model, new StepOptions { BatchSize = batchSize, LearningRate = 1e-3 });
        using var x = device.Tensor(batchSize, dimension);
        Tensor Batch(int i)
        {
            x.Set(features.AsSpan(i * batchSize * dimension, batchSize * dimension));
            device.NormalizeRows(x); // models expect rows of unit length
            return x;
        }

        StepMetrics last = default;
        for (int i = 0; i < 200; i++) last = step.Run(Batch(i % (rows / batchSize)));
        using var evaluation = new Evaluation(model, classes: 0);
        for (int i = 0; i < rows / batchSize; i++) evaluation.Add(Batch(i), labels: []);
        EvaluationResult result = evaluation.Finish();
        Console.WriteLine($"loss {last.Loss:0.0000}, R² {result.R2:0.000}, MonoScore {result.MonoMean:0.000}");
        // README's example ends here.

        Assert.Equal(200, last.Step);
        Assert.Equal(rows, result.Rows);
        Assert.InRange(result.R2, 0.5, 1);
        Assert.InRange(result.MonoMean, 0.01, 1);
        Assert.Equal(result.MonoMean, result.Latents.Average(latent => latent.MonoScore), 12);
    }

    [Fact]
    public void Dataset_MonoLoss_without_a_training_set_is_rejected()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(
            device, new SaeConfig { Architecture = Architecture.TopK, Dimension = 8, Latents = 16, K = 2, MonoCoefficient = 0.1 });
        Assert.Throws<ArgumentNullException>(() => new TrainingStep(model, new StepOptions { MonoPeriod = 2 }));
    }

    [Fact]
    public void Loss_that_is_not_finite_names_the_learning_rate()
    {
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(
            device, new SaeConfig { Architecture = Architecture.Vanilla, Dimension = 8, Latents = 16 });
        model.Initialize(new Random(1));
        model.Parameters[0].Value.Set(Enumerable.Repeat(1e30f, 128).ToArray());
        using var step = new TrainingStep(model, new StepOptions { BatchSize = 4 });
        using var x = device.Tensor(4, 8).Set(Enumerable.Repeat(1e30f, 32).ToArray());
        var exception = Assert.Throws<ConfigurationException>(() => step.Run(x));
        Assert.Equal([nameof(StepOptions.LearningRate)], exception.Properties);
    }

    /// <summary>A set kept in memory is evaluated to the same bits as one read from its files.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Held_out_split_evaluates_like_its_files(bool keep)
    {
        using var folder = new MonoLoss.Tests.Data.TempFolder();
        var set = FeatureSet.Open(RunFiles.Write(folder));
        using var device = DeviceFactory.Open("cpu");
        using var model = SparseAutoencoder.Create(
            device, new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = 16, Latents = 32, K = 3 });
        model.Initialize(new Random(1));
        var expected = Evaluation.Run(model, set, batchSize: 150);
        using var split = new HeldOutSplit("val", set, device, batchSize: 150, keep);
        for (var pass = 0; pass < 2; pass++)
        {
            var actual = Evaluation.Run(model, set, split.Batches(), progress: null);
            Assert.Equal(expected.Latents, actual.Latents);
            Assert.Equal(EvaluationSummary.Of(expected), EvaluationSummary.Of(actual));
            // Once the rows are kept, the files are not read again.
            if (keep)
            {
                File.WriteAllText(folder["features.parquet"], "not Parquet");
            }
        }
    }
}
