namespace MonoLoss.Kernels;

/// <summary>A device is missing, or lacks what was asked of it. The message is one line for the user.</summary>
/// <param name="message">What is missing, and what would help.</param>
/// <param name="inner">The driver's error, if it reported one.</param>
/// <param name="parameter">The parameter of <see cref="DeviceFactory.Open"/> that the message mentions, if it does.</param>
public class DeviceException(string message, Exception? inner = null, string? parameter = null) : Exception(message, inner)
{
    /// <summary>
    /// The parameter of <see cref="DeviceFactory.Open"/> that the message mentions, so that a user interface can replace it by its own
    /// name; null for none.
    /// </summary>
    public string? Parameter => parameter;
}

/// <summary>A device has too little memory.</summary>
/// <param name="device">The device's name.</param>
/// <param name="requested">Bytes requested.</param>
/// <param name="memory">The device's memory at that moment.</param>
/// <param name="inner">The driver's error, if it reported one.</param>
public sealed class DeviceMemoryException(string device, long requested, DeviceMemory memory, Exception? inner = null)
    : DeviceException(
        $"{device} is out of memory: {DeviceMemory.Format(requested)} requested with {DeviceMemory.Format(memory.InUse)} in use of "
            + DeviceMemory.Format(memory.Total),
        inner)
{
    /// <summary>Bytes requested.</summary>
    public long Requested => requested;

    /// <summary>The device's memory at that moment.</summary>
    public DeviceMemory Memory => memory;
}
