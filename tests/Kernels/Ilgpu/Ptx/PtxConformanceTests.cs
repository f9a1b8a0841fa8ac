using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>A device whose kernels run from their PTX, and whose products are planned as for an H100.</summary>
public sealed class PtxFixture : IDisposable
{
    private const int Multiprocessors = 132;

    public IlgpuDevice Device { get; } = IlgpuDevice.OpenSimulation(
        new() { Executor = new PtxExecutor(), MultiprocessorCount = Multiprocessors });

    public void Dispose() => Device.Dispose();
}

[CollectionDefinition(Name)]
public sealed class PtxCollection : ICollectionFixture<PtxFixture>
{
    public const string Name = "PTX";
}

[Collection(PtxCollection.Name)]
public sealed class PtxConformanceTests(PtxFixture ptx) : DeviceConformance(ptx.Device);

[Collection(PtxCollection.Name)]
public sealed class PtxGoldenRunTests(PtxFixture ptx) : GoldenRuns(ptx.Device);

[Collection(PtxCollection.Name)]
public sealed class PtxGoldenDatasetTests(PtxFixture ptx) : GoldenDatasets(ptx.Device);

[Collection(PtxCollection.Name)]
public sealed class PtxEncodeChunkTests(PtxFixture ptx) : EncodeChunkTests(ptx.Device);

[Collection(PtxCollection.Name)]
public sealed class PtxAgreementTests(PtxFixture ptx) : AgreementTests(ptx.Device);

[Collection(PtxCollection.Name)]
public sealed class PtxGemmTileTests(PtxFixture ptx) : GemmTileTests(ptx.Device)
{
    [Theory]
    [InlineData(1, 140, 132, 36)]
    [InlineData(2, 72, 200, 100)]
    public void TensorCoresMakeTheProduct(int splits, int m, int n, int k) =>
        EveryTileAndSplitIsTheProduct(GemmTile.Tensor, splits, m, n, k);
}
