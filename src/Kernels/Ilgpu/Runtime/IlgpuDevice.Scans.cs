namespace MonoLoss.Kernels.Ilgpu;

/// <content>Scans.</content>
public sealed partial class IlgpuDevice
{
    /// <summary>
    /// Replaces counts by offsets, in place: counts[i] = Σ_{j&lt;i} counts[j]. With one element more than there are counts, whatever it
    /// holds, the last one becomes the total.
    /// </summary>
    private void ExclusiveScan(DeviceArray<int> counts)
    {
        var tiles = (int)((counts.Length + ScanKernels.Tile - 1) / ScanKernels.Tile);
        var sums = Scratch<int>(nameof(ExclusiveScan), tiles).View;
        if (tiles > 1)
        {
            Launch(ScanKernels.SumTiles, new(tiles, GroupSize), View(counts), sums);
        }

        if (tiles > 0)
        {
            Launch(ScanKernels.ScanTiles, new(tiles, GroupSize), View(counts), sums);
        }
    }
}
