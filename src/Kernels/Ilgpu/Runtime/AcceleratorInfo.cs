namespace MonoLoss.Kernels.Ilgpu;

/// <summary>An accelerator that ILGPU finds.</summary>
/// <param name="Name">What <see cref="IlgpuDevice.Open"/> takes.</param>
/// <param name="Description">Its own name, and what it can do.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="IsGpu">Whether it is a GPU, and not a processor that OpenCL runs on or a simulation.</param>
/// <param name="Lacks">What it lacks to run the kernels; null for nothing.</param>
public sealed record AcceleratorInfo(string Name, string Description, long MemoryBytes, bool IsGpu, string? Lacks);
