using MonoLoss.Kernels;

namespace MonoLoss.Autodiff;

/// <summary>Reads single numbers from a device.</summary>
internal static class Host
{
    /// <summary>Waits for an element.</summary>
    public static double Read(DeviceArray<double> source, long index)
    {
        Span<double> number = stackalloc double[1];
        source.CopyTo(number, index);
        return number[0];
    }
}
