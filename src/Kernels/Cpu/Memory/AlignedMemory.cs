using System.Runtime.InteropServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// A block of native memory, aligned to a cache line. Large blocks lie on huge pages where Linux grants them: sparse kernels jump from
/// row to row, each on a different small page, and with huge pages the addresses stay in the TLB.
/// </summary>
internal sealed unsafe partial class AlignedMemory : SafeHandle
{
    private const nuint CacheLine = 64;
    private const nuint HugePage = 2 << 20;

    // madvise's MADV_HUGEPAGE, the same on every architecture of Linux.
    private const int UseHugePages = 14;

    /// <summary>Allocates a block; its contents are undefined.</summary>
    /// <param name="bytes">The least size; it is rounded up to whole lines or pages.</param>
    public AlignedMemory(nuint bytes)
        : base(0, ownsHandle: true)
    {
        if (bytes < 2 * HugePage || !OperatingSystem.IsLinux())
        {
            SetHandle((nint)NativeMemory.AlignedAlloc((Math.Max(bytes, 1) + CacheLine - 1) / CacheLine * CacheLine, CacheLine));
            return;
        }

        bytes = (bytes + HugePage - 1) / HugePage * HugePage;
        SetHandle((nint)NativeMemory.AlignedAlloc(bytes, HugePage));
        // Only advice: nothing depends on whether it is taken.
        _ = Advise((void*)handle, bytes, UseHugePages);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The first byte.</summary>
    public void* Pointer => (void*)handle;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
