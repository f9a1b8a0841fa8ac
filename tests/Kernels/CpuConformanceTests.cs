using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Tests.Kernels;

public sealed class CpuConformanceTests() : DeviceConformance(new CpuDevice(2));

public sealed class CpuFilterConformanceTests() : DeviceConformance(new CpuDevice(2, FilterUse.Always));
