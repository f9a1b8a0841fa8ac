namespace MonoLoss.Kernels.Ilgpu;

/// <summary>How an accelerator is opened, including settings that only benchmarks and tests use.</summary>
internal sealed record IlgpuDeviceOptions
{
    /// <summary>Whether dense products may round to TF32 (<see cref="IlgpuDevice.UseTf32"/>).</summary>
    public bool UseTf32 { get; init; }

    /// <summary>Whether launches can be timed: drivers may be slower with it.</summary>
    public bool Profiling { get; init; }

    /// <summary>Memory of the simulated device in bytes; 0 for that of the machine.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Multiprocessors that products are planned for; 0 for those that the accelerator has.</summary>
    public int MultiprocessorCount { get; init; }

    /// <summary>The most rows that are encoded at once.</summary>
    public int MaxEncodedRows { get; init; } = int.MaxValue;

    /// <summary>Watches the launches; null for none.</summary>
    public ILaunchObserver? Observer { get; init; }

    /// <summary>Runs kernels in place of ILGPU; null for ILGPU.</summary>
    public IKernelExecutor? Executor { get; init; }
}
