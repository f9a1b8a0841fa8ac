using System.Reflection;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>One launch of a kernel.</summary>
/// <param name="Kernel">Which.</param>
/// <param name="Threads">Threads of all its groups.</param>
/// <param name="Seconds">What it took on the accelerator, 0 where that was not measured.</param>
internal readonly record struct KernelLaunch(MethodInfo Kernel, long Threads, double Seconds);

/// <summary>Notes the kernels that a device launches, and how long each takes where the device was opened for profiling.</summary>
/// <param name="device">The device.</param>
/// <param name="profile">Whether to take times.</param>
internal sealed class LaunchLog(IlgpuDevice device, bool profile) : ILaunchObserver
{
    private readonly List<(MethodInfo Kernel, long Threads, ProfilingMarker? Begin, ProfilingMarker? End)> _launches = [];

    /// <summary>The kernels that some work launches.</summary>
    public IReadOnlyList<KernelLaunch> During(Action work)
    {
        device.Observer = this;
        work();
        device.Observer = null;
        device.Synchronize();
        var launches = _launches.Select(launch => new KernelLaunch(
            launch.Kernel, launch.Threads, profile ? launch.End!.MeasureFrom(launch.Begin!).TotalSeconds : 0)).ToArray();
        _launches.ForEach(launch =>
        {
            launch.Begin?.Dispose();
            launch.End?.Dispose();
        });
        _launches.Clear();
        return launches;
    }

    /// <inheritdoc/>
    public void Launching(MethodInfo kernel, long threads) => _launches.Add((Definition(kernel), threads, Marker(), null));

    /// <inheritdoc/>
    public void Launched() => _launches[^1] = _launches[^1] with { End = Marker() };

    private static MethodInfo Definition(MethodInfo kernel) => kernel.IsGenericMethod ? kernel.GetGenericMethodDefinition() : kernel;

    private ProfilingMarker? Marker() => profile ? device.Stream.AddProfilingMarker() : null;
}
