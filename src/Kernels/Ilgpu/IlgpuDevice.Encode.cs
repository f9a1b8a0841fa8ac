using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>
/// Encode: the product of some rows leaves their pre-activations in the level-2 cache, and selection reads them from there. What is
/// kept is listed as far as the arrays of the result have room, which after the first batch they have; if not, all is done again.
/// </content>
public sealed partial class IlgpuDevice
{
    // A batch's threshold is close to the last one's; a little lower, so that the search rarely has to start anew.
    private const float ThresholdHint = 0.9f;

    // 32 MB of pre-activations at once; but enough rows for selection, a warp each, to fill a GPU.
    private const long ChunkLength = 8 << 20;
    private const int MinRows = 1024;

    // Where nothing is known: room for so many latents a row.
    private const int InitialLatentsPerRow = 64;

    private const int MaxDigitGroups = 512;
    private const int ValuesPerThread = 8;

    /// <summary>How many rows are encoded at once, at most: for tests.</summary>
    internal int MaxEncodedRows { get; set; } = int.MaxValue;

    /// <inheritdoc/>
    public override void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        k = Math.Min(k, weights.Rows);
        var most = (long)x.Rows * k;
        Require(most <= int.MaxValue, $"{x.Rows} rows of {k} latents are more than {int.MaxValue} nonzeros");
        latents.Indices.Resize(most);
        latents.Values.Resize(most);
        if (most == 0)
        {
            ClearOffsets(latents.RowOffsets, x.Rows);
            latents.Resize(x.Rows, weights.Rows, 0);
            return;
        }

