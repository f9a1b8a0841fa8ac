using MonoLoss.Kernels.Cpu;
using MonoLoss.Kernels.Ilgpu;

namespace MonoLoss.Kernels;

/// <summary>The devices that --device may name.</summary>
public static class DeviceFactory
{
    /// <summary>What --device takes, for help pages.</summary>
    public const string Names = "auto, cpu, cuda[:i], opencl[:i] or ilgpu-cpu";

    private const string Cpu = "cpu";
    private const string Expected = "expected auto, cpu, cuda, cuda:1 …, opencl, opencl:1 … or ilgpu-cpu";

    private static readonly string[] Accelerators = ["cuda", "opencl", "ilgpu-cpu"];

    /// <summary>Opens a device.</summary>
    /// <param name="name">Its name, or auto for the best there is: a CUDA GPU, else an OpenCL one, else the processor.</param>
    /// <param name="threads">Threads of the processor to use; 0 for all.</param>
    /// <param name="tf32">Whether dense products may round to TF32.</param>
    /// <exception cref="DeviceException">There is no such device, or it cannot do that.</exception>
    public static Device Open(string name, int threads, bool tf32 = false)
    {
        if (threads < 0)
        {
            throw new DeviceException($"--threads must not be negative, not {threads}");
        }

        name = name == "auto" ? Best() : name;
        if (name == Cpu)
        {
            return tf32
                ? throw new DeviceException("--tf32 is for NVIDIA GPUs of compute capability 8.0 or more: the cpu device has no TF32")
                : new CpuDevice(threads);
        }

        if (!Accelerators.Contains(name.Split(':')[0]))
        {
            throw new DeviceException($"--device: there is no device '{name}', {Expected}");
        }

        try
        {
            return OpenAccelerator(name, tf32);
        }
        catch (DeviceException exception)
        {
            throw new DeviceException($"--device {name}: {exception.Message}", exception);
        }
    }

    /// <summary>Every device, and what is missing for those that are not there.</summary>
    public static IEnumerable<DeviceInfo> List()
    {
        using var cpu = new CpuDevice();
        return [new DeviceInfo(Cpu, cpu.Description, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, IsGpu: false, Missing: null), .. ListAccelerators()];
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
