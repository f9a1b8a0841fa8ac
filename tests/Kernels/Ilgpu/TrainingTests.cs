using MonoLoss.Models;
using MonoLoss.Tests.Cli;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>Training runs by the command line on real features, on a real device and on the CPU device.</summary>
[Collection(IlgpuTests.Name)]
[Trait("Speed", "Slow")]
[Trait("Simulation", "Hours")]
public sealed class TrainingTests : IDisposable
{
    private readonly string _device;
    private readonly TempFolder _folder = new();

    public TrainingTests(IlgpuFixture ilgpu)
    {
        ilgpu.SkipOnSimulation();
        _device = ilgpu.Device.Name;
    }

    public void Dispose() => _folder.Dispose();

    [SharedDataTheory]
    [InlineData("batch_topk", "0.0003")]
    [InlineData("topk", "0.1")]
    [InlineData("jumprelu", "0.0005")]
    [InlineData("vanilla", "0.0001")]
    public void Training_ends_with_the_figures_of_the_cpu_device(string model, string monoCoefficient)
    {
        var expected = Train("cpu");
        var actual = Train(_device);
        Assert.Equal(["test"], expected.Keys);
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

        void Near(double cpu, double other) => Assert.InRange(other, cpu - (1e-3 * Math.Max(1, Math.Abs(cpu))), cpu + (1e-3 * Math.Max(1, Math.Abs(cpu))));
    }
}
