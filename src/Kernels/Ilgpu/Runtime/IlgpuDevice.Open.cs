using System.Globalization;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Finding accelerators and opening one.</content>
public sealed partial class IlgpuDevice
{
    private const string Cuda = "cuda";
    private const string OpenCL = "opencl";
    private const string Simulation = "ilgpu-cpu";

    // The simulation has NVIDIA's warp size, and groups of GroupSize.
    private const int WarpSize = 32;
    private const int Multiprocessors = 1;

    static IlgpuDevice()
    {
        // An assembly can have one resolver. Under WSL, ILGPU sets its own, which looks in this folder.
        if (Directory.Exists("/usr/lib/wsl/lib"))
        {
            return;
        }

        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, ResolveDriver);
        }
        catch (InvalidOperationException)
        {
            // The host program has set one for ILGPU already, which has to find the drivers.
        }
    }

    /// <summary>The available accelerators, preferred ones first, each with what it lacks.</summary>
    public static IReadOnlyList<DeviceInfo> List() =>
        [.. CudaDevices().Select(Describe), .. OpenCLDevices().Select(Describe), DescribeSimulation()];

    /// <summary>The name of the preferred GPU; null if none can run the kernels.</summary>
    public static string? BestGpu() => List().FirstOrDefault(device => device.IsGpu && device.Missing is null)?.Name;

    /// <summary>Explains to the user why no device of a kind was found: no driver, or what the driver reports.</summary>
    /// <param name="kind">cuda or opencl.</param>
    public static string Missing(string kind)
    {
        if (!TryLoadDriver(kind, out var library))
        {
            return kind == Cuda ? "NVIDIA's driver (libcuda) was not found" : "an OpenCL driver (libOpenCL) was not found";
        }

        if (kind == Cuda)
        {
            var error = CudaAPI.CurrentAPI.GetDeviceCount(out _);
            var reason = error == CudaError.CUDA_SUCCESS ? string.Empty : $" ({error})";
            return $"the CUDA driver finds no NVIDIA GPU{reason}";
        }

        var failures = OpenCLPlatforms.List().Failures;
        return failures.Count > 0 ? string.Join("; ", failures) : OpenCLPlatforms.WhyNoPlatform(library);
    }

    /// <summary>Opens an accelerator.</summary>
    /// <param name="name">
    /// cuda, cuda:1, opencl, opencl:1, or ilgpu-cpu: ILGPU's simulation of a GPU, for checking kernels at small sizes.
    /// </param>
    /// <param name="tf32">Whether products of dense matrices may round to TF32 (NVIDIA GPUs of compute capability 8.0 or more).</param>
    /// <exception cref="DeviceException">No device has that name, or it lacks something the kernels need.</exception>
    public static IlgpuDevice Open(string name, bool tf32 = false) => Open(name, new IlgpuDeviceOptions { UseTf32 = tf32 });

    /// <inheritdoc cref="Open(string, bool)"/>
    /// <param name="name">The device: cuda, cuda:1, opencl, opencl:1 or ilgpu-cpu.</param>
    /// <param name="options">Settings for the device, some for benchmarks and tests alone.</param>
    internal static IlgpuDevice Open(string name, IlgpuDeviceOptions options)
    {
        var colon = name.IndexOf(':');
        var kind = colon < 0 ? name : name[..colon];
        var index = 0;
        if (colon >= 0 && !int.TryParse(name.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out index))
        {
            throw new DeviceException($"expected a number after the colon, such as {kind}:0");
        }

        return kind switch
        {
            Cuda => OpenCuda(index, options),
            OpenCL => OpenOpenCL(index, options),
            Simulation when colon < 0 => OpenSimulation(options),
            _ => throw new DeviceException($"unknown device '{name}': expected cuda, opencl or {Simulation}"),
        };
    }

    /// <summary>ILGPU's simulation of a GPU on the processor: for checking kernels, at small sizes.</summary>
    internal static IlgpuDevice OpenSimulation(IlgpuDeviceOptions? options = null)
    {
        options ??= new IlgpuDeviceOptions();
        return Create(
            Simulation,
            builder => builder.CPU(new CPUDevice(WarpSize, GroupSize / WarpSize, Multiprocessors)),
            options.MemoryBytes > 0 ? options.MemoryBytes : HostMemory(),
            options);
    }

    private static IlgpuDevice OpenCuda(int index, IlgpuDeviceOptions options)
    {
        var device = Find(CudaDevices(), Cuda, index);
        var name = UsableName(Describe(device, index));
        return Create(name, builder => builder.Cuda(candidate => candidate.DeviceId == device.DeviceId), device.MemorySize, options);
    }

    private static IlgpuDevice OpenOpenCL(int index, IlgpuDeviceOptions options)
    {
        var device = Find(OpenCLDevices(), OpenCL, index);
        var name = UsableName(Describe(device, index));
        return Create(name, builder => builder.OpenCL(candidate => candidate.DeviceId == device.DeviceId), device.MemorySize, options);
    }

    private static string UsableName(DeviceInfo info) => info.Missing is null
        ? info.Name
        : throw new DeviceException($"{info.Name} ({info.Description}) {info.Missing}");

    private static IlgpuDevice Create(
        string name, Func<Context.Builder, Context.Builder> choose, long memoryBytes, IlgpuDeviceOptions options)
    {
        Context? context = null;
        try
        {
            context = Context.Create(builder =>
            {
                builder = choose(builder).EnableAlgorithms().EnableTensorCore().Optimize(OptimizationLevel.O2);
                if (options.Profiling)
                {
                    builder.Profiling();
                }
            });
            var accelerator = context.Devices[0].CreateAccelerator(context);
            RemoveCodePlacement(accelerator);
            return new IlgpuDevice(name, context, accelerator, memoryBytes, options);
        }
        catch (Exception exception) when (exception is AcceleratorException or NotSupportedException or ArgumentOutOfRangeException)
        {
            context?.Dispose();
            throw new DeviceException(exception.Message, exception);
        }
    }

    private static void RemoveCodePlacement(Accelerator accelerator)
    {
        if (accelerator is CudaAccelerator cuda)
        {
            IlgpuWorkarounds.RemoveCodePlacement(cuda.Backend);
        }
        else if (accelerator is CLAccelerator opencl)
        {
            IlgpuWorkarounds.RemoveCodePlacement(opencl.Backend);
        }
    }

    private static TDevice Find<TDevice>(IReadOnlyList<TDevice> devices, string kind, int index) =>
        index < devices.Count ? devices[index]
        : devices.Count == 0 ? throw new DeviceException($"no {kind} device found: {Missing(kind)}")
        : throw new DeviceException($"no {kind}:{index}; the last is {kind}:{devices.Count - 1}");

    private static List<CudaDevice> CudaDevices() => [.. CudaDevice.GetDevices(_ => true).OfType<CudaDevice>()];

    private static IReadOnlyList<CLDevice> OpenCLDevices() => OpenCLPlatforms.List().Devices;

    private static DeviceInfo Describe(CudaDevice device, int index) => new(
        $"{Cuda}:{index}",
        $"{device.Name}, compute capability {device.Architecture?.Major}.{device.Architecture?.Minor}",
        device.MemorySize,
        IsGpu: true,
        device.InstructionSet is null ? "lacks a driver whose PTX version ILGPU 1.5.3 knows" : null);

    private static DeviceInfo Describe(CLDevice device, int index)
    {
        var needs = new (bool Has, string What)[]
        {
            (device.CVersion >= CLBackend.MinimumVersion, $"OpenCL C {CLBackend.MinimumVersion}"),
            (device.Capabilities.GenericAddressSpace, "a generic address space"),
            (device.Capabilities.Float64, "float64 (cl_khr_fp64)"),
            // ILGPU 1.5.3 generates shuffles by Intel's extension only, and for Intel's platforms only.
            (device.Vendor == CLDeviceVendor.Intel && device.HasExtension("cl_intel_subgroups"),
                "shuffles within subgroups (Intel's cl_intel_subgroups)"),
            (device.MaxNumThreadsPerGroup >= GroupSize, $"groups of {GroupSize} threads"),
        };
        var missing = needs.Where(need => !need.Has).Select(need => need.What).ToList();
        return new DeviceInfo(
            $"{OpenCL}:{index}",
            $"{device.Name}, {device.PlatformName}",
            device.MemorySize,
            device.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_GPU),
            missing.Count > 0 ? $"lacks {string.Join(", ", missing)}" : null);
    }

    private static DeviceInfo DescribeSimulation() => new(
        Simulation, "ILGPU's simulation of a GPU, for checking kernels at small sizes", HostMemory(), IsGpu: false, Missing: null);

    private static long HostMemory() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private static bool TryLoadDriver(string kind, out nint library)
    {
        library = ResolveDriver(kind == Cuda ? "cuda" : "OpenCL", typeof(Context).Assembly, path: null);
        return library != 0;
    }

    /// <summary>
    /// The names that a driver's library may have. ILGPU tries only the first, which on Linux comes with developer packages.
    /// </summary>
    private static string[] DriverNames(string kind) =>
        kind == Cuda ? [OperatingSystem.IsWindows() ? "nvcuda" : "cuda", "libcuda.so.1"] : ["OpenCL", "libOpenCL.so.1"];

    private static nint ResolveDriver(string library, System.Reflection.Assembly assembly, DllImportSearchPath? path)
    {
        var names = library switch
        {
            "cuda" => DriverNames(Cuda),
            "OpenCL" => DriverNames(OpenCL),
            _ => [],
        };
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, assembly, path, out var handle))
            {
                return handle;
            }
        }

        return 0;
    }
}