        ForEachChunk(x, weights, bias, latents.RowOffsets, (pre, rows, counts, offsets) =>
        {
            var thresholds = Scratch<int>("rows' thresholds", rows).View;
            var ties = Scratch<int>("rows' ties", rows).View;
            var columns = weights.Rows;
            var config = new KernelConfig(DivideUp(rows, SelectionKernels.RowsPerGroup), SelectionKernels.ThresholdGroupSize);
            if (IsVectorizable(columns))
            {
                Launch(SelectionKernels.FindThresholds, config, pre.Cast<Float4>(), rows, columns, k, thresholds, ties, counts.View);
            }
            else
            {
                Launch(SelectionKernels.FindThresholds, config, pre.Cast<Float1>(), rows, columns, k, thresholds, ties, counts.View);
            }

            AppendOffsets(counts, offsets);
            List(pre, columns, new TopOfRow(thresholds, ties), rows, offsets, View(latents.Indices), View(latents.Values));
        });
        latents.Resize(x.Rows, weights.Rows, Read(latents.RowOffsets, x.Rows));
    }

    /// <inheritdoc/>
    public override float EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        var wanted = (long)x.Rows * Math.Min(k, weights.Rows);
        Require(wanted <= int.MaxValue, $"{wanted} latents are more than {int.MaxValue} nonzeros");
        latents.Indices.Resize(wanted);
        latents.Values.Resize(wanted);
        if (wanted == 0)
        {
            ClearOffsets(latents.RowOffsets, x.Rows);
            latents.Resize(x.Rows, weights.Rows, 0);
            return latents.SmallestKept = 0;
        }

        // A candidate is above a bound that is probably a little below the threshold.
        var bound = ThresholdHint * latents.SmallestKept;
        bound = bound > 0 ? bound : 0;
        var offsets = Scratch<int>("candidates' offsets", x.Rows + 1);
        var state = new int[SelectionKernels.StateLength];
        var room = Math.Min(Math.Min(2 * wanted, (long)x.Rows * weights.Rows), int.MaxValue);
        for (var sampled = false; ;)
        {
            var indices = Scratch<int>("candidates' latents", room);
            var values = Scratch<float>("candidates' values", room);
            ListAbove(x, weights, bias, new AboveBound(ArrayView<float>.Empty, bound), offsets, indices, values);
            SelectFromAll(offsets, indices, values, (int)wanted, latents, x.Rows, state);
            var found = state[SelectionKernels.Candidates];
            if (found > room && !sampled)
            {
                // The first rows, for which there was room, tell about where the threshold is.
                SelectFromAll(offsets, indices, values, (int)Math.Max(1, wanted * room / found), latents, x.Rows, state);
                bound = ThresholdHint * BitConverter.Int32BitsToSingle(state[SelectionKernels.Prefix]);
                sampled = true;
            }
            else if (found > room)
            {
                Require(found < int.MaxValue, $"more than {int.MaxValue} latents are active");
                room = found;
            }
            else if (found < wanted && bound > 0)
            {
                bound = 0;
            }
            else
            {
                break;
            }
        }

        var kept = state[SelectionKernels.Kept];
        latents.Resize(x.Rows, weights.Rows, kept);
        latents.SmallestKept = kept > 0 ? BitConverter.Int32BitsToSingle(state[SelectionKernels.Prefix]) : 0;
        return latents.SmallestKept;
    }

    /// <inheritdoc/>
    public override void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        Require(bounds is null || bounds.Count == weights.Rows, $"one bound a latent: {weights.Rows}");
        var room = Math.Min(latents.Indices.Capacity, latents.Values.Capacity);
        room = Math.Min(room > 0 ? room : (long)x.Rows * Math.Min(InitialLatentsPerRow, weights.Rows), int.MaxValue);
        while (true)
        {
            latents.Indices.Resize(room);
            latents.Values.Resize(room);
            ListAbove(x, weights, bias, new AboveBound(ViewOrEmpty(bounds), 0), latents.RowOffsets, latents.Indices, latents.Values);
            var found = Read(latents.RowOffsets, x.Rows);
            if (found <= room)
            {
                latents.Resize(x.Rows, weights.Rows, found);
                return;
            }

            Require(found < int.MaxValue, $"more than {int.MaxValue} latents are active");
            room = found;
        }
    }

    private static void RequireEncoder(Tensor x, Tensor weights, Tensor? bias)
    {
        Require(x.Columns == weights.Columns, $"{x.Columns} features encoded by weights for {weights.Columns}");
        Require(bias is null || bias.Count == weights.Rows, $"one bias a latent: {weights.Rows}");
    }

    private static void ClearOffsets(DeviceArray<int> offsets, int rows)
    {
        offsets.Resize(rows + 1);
        offsets.Clear();
    }

    private static int Read(DeviceArray<int> array, int at)
    {
        var value = new int[1];
        array.CopyTo(value, at);
        return value[0];
    }

    /// <summary>Lists every pre-activation above a bound by rows, as far as there is room.</summary>
    private void ListAbove(
        Tensor x,
        Tensor weights,
        Tensor? bias,
        AboveBound bound,
        DeviceArray<int> rowOffsets,
        DeviceArray<int> indices,
        DeviceArray<float> values) => ForEachChunk(x, weights, bias, rowOffsets, (pre, rows, counts, offsets) =>
        {
            counts.Clear();
            if (IsVectorizable(weights.Rows))
            {
                Count(new DenseRows<Float4>(pre.Cast<Float4>(), weights.Rows), bound, rows, counts.View, ArrayView<int>.Empty);
            }
            else
            {
                Count(new DenseRows<Float1>(pre.Cast<Float1>(), weights.Rows), bound, rows, counts.View, ArrayView<int>.Empty);
            }

            AppendOffsets(counts, offsets);
            List(pre, weights.Rows, bound, rows, offsets, View(indices), View(values));
        });

    /// <summary>
    /// Sets the offsets of all rows to 0 and then forms the pre-activations of some rows after others.
    /// </summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="rowOffsets">Becomes B + 1 offsets.</param>
    /// <param name="select">
    /// Given the pre-activations of some rows, how many rows, room for their counts and one more, and their offsets, of which the first
    /// is known.
    /// </param>
    private void ForEachChunk(
        Tensor x,
        Tensor weights,
        Tensor? bias,
        DeviceArray<int> rowOffsets,
        Action<ArrayView<float>, int, IlgpuArray<int>, ArrayView<int>> select)
    {
        var (columns, features) = (weights.Rows, x.Columns);
        ClearOffsets(rowOffsets, x.Rows);
        if (columns == 0)
        {
            return;
        }

        var most = Math.Min(Math.Min(Math.Max(ChunkLength / columns, MinRows), int.MaxValue / columns), MaxEncodedRows);
        for (var first = 0; first < x.Rows; first += (int)most)
        {
            var rows = (int)Math.Min(most, x.Rows - first);
            var pre = Scratch<float>("pre-activations", (long)rows * columns).View;
            var plan = Plan(rows, columns, features, IsVectorizable(features) && IsVectorizable(columns));
            var part = View(x).SubView((long)first * features, (long)rows * features);
            Gemm(
                plan,
                transposeA: false,
                transposeB: true,
                part,
                View(weights),
                pre,
                ViewOrEmpty(bias),
                new(rows, columns, features, plan.SplitDepth, 1, 0, relu: true));
            select(pre, rows, Scratch<int>("rows' counts", rows + 1), View(rowOffsets).SubView(first, rows + 1));
        }
    }

    /// <summary>The largest of all candidates, to the rows of the result; reads what became of it.</summary>
    private void SelectFromAll(
        IlgpuArray<int> candidateOffsets,
        IlgpuArray<int> indices,
        IlgpuArray<float> values,
        int wanted,
        CsrMatrix latents,
        int rows,
        Span<int> result)
    {
        var histogram = Scratch<int>("digits", RadixSelect.Bins);
        histogram.Clear();
        var state = Scratch<int>("selection", SelectionKernels.StateLength).View;
        var groups = Groups(Math.Clamp(DivideUp(values.Length, GroupSize * ValuesPerThread), 1, MaxDigitGroups));
        for (var pass = 0; pass < RadixSelect.Passes; pass++)
        {
            Launch(SelectionKernels.CountDigits, groups, values.View, candidateOffsets.View, state, pass, histogram.View);
            Launch(SelectionKernels.FindDigit, Groups(1), histogram.View, wanted, pass, state);
        }

        var ties = Scratch<int>("rows' ties", rows + 1);
        ties.Clear();
        ClearOffsets(latents.RowOffsets, rows);
        var candidates = new CompressedRows(candidateOffsets.View, indices.View, values.View.Cast<Float1>());
        var selection = new TopOfBatch(state, ties.View);
        Count(candidates, selection, rows, View(latents.RowOffsets), ties.View);
        ExclusiveScan(latents.RowOffsets);
        ExclusiveScan(ties);
        Launch(
            SelectionKernels.PlaceTies, Elements(rows + 1), ties.View, candidateOffsets.View, View(latents.RowOffsets), state);
        Launch(
            SelectionKernels.ListKept,
            Warps(rows),
            candidates,
            selection,
            rows,
            View(latents.RowOffsets),
            View(latents.Indices),
            View(latents.Values));
        Scratch<int>("selection", SelectionKernels.StateLength).CopyTo(result);
    }

    private void Count<TRows, TSelection>(TRows rows, TSelection selection, int count, ArrayView<int> counts, ArrayView<int> ties)
        where TRows : struct, ISelectionRows
        where TSelection : struct, ISelection =>
        Launch(SelectionKernels.CountKept, Warps(count), rows, selection, count, counts, ties);

    private void List<TSelection>(
        ArrayView<float> pre, int columns, TSelection selection, int rows, ArrayView<int> offsets, ArrayView<int> indices, ArrayView<float> values)
        where TSelection : struct, ISelection
    {
        if (IsVectorizable(columns))
        {
            Launch(
                SelectionKernels.ListKept,
                Warps(rows),
                new DenseRows<Float4>(pre.Cast<Float4>(), columns),
                selection,
                rows,
                offsets,
                indices,
                values);
        }
        else
        {
            Launch(
                SelectionKernels.ListKept,
                Warps(rows),
                new DenseRows<Float1>(pre.Cast<Float1>(), columns),
                selection,
                rows,
                offsets,
                indices,
                values);
        }
    }

    /// <summary>The offsets of some rows from how many values of each are kept.</summary>
    private void AppendOffsets(IlgpuArray<int> counts, ArrayView<int> offsets)
    {
        ExclusiveScan(counts);
        Launch(SelectionKernels.AppendOffsets, Elements(counts.Length), counts.View, offsets);
    }
}
