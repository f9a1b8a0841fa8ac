using System.Globalization;

namespace MonoLoss.Kernels;

/// <summary>The memory of a device that has its own.</summary>
/// <param name="Total">Total bytes.</param>
/// <param name="Free">Bytes that can still be allocated.</param>
/// <param name="InUse">Bytes held by the device's arrays.</param>
public readonly record struct DeviceMemory(long Total, long Free, long InUse)
{
    /// <summary>A number of bytes for the user: 12.3 GiB.</summary>
    public static string Format(long bytes)
    {
        string[] units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
        var unit = Math.Clamp((int)Math.Log(Math.Max(1, bytes), 1024), 0, units.Length - 1);
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / Math.Pow(1024, unit):0.#} {units[unit]}");
    }
}
