using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

public sealed class CpuConformanceTests() : DeviceConformance(new CpuDevice(2));
