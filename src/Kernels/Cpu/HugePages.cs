using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>Asks the system for large pages, where it takes such advice.</summary>
internal static unsafe partial class HugePages
{
    // madvise's MADV_HUGEPAGE, the same on every architecture of Linux.
    private const int Advice = 14;

    /// <summary>Asks for a range to be backed by huge pages. It is advice: nothing depends on the answer.</summary>
    /// <param name="start">Where the range begins, at a multiple of a page.</param>
    /// <param name="bytes">Its length.</param>
    public static void Ask(void* start, nuint bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(start, bytes, Advice);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
