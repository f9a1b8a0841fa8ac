using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>
/// Encoding, chunk by chunk: a product leaves the pre-activations of some rows in the level-2 cache, where the selection reads them.
/// The result's arrays usually have room for what is kept from the second batch on; if not, they grow and the encoding is repeated.
/// </content>
/// <remarks>
/// TopK and BatchTopK keep at most k latents per row. The host works with that bound (<see cref="CsrMatrix.MaxNonzeroCount"/>)
/// and reads the exact number later, together with other results.
/// </remarks>
public sealed partial class IlgpuDevice
{
    // A batch's threshold is close to the previous one; starting a little lower, the search rarely has to start again.
    private const float ThresholdHint = 0.9f;

    // 32 MB of pre-activations at once; but enough rows for selection, one warp each, to fill a GPU.
    private const long ChunkLength = 8 << 20;
    private const int MinRows = 1024;

    // Capacity in latents per row while nothing is known yet.
    private const int InitialLatentsPerRow = 64;

    private const int MaxDigitGroups = 512;
    private const int ValuesPerThread = 8;

    // The last batch-wide selection, as long as the host has not checked whether it is complete.
    private BatchSelection _selection;
    private bool _isSelectionOpen;

    /// <inheritdoc/>
    public override void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        k = Math.Min(k, weights.Rows);
        var most = (long)x.Rows * k;
        Require(most <= int.MaxValue, $"{x.Rows} rows of {k} latents are more than {int.MaxValue} nonzeros");
        latents.OpenIndices.Resize(most);
        latents.OpenValues.Resize(most);
        if (most == 0)
        {
            ClearOffsets(latents.RowOffsets, x.Rows);
            latents.Resize(x.Rows, weights.Rows, 0);
            return;
        }

