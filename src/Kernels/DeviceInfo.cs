namespace MonoLoss.Kernels;

/// <summary>A device that can be opened, or one that would be there if something were not missing.</summary>
/// <param name="Name">The name that <see cref="DeviceFactory.Open"/> takes.</param>
/// <param name="Description">The hardware's name and what it can do, for people.</param>
/// <param name="MemoryBytes">Its memory in bytes; 0 if unknown.</param>
/// <param name="IsGpu">Whether it is a GPU, rather than a CPU under OpenCL or a simulation.</param>
/// <param name="Missing">What is missing to run the kernels, as the end of a sentence; null if nothing is.</param>
public sealed record DeviceInfo(string Name, string Description, long MemoryBytes, bool IsGpu, string? Missing);
