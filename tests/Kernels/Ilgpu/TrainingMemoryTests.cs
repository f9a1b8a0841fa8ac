using System.Text.RegularExpressions;
using MonoLoss.Kernels;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Models;
using MonoLoss.Tests.Cli;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Compares the estimate of a run's memory with what the run takes from the device's pool.</summary>
public sealed class TrainingMemoryTests
{
    private const double Tolerance = 0.15;

    [Theory]
    [InlineData(Architecture.BatchTopK, 4)]
    [InlineData(Architecture.TopK, 4)]
    [InlineData(Architecture.JumpReLU, 0)]
    [InlineData(Architecture.Vanilla, 0)]
    [InlineData(Architecture.Matryoshka, 4)]
    [InlineData(Architecture.Gated, 0)]
    [Trait("Speed", "Slow")]
    public void Estimate_is_what_the_run_takes(Architecture architecture, int k)
    {
        const int b = 24, d = 96, m = 64;
        var config = new SaeConfig
        {
            Architecture = architecture,
            Dimension = d,
            Latents = m,
            K = k,
            MonoCoefficient = 0.1,
            Bandwidth = 0.3,
        };
        using var device = IlgpuDevice.OpenSimulation();
        var rows = RunFiles.Features(b, d);
        using (var model = SparseAutoencoder.Create(device, config))
        using (var training = new TrainingStep(model, new StepOptions { BatchSize = b, LearningRate = 1e-3, DeadAfter = b }))
        using (var x = device.Tensor(b, d).Set(rows))
        {
            model.Initialize(new Random(1));
            var metrics = training.Run(x);
            using var evaluation = new Evaluation(model, classes: 0);
            using var batch = device.Tensor(b, d).Set(rows);
            evaluation.Add(batch, []);
            evaluation.Finish();
            var peak = device.Pool.Peak;
            using var list = device.Allocate<int>(0);
            // TopK's counter is 1, not 0, after a batch in which the latent fired.
            var dead = device.FindDead(model.StepsSinceFired, architecture == Architecture.TopK ? 2 : 1, list);
            var estimate = new TrainingMemory(device, config, b, metrics.L0, dead).Bytes;
            Assert.InRange(estimate, (1 - Tolerance) * peak, (1 + Tolerance) * peak);
        }
    }

    [Fact]
    public void Suggested_size_fits()
    {
        using var device = IlgpuDevice.OpenSimulation(new() { MemoryBytes = 1L << 30 });
        var config = new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = 768, Latents = 65536 };
        var message = Assert.Throws<ConfigurationException>(() => TrainingMemory.Check(device, config, 8192)).Message;
        var match = Regex.Match(
            message,
            "^ilgpu-cpu has 1 GiB of memory, 1 GiB free; batch_topk with 65536 latents and batches of 8192 rows needs .* GiB: "
                + "(.*) would fit$");
        Assert.True(match.Success, message);
        // 65536 latents are too many for any batch.
        var latents = int.Parse(Assert.Single(Regex.Matches(match.Groups[1].Value, @"^Latents (\d+)$")).Groups[1].Value);
        Assert.InRange(TrainingMemory.Check(device, config with { Latents = latents }, 8192), 0, 1L << 30);

        config = config with { Latents = 8192 };
        message = Assert.Throws<ConfigurationException>(() => TrainingMemory.Check(device, config, 65536)).Message;
        match = Regex.Match(message, @"GiB: BatchSize (\d+) would fit$");
        Assert.True(match.Success, message);
        Assert.InRange(TrainingMemory.Check(device, config, int.Parse(match.Groups[1].Value)), 0, 1L << 30);
    }

    [Theory]
    [InlineData(1L << 36)]
    [InlineData(1L << 40)]
    public void No_array_is_longer_than_kernels_can_index(long bytes)
    {
        using var device = IlgpuDevice.OpenSimulation(new() { MemoryBytes = bytes });
        var config = new SaeConfig { Architecture = Architecture.BatchTopK, Dimension = 4096, Latents = 1 << 20 };
        var message = Assert.Throws<ConfigurationException>(() => TrainingMemory.Check(device, config, 128)).Message;
        var latents = int.Parse(Regex.Match(message, @": Latents (\d+) would fit$").Groups[1].Value);
        Assert.InRange((long)latents * config.Dimension, 1, int.MaxValue);
        TrainingMemory.Check(device, config with { Latents = latents }, 128);
        Assert.Throws<DeviceException>(() => device.Tensor(config.Latents, config.Dimension));
    }
}
