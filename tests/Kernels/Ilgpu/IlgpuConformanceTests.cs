using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// The device that the environment variable <c>MONOLOSS_TEST_DEVICE</c> names, such as <c>opencl:0</c>; without it the best GPU, or else
/// ILGPU's simulation of one. All tests share the device, one after another, so that each kernel is compiled once.
/// </summary>
public sealed class IlgpuFixture : IDisposable
{
    public IlgpuDevice Device { get; } = IlgpuDevice.Open(
        Environment.GetEnvironmentVariable("MONOLOSS_TEST_DEVICE") ?? IlgpuDevice.BestGpu() ?? "ilgpu-cpu");

    /// <summary>Skips a test whose sizes ILGPU's simulation would take hours for.</summary>
    public void SkipOnSimulation() => Assert.SkipWhen(
        Device.Name == "ilgpu-cpu", "needs a real device, named by MONOLOSS_TEST_DEVICE: ILGPU's simulation would take hours");

    public void Dispose() => Device.Dispose();
}

[CollectionDefinition(Name)]
public sealed class IlgpuTests : ICollectionFixture<IlgpuFixture>
{
    public const string Name = "ILGPU";
}

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
[Trait("Suite", "Conformance")]
public sealed class IlgpuConformanceTests(IlgpuFixture ilgpu) : DeviceConformance(ilgpu.Device);

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class IlgpuGoldenRunTests(IlgpuFixture ilgpu) : GoldenRuns(ilgpu.Device);

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class IlgpuGoldenDatasetTests(IlgpuFixture ilgpu) : GoldenDatasets(ilgpu.Device);

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class IlgpuGemmTileTests(IlgpuFixture ilgpu) : GemmTileTests(ilgpu.Device);

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class IlgpuEncodeChunkTests(IlgpuFixture ilgpu) : EncodeChunkTests(ilgpu.Device);

[Collection(IlgpuTests.Name)]
[Trait("Device", "Ilgpu")]
[Trait("Speed", "Slow")]
public sealed class IlgpuAgreementTests(IlgpuFixture ilgpu) : AgreementTests(ilgpu.Device);
