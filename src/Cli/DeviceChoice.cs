using MonoLoss.Kernels;
using MonoLoss.Kernels.Cpu;

namespace MonoLoss.Cli;

/// <summary>The devices that --device may name.</summary>
internal static class DeviceChoice
{
    /// <summary>The devices of this build.</summary>
    public static readonly IReadOnlyList<string> Names = ["cpu"];

    private static readonly string[] Accelerators = ["cuda", "opencl", "ilgpu-cpu"];

    /// <summary>Opens a device.</summary>
    /// <param name="name">Its name, or auto for the best there is.</param>
    /// <param name="threads">Threads of the processor to use; 0 for all.</param>
    /// <exception cref="UsageException">There is no such device.</exception>
    public static Device Open(string name, int threads)
    {
        if (threads < 0)
        {
            throw new UsageException($"--threads must not be negative, not {threads}");
        }

        return name switch
        {
            "auto" or "cpu" => new CpuDevice(threads),
            _ when Accelerators.Contains(name) => throw new UsageException($"--device {name}: this build has the cpu device only"),
            _ => throw new UsageException($"--device: there is no device '{name}', expected auto or one of {string.Join(", ", Names)}"),
        };
    }
}
