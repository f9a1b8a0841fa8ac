using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Runs kernels in ILGPU's entry: for tests.</summary>
internal interface IKernelExecutor
{
    /// <summary>Runs a kernel to its end.</summary>
    /// <param name="kernel">The method, a generic one with its types.</param>
    /// <param name="config">Groups and their threads.</param>
    /// <param name="arguments">What the method takes.</param>
    void Run(MethodInfo kernel, KernelConfig config, params object[] arguments);
}
