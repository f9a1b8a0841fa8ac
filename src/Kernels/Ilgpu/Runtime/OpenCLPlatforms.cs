using System.Runtime.InteropServices;
using ILGPU.Runtime.OpenCL;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>The OpenCL devices of every platform, and why a platform or a device cannot be used.</summary>
internal static class OpenCLPlatforms
{
    private const int MaxDevices = 64;

    // The loader's error code when no vendor's driver is registered; ILGPU has no name for it.
    private const int PlatformNotFound = -1001;

    /// <summary>
    /// Asks every platform for its devices. Unlike ILGPU's own list, this continues after a platform or device whose driver fails.
    /// </summary>
    /// <returns>The devices, and one sentence per failure.</returns>
    public static (IReadOnlyList<CLDevice> Devices, IReadOnlyList<string> Failures) List()
    {
        var devices = new List<CLDevice>();
        var failures = new List<string>();
        var api = CLAPI.CurrentAPI;
        if (!api.IsSupported)
        {
            return (devices, failures);
        }

        var platforms = Array.Empty<nint>();
        var error = api.GetNumPlatforms(out var count);
        if (error == CLError.CL_SUCCESS && count > 0)
        {
            platforms = new nint[count];
            error = api.GetPlatforms(platforms, ref count);
        }

        if (error != CLError.CL_SUCCESS)
        {
            failures.Add($"OpenCL cannot list its platforms ({error})");
            return (devices, failures);
        }

        foreach (var platform in platforms)
        {
            AddDevices(api, platform, devices, failures);
        }

        return (devices, failures);
    }

    /// <summary>Explains why OpenCL has no platform although its library is installed; ILGPU hides the reason.</summary>
    /// <param name="library">The library's handle.</param>
    public static unsafe string WhyNoPlatform(nint library)
    {
        var count = 0u;
        var error = NativeLibrary.TryGetExport(library, "clGetPlatformIDs", out var address)
            ? ((delegate* unmanaged<uint, nint*, uint*, int>)address)(0, null, &count)
            : PlatformNotFound;
        return error is PlatformNotFound or (int)CLError.CL_SUCCESS
            ? "OpenCL is installed, but no vendor's driver is registered with it (on Linux by a file in /etc/OpenCL/vendors)"
            : $"OpenCL is installed, but cannot list its platforms ({(CLError)error})";
    }

    private static void AddDevices(CLAPI api, nint platform, List<CLDevice> devices, List<string> failures)
    {
        var name = "an OpenCL platform";
        try
        {
            name = $"the OpenCL platform '{api.GetPlatformInfo(platform, CLPlatformInfoType.CL_PLATFORM_NAME)}'";
            var handles = new nint[MaxDevices];
            var error = api.GetDevices(platform, CLDeviceType.CL_DEVICE_TYPE_ALL, handles, out var count);
            if (error != CLError.CL_SUCCESS || count == 0)
            {
                var hasNone = error is CLError.CL_DEVICE_NOT_FOUND or CLError.CL_SUCCESS;
                failures.Add(hasNone ? $"{name} has no device" : $"{name} cannot list its devices ({error})");
                return;
            }

            foreach (var handle in handles.AsSpan(0, Math.Min(count, MaxDevices)))
            {
                if (api.GetDeviceInfo<int>(handle, CLDeviceInfoType.CL_DEVICE_AVAILABLE) == 0)
                {
                    failures.Add($"a device of {name} is not available");
                    continue;
                }

                devices.Add(new CLDevice(platform, handle));
            }
        }
        catch (Exception exception) when (exception is CLException or ArgumentException or InvalidOperationException or OverflowException)
        {
            failures.Add($"the driver of {name} fails: {exception.Message}");
        }
    }
}
