using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// The command line on a real device: a training run of each model on real features ends with the figures of the CPU device.
/// </summary>
[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
[Trait("Simulation", "Hours")]
public sealed class TrainingTests : IDisposable
{
    // Tolerance for R², the mean MonoScore and L0.
    private const double Tolerance = 1e-3;

    private readonly string _device;
    private readonly TempFolder _folder = new();

    public TrainingTests(IlgpuFixture ilgpu)
    {
        ilgpu.SkipOnSimulation();
        _device = ilgpu.Device.Name;
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Devices_lists_the_device() =>
        Assert.Matches($@"(?m)^\s*{_device}\b.* GiB", Monoloss.Run("devices").Succeeded().Output);

    [SharedDataTheory]
    [InlineData("batch_topk", "0.0003")]
    [InlineData("topk", "0.1")]
    [InlineData("jumprelu", "0.0005")]
    [InlineData("vanilla", "0.0001")]
    [InlineData("matryoshka", "0.0003")]
    [InlineData("gated", "0.0001")]
    public void Training_ends_with_the_figures_of_the_cpu_device(string model, string monoCoefficient)
    {
        var expected = Train("cpu");
        var actual = Train(_device);
        Near(expected["test"].R2, actual["test"].R2);
        Near(expected["test"].MonoMean, actual["test"].MonoMean);
        Near(expected["test"].L0, actual["test"].L0);

        IReadOnlyDictionary<string, EvaluationSummary> Train(string device)
        {
            Monoloss.Run(
                "train",
                "--train", SharedData.File("features", "cifar10-resnet56-train.parquet"),
                "--test", SharedData.File("features", "cifar10-resnet56-test.parquet"),
                "--model", model, "--mono-coef", monoCoefficient, "--latents", "1024", "--k", "32", "--batch-size", "1024", "--lr", "0.001",
                "--epochs", "1", "--device", device, "--out", _folder[device.Replace(':', '-')], "--quiet").Succeeded();
            return new RunFolder(_folder[device.Replace(':', '-')]).ReadResults().Splits;
        }

        static void Near(double cpu, double other) =>
            Assert.True(Math.Abs(other - cpu) <= Tolerance * Math.Max(1, Math.Abs(cpu)), $"{other} is not {cpu}");
    }
}
