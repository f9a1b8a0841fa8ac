using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Tests.Kernels.Ilgpu;

/// <summary>The kernels of the ILGPU device on ILGPU's simulation of a GPU.</summary>
public sealed class IlgpuConformanceTests() : DeviceConformance(IlgpuDevice.OpenSimulation());
