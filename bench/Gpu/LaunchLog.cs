using System.Reflection;
using ILGPU.Runtime;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Bench;

/// <summary>One launch of a kernel.</summary>
/// <param name="Kernel">The kernel's method, with its type arguments.</param>
/// <param name="Threads">Threads of all its groups.</param>
/// <param name="Seconds">The time on the accelerator, 0 if it was not measured.</param>
internal readonly record struct KernelLaunch(MethodInfo Kernel, long Threads, double Seconds);

/// <summary>Records the kernels that a device launches, and how long each takes if the device was opened for profiling.</summary>
internal sealed class LaunchLog : ILaunchObserver
{
    private IlgpuDevice? _device;

    private readonly List<(MethodInfo Kernel, long Threads, ProfilingMarker? Begin, ProfilingMarker? End)> _launches = [];

    /// <summary>Runs some work and returns the kernels that it launched.</summary>
    /// <param name="device">The device, opened with this as its observer.</param>
    /// <param name="work">The work.</param>
    public IReadOnlyList<KernelLaunch> During(IlgpuDevice device, Action work)
    {
        _device = device;
        work();
        _device = null;
        device.Synchronize();
        var launches = _launches.Select(launch => new KernelLaunch(
            launch.Kernel, launch.Threads, launch.Begin is { } begin ? launch.End!.MeasureFrom(begin).TotalSeconds : 0)).ToArray();
        _launches.ForEach(launch =>
        {
            launch.Begin?.Dispose();
            launch.End?.Dispose();
        });
        _launches.Clear();
        return launches;
    }

    /// <inheritdoc/>
    public void Launching(MethodInfo kernel, long threads)
    {
        if (_device is not null)
        {
            _launches.Add((Definition(kernel), threads, Marker(), null));
        }
    }

    /// <inheritdoc/>
    public void Launched()
    {
        if (_device is not null)
        {
            _launches[^1] = _launches[^1] with { End = Marker() };
        }
    }

    private static MethodInfo Definition(MethodInfo kernel) => kernel.IsGenericMethod ? kernel.GetGenericMethodDefinition() : kernel;

    private ProfilingMarker? Marker() => _device is { Options.Profiling: true } device ? device.Stream.AddProfilingMarker() : null;
}
