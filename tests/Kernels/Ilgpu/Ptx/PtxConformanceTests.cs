using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>A device whose kernels run as PTX in the interpreter, and whose products are planned as for an H100.</summary>
public sealed class PtxFixture : IDisposable
{
    private const int Multiprocessors = 132;

    public IlgpuDevice Device { get; } = IlgpuDevice.OpenSimulation(
        new() { Executor = new PtxExecutor(), MultiprocessorCount = Multiprocessors });

    public void Dispose() => Device.Dispose();
}

/// <summary>Two collections, each with a device, so that two cores share the suites.</summary>
[CollectionDefinition(Name)]
public sealed class PtxKernels : ICollectionFixture<PtxFixture>
{
    public const string Name = "PTX, kernels";
}

[CollectionDefinition(Name)]
public sealed class PtxRuns : ICollectionFixture<PtxFixture>
{
    public const string Name = "PTX, runs";
}

[Collection(PtxKernels.Name)]
public sealed class PtxConformanceTests(PtxFixture ptx) : DeviceConformance(ptx.Device);

[Collection(PtxRuns.Name)]
public sealed class PtxGoldenRunTests(PtxFixture ptx) : GoldenRuns(ptx.Device);

[Collection(PtxRuns.Name)]
public sealed class PtxGoldenDatasetTests(PtxFixture ptx) : GoldenDatasets(ptx.Device);

[Collection(PtxKernels.Name)]
public sealed class PtxEncodeChunkTests(PtxFixture ptx) : EncodeChunkTests(ptx.Device);

[Collection(PtxRuns.Name)]
public sealed class PtxAgreementTests(PtxFixture ptx) : AgreementTests(ptx.Device);

[Collection(PtxKernels.Name)]
public sealed class PtxGemmTileTests(PtxFixture ptx) : GemmTileTests(ptx.Device)
{
    [Theory]
    [InlineData(1, 140, 132, 36)]
    [InlineData(2, 72, 200, 100)]
    [InlineData(1, 132, 64, 244)]
    [InlineData(1, 64, 68, 115)]
    public void Product_on_tensor_cores_is_the_float64_product(int splits, int m, int n, int k) =>
        EveryTileAndSplitIsTheProduct(GemmTile.Tensor, splits, m, n, k);
}
