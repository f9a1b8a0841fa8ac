using MonoLoss.Kernels.Cpu;
using MonoLoss.Tests.Models;

namespace MonoLoss.Tests.Kernels;

/// <summary>A CPU device that the tests of a class share.</summary>
public sealed class CpuFixture : IDisposable
{
    public CpuDevice Device { get; } = new(2);

    public void Dispose() => Device.Dispose();
}

/// <summary>The same, with encoders that always prefilter candidates in integer arithmetic.</summary>
public sealed class CpuFilterFixture : IDisposable
{
    public CpuDevice Device { get; } = new(2, PrefilterPolicy.Always);

    public void Dispose() => Device.Dispose();
}

public sealed class CpuConformanceTests(CpuFixture cpu) : DeviceConformance(cpu.Device), IClassFixture<CpuFixture>;

public sealed class CpuGoldenRunTests(CpuFixture cpu) : GoldenRuns(cpu.Device), IClassFixture<CpuFixture>;

public sealed class CpuGoldenDatasetTests(CpuFixture cpu) : GoldenDatasets(cpu.Device), IClassFixture<CpuFixture>;

public sealed class CpuFilterConformanceTests(CpuFilterFixture cpu) : DeviceConformance(cpu.Device), IClassFixture<CpuFilterFixture>;