        // The ends of the arrays may stay unused.
        latents.OpenIndices.Clear();
        latents.OpenValues.Clear();
        ForEachChunk(x, weights, bias, latents.RowOffsets, (pre, rows, counts, offsets) =>
        {
            var thresholds = Scratch.RowThresholds.WithLength(rows).View;
            var ties = Scratch.RowTies.WithLength(rows).View;
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
            List(pre, columns, new TopOfRow(thresholds, ties), rows, offsets, View(latents.OpenIndices), View(latents.OpenValues));
        });
        latents.ResizeAtMost(x.Rows, weights.Rows, (int)most);
    }

    /// <inheritdoc/>
    public override void EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        var wanted = (long)x.Rows * Math.Min(k, weights.Rows);
        Require(wanted <= int.MaxValue, $"{wanted} latents are more than {int.MaxValue} nonzeros");
        FinishSelection();
        latents.OpenIndices.Resize(wanted);
        latents.OpenValues.Resize(wanted);
        if (wanted == 0)
        {
            ClearOffsets(latents.RowOffsets, x.Rows);
            latents.Resize(x.Rows, weights.Rows, 0);
            latents.SmallestKept = 0;
            return;
        }

        // A candidate is above a bound that is probably a little below the threshold.
        var bound = ThresholdHint * latents.SmallestKept;
        var selection = new BatchSelection
        {
            X = x,
            Weights = weights,
            Bias = bias,
            Latents = latents,
            Wanted = (int)wanted,
            Bound = bound > 0 ? bound : 0,
            Room = Math.Min(Math.Min(2 * wanted, (long)x.Rows * weights.Rows), int.MaxValue),
        };
        Select(selection);
        latents.ResizeAtMost(x.Rows, weights.Rows, selection.Wanted);
        (_selection, _isSelectionOpen) = (selection, true);
    }

    /// <inheritdoc/>
    public override void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, CsrMatrix latents)
    {
        RequireEncoder(x, weights, bias);
        Require(bounds is null || bounds.Count == weights.Rows, $"one bound per latent: {weights.Rows}");
        var room = Math.Min(latents.OpenIndices.Capacity, latents.OpenValues.Capacity);
        room = Math.Min(room > 0 ? room : (long)x.Rows * Math.Min(InitialLatentsPerRow, weights.Rows), int.MaxValue);
        while (true)
        {
            latents.OpenIndices.Resize(room);
            latents.OpenValues.Resize(room);
            var rule = new AboveBound(ViewOrEmpty(bounds), 0);
            ListAbove(x, weights, bias, rule, latents.RowOffsets, latents.OpenIndices, latents.OpenValues);
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

    /// <summary>Checks the last batch-wide selection before anything else runs, and repeats it if it is incomplete.</summary>
    internal void FinishSelection()
    {
        if (_isSelectionOpen)
        {
            _isSelectionOpen = false;
            Span<int> state = stackalloc int[SelectionKernels.StateLength];
            do
            {
                Scratch.Selection.CopyTo(state);
            }
            while (!Conclude(state));
        }
    }

    /// <inheritdoc/>
    internal override void ReadNonzeroCount(CsrMatrix s)
    {
        FinishSelection();
        if (s.CountIsBound)
        {
            s.SetNonzeroCount(Read(s.RowOffsets, s.Rows));
        }
    }

    private static void RequireEncoder(Tensor x, Tensor weights, Tensor? bias)
    {
        Require(x.Columns == weights.Columns, $"{x.Columns} features encoded by weights for {weights.Columns}");
        Require(bias is null || bias.Count == weights.Rows, $"one bias per latent: {weights.Rows}");
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

    /// <summary>Lists every pre-activation above a bound, row by row, as far as the arrays reach.</summary>
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

    /// <summary>Sets the offsets of all rows to 0, and then forms the pre-activations chunk by chunk.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="rowOffsets">Becomes B + 1 offsets.</param>
    /// <param name="select">
    /// Called per chunk with its pre-activations, its number of rows, an array for one count per row and one more, and its offsets, the
    /// first of which is set.
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

        var most = RowsAtOnce(columns);
        for (var first = 0; first < x.Rows; first += most)
        {
            var rows = Math.Min(most, x.Rows - first);
            var pre = Scratch.PreActivations.WithLength((long)rows * columns).View;
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
            select(pre, rows, Scratch.RowCounts.WithLength(rows + 1), View(rowOffsets).SubView(first, rows + 1));
        }
    }

    /// <summary>Memory for pre-activations, the candidates of a selection, and nonzeros whose number is not known in advance.</summary>
    private long EncodeScratchBytes(in WorkloadShape shape)
    {
        var cells = shape.Rows * shape.Latents;
        var preActivations = Math.Min(shape.Rows, RowsAtOnce((int)shape.Latents)) * shape.Latents;
        // Index and value of each.
        var candidates = shape.SelectsFromBatch ? 2 * Math.Min(2 * Math.Max(shape.Nonzeros, 1), cells) : 0;
        var room = shape.Rows * Math.Min(InitialLatentsPerRow, shape.Latents);
        // The same for capacity that a batch does not use, in training and in evaluation.
        var unused = shape.SelectsByBound ? 2 * 2 * Math.Max(0, room - shape.Nonzeros) : 0;
        return sizeof(float) * (preActivations + candidates + unused);
    }

    /// <summary>The most rows that are encoded at once.</summary>
    private int RowsAtOnce(int columns) =>
        (int)Math.Min(Math.Min(Math.Max(ChunkLength / columns, MinRows), int.MaxValue / columns), Options.MaxEncodedRows);

    /// <summary>Lists the candidates and selects from them.</summary>
    private void Select(in BatchSelection selection)
    {
        // The previous nonzeros, by row and by column, are about to be overwritten.
        selection.Latents.Forget();
        ListAbove(
            selection.X,
            selection.Weights,
            selection.Bias,
            new AboveBound(ArrayView<float>.Empty, selection.Bound),
            Scratch.CandidateOffsets.WithLength(selection.X.Rows + 1),
            Scratch.CandidateIndices.WithLength(selection.Room),
            Scratch.CandidateValues.WithLength(selection.Room));
        SelectFromCandidates(selection, selection.Wanted);
    }

    /// <summary>Checks the outcome of a selection, and starts it again if it is incomplete.</summary>
    /// <param name="state">Its state, read from the device.</param>
    /// <returns>Whether it is complete.</returns>
    private bool Conclude(Span<int> state)
    {
        var found = state[SelectionKernels.Candidates];
        if (found > _selection.Room && !_selection.IsSampled)
        {
            // The candidates that fit give an estimate of the threshold.
            SelectFromCandidates(_selection, (int)Math.Max(1, _selection.Wanted * _selection.Room / found));
            Scratch.Selection.CopyTo(state);
            _selection.Bound = ThresholdHint * BitConverter.Int32BitsToSingle(state[SelectionKernels.Prefix]);
            _selection.IsSampled = true;
        }
        else if (found > _selection.Room)
        {
            Require(found < int.MaxValue, $"more than {int.MaxValue} latents are active");
            _selection.Room = found;
        }
        else if (found < _selection.Wanted && _selection.Bound > 0)
        {
            _selection.Bound = 0;
        }
        else
        {
            var kept = state[SelectionKernels.Kept];
            _selection.Latents.SetNonzeroCount(kept);
            _selection.Latents.SmallestKept = kept > 0 ? BitConverter.Int32BitsToSingle(state[SelectionKernels.Prefix]) : 0;
            return true;
        }

        Select(_selection);
        return false;
    }

    /// <summary>
    /// Lists the largest of all candidates as the rows of the result; the state is left in <see cref="IlgpuScratch.Selection"/>.
    /// </summary>
    private void SelectFromCandidates(in BatchSelection selection, int wanted)
    {
        var (latents, rows) = (selection.Latents, selection.X.Rows);
        var (candidateOffsets, values) = (Scratch.CandidateOffsets.View, Scratch.CandidateValues.View);
        var histogram = Scratch.DigitCounts.WithLength(RadixSelect.Bins);
        histogram.Clear();
        var state = Scratch.Selection.WithLength(SelectionKernels.StateLength).View;
        var groups = Groups(Math.Clamp(DivideUp(values.Length, GroupSize * ValuesPerThread), 1, MaxDigitGroups));
        for (var pass = 0; pass < RadixSelect.Passes; pass++)
        {
            Launch(SelectionKernels.CountDigits, groups, values, candidateOffsets, state, pass, histogram.View);
            Launch(SelectionKernels.FindDigit, Groups(1), histogram.View, wanted, pass, state);
        }

        var ties = Scratch.RowTies.WithLength(rows + 1);
        ties.Clear();
        ClearOffsets(latents.RowOffsets, rows);
        var candidates = new CompressedRows(candidateOffsets, Scratch.CandidateIndices.View, values.Cast<Float1>());
        var rule = new TopOfBatch(state, ties.View);
        Count(candidates, rule, rows, View(latents.RowOffsets), ties.View);
        ExclusiveScan(latents.RowOffsets);
        ExclusiveScan(ties);
        Launch(SelectionKernels.PlaceTies, Elements(rows + 1), ties.View, candidateOffsets, View(latents.RowOffsets), state);
        Launch(
            SelectionKernels.ListKept,
            Warps(rows),
            candidates,
            rule,
            rows,
            View(latents.RowOffsets),
            View(latents.OpenIndices),
            View(latents.OpenValues));
    }

    private void Count<TRows, TSelection>(TRows rows, TSelection selection, int count, ArrayView<int> counts, ArrayView<int> ties)
        where TRows : struct, ISelectionRows
        where TSelection : struct, ISelection =>
        Launch(SelectionKernels.CountKept, Warps(count), rows, selection, count, counts, ties);

    private void List<TSelection>(
        ArrayView<float> pre,
        int columns,
        TSelection selection,
        int rows,
        ArrayView<int> offsets,
        ArrayView<int> indices,
        ArrayView<float> values)
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

    /// <summary>The offsets of some rows from the number of values that each keeps.</summary>
    private void AppendOffsets(IlgpuArray<int> counts, ArrayView<int> offsets)
    {
        ExclusiveScan(counts);
        Launch(SelectionKernels.AppendOffsets, Elements(counts.Length), counts.View, offsets);
    }

    /// <summary>A selection of the largest pre-activations of a whole batch.</summary>
    private struct BatchSelection
    {
        public Tensor X;
        public Tensor Weights;
        public Tensor? Bias;
        public CsrMatrix Latents;

        /// <summary>B·k.</summary>
        public int Wanted;

        /// <summary>Candidates are larger than this.</summary>
        public float Bound;

        /// <summary>How many candidates the arrays can hold.</summary>
        public long Room;

        /// <summary>Whether the bound was estimated from the candidates that fit.</summary>
        public bool IsSampled;
    }
}
