using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>Steps since each latent fired.</content>
public sealed partial class IlgpuDevice
{
    /// <inheritdoc/>
    public override void UpdateStepsSinceFired(CsrMatrix s, DeviceArray<int> counters, int fired)
    {
        RequireColumnIndex(s);
        Require(counters.Length == s.Columns, $"{counters.Length} counters for {s.Columns} latents");
        UpdateStepsSinceFired(s, View(counters), fired, View(counters));
    }

    /// <inheritdoc/>
    public override int FindDead(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        ListDead(counters, least, list);
        Span<int> state = stackalloc int[SelectionKernels.StateLength];
        Scratch.Selection.CopyTo(state);
        list.Resize(state[SelectionKernels.Dead]);
        return state[SelectionKernels.Dead];
    }

    /// <inheritdoc/>
    public override int FindDead(CsrMatrix s, DeviceArray<int> counters, int fired, int least, DeviceArray<int> list)
    {
        Require(counters.Length == s.Columns, $"{counters.Length} counters for {s.Columns} latents");
        var isSelecting = _isSelectionOpen && _selection.Latents == s;
        if (!isSelecting)
        {
            FinishSelection();
        }

        // This uses the selection's result before the host has checked it, and is repeated if the selection turns out incomplete.
        _isSelectionOpen = false;
        var (after, before) = (View(counters), View(counters));
        if (isSelecting)
        {
            before = Scratch.StepsBefore.WithLength(counters.Length).View;
            before.CopyFrom(Stream, after);
        }

        Span<int> state = stackalloc int[SelectionKernels.StateLength];
        do
        {
            BuildColumnIndex(s);
            UpdateStepsSinceFired(s, before, fired, after);
            ListDead(counters, least, list);
            if (s.CountIsBound)
            {
                var nonzeros = Scratch.Selection.View.SubView(SelectionKernels.Nonzeros, 1);
                nonzeros.CopyFrom(Stream, View(s.RowOffsets).SubView(s.Rows, 1));
            }

            Scratch.Selection.CopyTo(state);
        }
        while (isSelecting && !Conclude(state));
        if (s.CountIsBound)
        {
            s.SetNonzeroCount(state[SelectionKernels.Nonzeros]);
        }

        list.Resize(state[SelectionKernels.Dead]);
        return state[SelectionKernels.Dead];
    }

    /// <inheritdoc/>
    public override void CountDead(DeviceArray<int> counters, int least, DeviceArray<double> result) =>
        Launch(DeadLatentKernels.CountAll, Groups(1), View(counters), least, View(result));

    private void UpdateStepsSinceFired(CsrMatrix s, ArrayView<int> before, int fired, ArrayView<int> after) => Launch(
        DeadLatentKernels.UpdateStepsSinceFired,
        Elements(s.Columns),
        View(s.ColumnOffsets),
        View(s.OpenEntryOf),
        View(s.OpenValues),
        before,
        fired,
        after);

    /// <summary>Lists dead latents and leaves their number in <see cref="IlgpuScratch.Selection"/>.</summary>
    private void ListDead(DeviceArray<int> counters, int least, DeviceArray<int> list)
    {
        list.Resize(counters.Length);
        var groups = Elements(counters.Length);
        var counts = Scratch.DeadCounts.WithLength(groups.GridDim.X).View;
        var state = Scratch.Selection.WithLength(SelectionKernels.StateLength).View;
        Launch(DeadLatentKernels.CountDead, groups, View(counters), least, counts);
        Launch(DeadLatentKernels.FindDead, groups, View(counters), least, counts, View(list), state);
    }
}
