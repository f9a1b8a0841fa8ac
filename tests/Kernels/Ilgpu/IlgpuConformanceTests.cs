using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>
/// A device that ILGPU compiles for: the one that <c>MONOLOSS_TEST_DEVICE</c> names or else the best GPU that there is, or ILGPU's simulation
/// of one. All tests share it, one after another, so that a kernel is compiled once.
/// </summary>
public sealed class IlgpuFixture : IDisposable
{
    public IlgpuDevice Device { get; } = IlgpuDevice.Open(
        Environment.GetEnvironmentVariable("MONOLOSS_TEST_DEVICE") ?? IlgpuDevice.BestGpu() ?? "ilgpu-cpu");

    public void Dispose() => Device.Dispose();
}

[CollectionDefinition(Name)]
public sealed class IlgpuTests : ICollectionFixture<IlgpuFixture>
{
    public const string Name = "ILGPU";
}

[Collection(IlgpuTests.Name)]
public sealed class IlgpuConformanceTests(IlgpuFixture ilgpu) : DeviceConformance(ilgpu.Device);

[Collection(IlgpuTests.Name)]
public sealed class IlgpuGoldenRunTests(IlgpuFixture ilgpu) : GoldenRuns(ilgpu.Device);

[Collection(IlgpuTests.Name)]
public sealed class IlgpuGoldenDatasetTests(IlgpuFixture ilgpu) : GoldenDatasets(ilgpu.Device);

[Collection(IlgpuTests.Name)]
public sealed class IlgpuGemmTileTests(IlgpuFixture ilgpu) : GemmTileTests(ilgpu.Device);

[Collection(IlgpuTests.Name)]
public sealed class IlgpuEncodeChunkTests(IlgpuFixture ilgpu) : EncodeChunkTests(ilgpu.Device);

[Collection(IlgpuTests.Name)]
public sealed class IlgpuAgreementTests(IlgpuFixture ilgpu) : AgreementTests(ilgpu.Device);
