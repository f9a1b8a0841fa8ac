using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Steps since each latent fired.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void UpdateStepsSinceFired(CsrMatrix s, DeviceArray<int> counters, int fired)
    {
        Require(s.HasColumnIndex && counters.Length == s.Columns, "columns indexed, and one counter a latent");
        Launch(
            DeadLatentKernels.UpdateStepsSinceFired,
            Elements(s.Columns),
            View(s.ColumnOffsets),
            View(s.EntryOf),
            View(s.Values),
            View(counters),
            fired);
    }

    /// <inheritdoc/>
    public override int FindDead(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        list.Resize(counters.Length);
        var groups = Elements(counters.Length);
        var counts = Scratch<int>("silent counts", groups.GridDim.X).View;
        var total = Scratch<int>("silent total", 1);
        Launch(DeadLatentKernels.CountDead, groups, View(counters), least, counts);
        Launch(
            DeadLatentKernels.FindDead, groups, View(counters), least, counts, View(list), total.View);
        Span<int> count = stackalloc int[1];
        total.CopyTo(count);
        list.Resize(count[0]);
        return count[0];
    }
}
