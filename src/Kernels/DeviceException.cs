namespace MonoLoss.Kernels;

/// <summary>A device cannot be had, or cannot do what is asked of it: the message is one line for the user.</summary>
/// <param name="message">What is missing, and what would help.</param>
/// <param name="inner">What the driver said.</param>
public class DeviceException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A device's memory does not suffice.</summary>
/// <param name="device">The device's name.</param>
/// <param name="requested">Bytes that were asked for.</param>
/// <param name="memory">What the device has.</param>
/// <param name="inner">What the driver said.</param>
public sealed class DeviceMemoryException(string device, long requested, DeviceMemory memory, Exception? inner = null)
    : DeviceException(
        $"{device} has not enough memory: {DeviceMemory.Format(requested)} more were needed with {DeviceMemory.Format(memory.InUse)} "
            + $"in use of {DeviceMemory.Format(memory.Total)}: try a smaller --batch-size or --latents",
        inner)
{
    /// <summary>Bytes that were asked for.</summary>
    public long Requested => requested;

    /// <summary>What the device has.</summary>
    public DeviceMemory Memory => memory;
}
