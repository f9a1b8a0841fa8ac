using System.Reflection;
using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Runs kernels in place of ILGPU: for tests.</summary>
internal interface IKernelExecutor
{
    /// <summary>Runs a kernel and returns when it has finished.</summary>
    /// <param name="kernel">The method; for a generic kernel, with its type arguments.</param>
    /// <param name="config">Groups and their threads.</param>
    /// <param name="arguments">The arguments of the method.</param>
    void Run(MethodInfo kernel, KernelConfig config, params object[] arguments);
}
