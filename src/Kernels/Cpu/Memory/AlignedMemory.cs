using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Native memory, aligned to a cache line; large blocks are on huge pages where the system takes such advice. Sparse kernels jump from
/// row to row, each on a page of its own: on huge pages their addresses stay in the TLB.
/// </summary>
internal static unsafe partial class AlignedMemory
{
    private const nuint CacheLine = 64;
    private const nuint HugePage = 2 << 20;

    // madvise's MADV_HUGEPAGE, the same on every architecture of Linux.
    private const int UseHugePages = 14;

    /// <summary>Takes memory; its contents are undefined.</summary>
    /// <param name="bytes">How much; more may be taken.</param>
    public static void* Allocate(nuint bytes)
    {
        if (bytes < 2 * HugePage || !OperatingSystem.IsLinux())
        {
            return NativeMemory.AlignedAlloc((Math.Max(bytes, 1) + CacheLine - 1) / CacheLine * CacheLine, CacheLine);
        }

        bytes = (bytes + HugePage - 1) / HugePage * HugePage;
        var memory = NativeMemory.AlignedAlloc(bytes, HugePage);
        // Advice: nothing depends on the answer.
        _ = Advise(memory, bytes, UseHugePages);
        return memory;
    }

    /// <summary>Gives memory back.</summary>
    public static void Free(void* memory) => NativeMemory.AlignedFree(memory);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
