using System.Reflection;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>Watches the launches of a device: for benchmarks and tests.</summary>
internal interface ILaunchObserver
{
    /// <summary>A kernel is about to be launched.</summary>
    /// <param name="kernel">The method; for a generic kernel, with its type arguments.</param>
    /// <param name="threads">Threads of all groups together.</param>
    void Launching(MethodInfo kernel, long threads);

    /// <summary>The last kernel was handed to the accelerator.</summary>
    void Launched();
}
