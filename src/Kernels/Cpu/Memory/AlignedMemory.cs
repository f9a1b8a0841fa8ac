using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// A block of native memory, aligned to a cache line. Large blocks lie on huge pages where Linux grants them: sparse kernels jump from
/// row to row, each on a different small page, and with huge pages the addresses stay in the TLB.
/// </summary>
/// <remarks>
/// There is no finalizer, on purpose. Kernels work on raw pointers: the garbage collector may find an array unreachable while the kernel
/// that reads it still runs. A block that is never disposed leaks instead of being freed under that kernel.
/// </remarks>
internal sealed unsafe partial class AlignedMemory : IDisposable
{
    private const nuint CacheLine = 64;
    private const nuint HugePage = 2 << 20;

    // madvise's MADV_HUGEPAGE, the same on every architecture of Linux.
    private const int UseHugePages = 14;

    /// <summary>Allocates a block; its contents are undefined.</summary>
    /// <param name="bytes">The least size; it is rounded up to whole lines or pages.</param>
    public AlignedMemory(nuint bytes)
    {
        if (bytes < 2 * HugePage || !OperatingSystem.IsLinux())
        {
            Pointer = NativeMemory.AlignedAlloc((Math.Max(bytes, 1) + CacheLine - 1) / CacheLine * CacheLine, CacheLine);
            return;
        }

        bytes = (bytes + HugePage - 1) / HugePage * HugePage;
        Pointer = NativeMemory.AlignedAlloc(bytes, HugePage);
        // Only advice: nothing depends on whether it is taken.
        _ = Advise(Pointer, bytes, UseHugePages);
    }

    /// <summary>The first byte; null once the block is freed.</summary>
    public void* Pointer { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
