using MonoLoss.Kernels.Cpu;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Kernels;

/// <summary>Opens devices by name and lists those there are.</summary>
public static class DeviceFactory
{
    /// <summary>The names that <see cref="Open"/> takes, for help texts.</summary>
    public const string Names = "auto, cpu, cuda[:i], opencl[:i] or ilgpu-cpu";

    // More than any machine has cores; a process that starts some ten thousand is ended by the system.
    private const int MaxThreads = 1024;

    private const string Cpu = "cpu";
    private const string Expected = "expected auto, cpu, cuda, cuda:1 …, opencl, opencl:1 … or ilgpu-cpu";

    private static readonly string[] Accelerators = ["cuda", "opencl", "ilgpu-cpu"];

    /// <summary>Opens a device.</summary>
    /// <param name="name">Its name, or "auto" for the best available: a CUDA GPU, else an OpenCL GPU, else the CPU.</param>
    /// <param name="threads">CPU threads to use; 0 for one per core, at most 1024. Results do not depend on it.</param>
    /// <param name="tf32">Whether dense products may round their inputs to TF32 (NVIDIA GPUs of compute capability 8.0 or higher).</param>
    /// <exception cref="DeviceException">There is no such device, or it lacks something, or a parameter is out of range.</exception>
    public static Device Open(string name, int threads = 0, bool tf32 = false)
    {
        if (threads is < 0 or > MaxThreads)
        {
            throw new DeviceException($"threads must be from 0 to {MaxThreads}, but is {threads}", parameter: nameof(threads));
        }

        name = name == "auto" ? Best() : name;
        if (name == Cpu)
        {
            return tf32
                ? throw new DeviceException(
                    "tf32 requires an NVIDIA GPU of compute capability 8.0 or higher; the device is cpu", parameter: nameof(tf32))
                : new CpuDevice(threads);
        }

        if (!Accelerators.Contains(name.Split(':')[0]))
        {
            throw new DeviceException($"unknown device '{name}', {Expected}");
        }

        try
        {
            return OpenAccelerator(name, tf32);
        }
        catch (DeviceException exception)
        {
            throw new DeviceException($"device {name}: {exception.Message}", exception, exception.Parameter);
        }
    }

    /// <summary>All devices: those that can be opened, and for each kind of which there is none, what is missing.</summary>
    public static IEnumerable<DeviceInfo> List()
    {
        using var cpu = new CpuDevice();
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return [new DeviceInfo(Cpu, cpu.Description, memory, IsGpu: false, Missing: null), .. ListAccelerators()];
    }

    private static string Best() => IlgpuDevice.BestGpu() ?? Cpu;

    private static IlgpuDevice OpenAccelerator(string name, bool tf32) => IlgpuDevice.Open(name, tf32);

    private static IEnumerable<DeviceInfo> ListAccelerators()
    {
        var found = IlgpuDevice.List();
        foreach (var kind in Accelerators)
        {
            var devices = found.Where(device => device.Name.Split(':')[0] == kind).ToList();
            foreach (var device in devices)
            {
                yield return device;
            }

            if (devices.Count == 0)
            {
                yield return new DeviceInfo(kind, string.Empty, 0, IsGpu: false, IlgpuDevice.Missing(kind));
            }
        }
    }
}
