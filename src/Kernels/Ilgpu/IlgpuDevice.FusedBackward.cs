using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>The fused backward pass over the latents of a batch.</content>
public sealed partial class IlgpuDevice
{
    // A group reads this many rows of G and x in a tenth of the time of a whole batch of the usual size (2048·64 nonzeros).
    private const int MinPartLength = 128;

    // What the kernels' other arrays leave of the 48 KiB of shared memory.
    private const int MaxRowBytes = 32 << 10;

    /// <inheritdoc/>
    public override void FusedLatentBackward(in FusedBackwardArgs work)
    {
        RequireColumnIndex(work.Latents);
        var d = work.Input.Columns;
        Require(
            work.Latents.Rows == work.Input.Rows && work.Latents.Columns == work.Encoder.Rows && work.Encoder.Columns == d,
            "shapes do not fit");
        RequireSameShape(work.Encoder, work.EncoderGradient);
        if (work.DecodedGradient is { } decoded)
        {
            RequireRows(work.Latents, decoded, work.GroupEnds);
        }

        if (IsVectorizable(d))
        {
            FusedLatentBackward<Float4, Double4>(work);
        }
        else
        {
            FusedLatentBackward<Float1, Double1>(work);
        }
    }

    /// <summary>Threads of a group that work along a row of <paramref name="columns"/> columns, with few of them idle.</summary>
    private static int ThreadsAlong(int columns)
    {
        var chunks = (columns + GroupSize - 1) / GroupSize;
        return ((((columns + chunks - 1) / chunks) + 63) / 64) * 64;
    }

    /// <summary>Groups whose threads work along rows of <paramref name="columns"/> columns, with shared memory for one row.</summary>
    private static KernelConfig WithRow<T>(long groups, int columns)
        where T : unmanaged
    {
        Require(columns * Interop.SizeOf<T>() <= MaxRowBytes, $"rows of more than {MaxRowBytes / sizeof(float)} features");
        return new((int)groups, ThreadsAlong(columns), SharedMemoryConfig.RequestDynamic<T>(columns));
    }

    /// <summary>The length of a row of <paramref name="columns"/> floats in T.</summary>
    private static int InUnits<T>(int columns)
        where T : unmanaged => columns * sizeof(float) / Interop.SizeOf<T>();

    private static ArrayView<T> RowsOrNone<T>(Tensor? matrix)
        where T : unmanaged => matrix is null ? default : View(matrix).Cast<T>();

    private static ArrayView<T> ViewOrNone<T>(DeviceArray<T>? array)
        where T : unmanaged => array is null ? default : View(array);

    private static int PartLength(CsrMatrix s) => PartLength(s.MaxNonzeroCount, s.Columns);

    private static int PartLength(long nonzeros, long columns) => (int)Math.Max(MinPartLength, 4 * nonzeros / Math.Max(1, columns));

    /// <summary>Whether a latent can have more nonzeros than one group visits alone.</summary>
    private static bool MayHaveLong(CsrMatrix s) => Math.Min(s.Rows, s.MaxNonzeroCount) > PartLength(s);

    /// <summary>Memory for values by column, MonoScore's terms, and the parts of long latents or dense matrices.</summary>
    private static long BackwardScratchBytes(in WorkloadShape shape)
    {
        var nonzeros = Math.Max(shape.Nonzeros, shape.AuxiliaryNonzeros);
        // z, its gradient and that of what was decoded; MonoScore's weights and dots.
        var values = ((shape.HasGate ? 4 : 3) * nonzeros) + (shape.HasMonoLoss ? 2 * shape.Nonzeros : 0);
        var terms = shape.HasMonoLoss ? Interop.SizeOf<LatentMonoScore>() * shape.Latents : 0;
        long floats;
        if (!shape.HasGroups && IsNearlyDense(nonzeros, shape.Rows * shape.Latents))
        {
            floats = (shape.Rows * shape.Latents) + (shape.HasMonoLoss ? shape.Latents * shape.Features : 0);
        }
        else
        {
            var length = PartLength(nonzeros, shape.Latents);
            floats = Math.Min(shape.Rows, nonzeros) > length ? 2 * LatentSlice.Slots(nonzeros, length) * shape.Features : 0;
        }

        return (sizeof(float) * (values + floats)) + terms;
    }

    private void FusedLatentBackward<T, TSums>(in FusedBackwardArgs work)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var s = work.Latents;
        var isTied = work.DecoderGradient == work.EncoderGradient;
        var columnSums = Scratch.ColumnSums;
        columnSums.Resize(1, s.Columns);
        var visit = Visit<T, TSums>(s, work.Input.Columns, s.OpenGradient);
        visit.Nonzeros.AddToGradient = work.AddToLatentGradient ? 1 : 0;
        visit.Nonzeros.PositiveAmount = work.PositiveAmount;
        visit.Input = RowsOrNone<T>(work.Input);
        visit.Center = RowsOrNone<T>(work.Center);
        visit.EncoderGradient = RowsOrNone<T>(work.EncoderGradient);
        // Tied weights: the decoder's gradient has been written there already.
        visit.AddToEncoderGradient = work.AddToEncoderGradient || isTied ? 1 : 0;
        visit.EncoderSquares = ViewOrNone(work.EncoderGradientSquares);
        visit.BiasGradient = RowsOrNone<float>(work.BiasGradient);
        visit.ColumnSums = View(columnSums);
        if (work.DecodedGradient is not null)
        {
            visit.DecodedGradient = RowsOrNone<T>(work.DecodedGradient);
            visit.GroupEnds = ViewOrNone(work.GroupEnds);
            visit.Decoder = RowsOrNone<T>(work.Decoder);
            visit.DecoderGradient = RowsOrNone<T>(work.DecoderGradient);
            visit.AddToDecoderGradient = work.AddToDecoderGradient ? 1 : 0;
            visit.DecoderSquares = ViewOrNone(work.DecoderGradientSquares);
            visit.Nonzeros.Decoded = Scratch.ColumnDecoded.WithLength(s.MaxNonzeroCount).View;
        }

        if (work.Mono.X is { } x)
        {
            AddMono(ref visit, s, x, work.Mono.Norms!, work.Mono.UnitRowSum!, work.Mono.Scores!);
            visit.Nonzeros.MonoFactor = work.Mono.Factor;
            visit.Nonzeros.Active = Scratch.MonoActiveCount.View;
        }

        if (work.JumpReLU.Pre is { } pre)
        {
            visit.Nonzeros.Pre = View(pre);
            visit.Nonzeros.LogThreshold = RowsOrNone<float>(work.JumpReLU.LogThreshold);
            visit.ThresholdGradient = RowsOrNone<float>(work.JumpReLU.Gradient);
            visit.Nonzeros.Bandwidth = work.JumpReLU.Bandwidth;
            visit.Nonzeros.L0Factor = work.JumpReLU.L0Factor;
        }

        if (work.Gate.Gate is { } gate)
        {
            AddGate(ref visit, work, gate);
        }

        if (work.GroupEnds is null && IsNearlyDense(s.MaxNonzeroCount, (long)s.Rows * s.Columns))
        {
            BackwardDense(work, visit, isTied);
        }
        else
        {
            VisitLatents(s, visit);
        }

        if (work.Mono.Result is { } result)
        {
            SumScores(work.Mono.Scores!, result);
        }

        if (work.CenterGradient is { } centerGradient)
        {
            AddVectorMatrixProduct(-1, columnSums, work.Encoder, centerGradient);
        }
    }

    /// <summary>The arguments of a pass that has no terms yet: all gradients are 0.</summary>
    private LatentTask<T, TSums> Visit<T, TSums>(CsrMatrix s, int d, DeviceArray<float> gradient)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        return new LatentTask<T, TSums>
        {
            Nonzeros = new()
            {
                Offsets = View(s.ColumnOffsets),
                RowIndices = View(s.OpenRowIndices),
                EntryOf = View(s.OpenEntryOf),
                Indices = View(s.OpenIndices),
                Rows = s.Rows,
                Z = GatherValues(s),
                Gradient = View(gradient),
                ColumnGradient = Scratch.ColumnGradient.WithLength(s.MaxNonzeroCount).View,
            },
            Columns = InUnits<T>(d),
            PartLength = PartLength(s),
        };
    }

    /// <summary>Adds MonoScore and its gradient to a pass; each score has the factor 1.</summary>
    private void AddMono<T, TSums>(
        ref LatentTask<T, TSums> visit, CsrMatrix s, Tensor x, DeviceArray<double> norms, DeviceArray<double> unitRowSum, Tensor scores)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        Require(s.Rows == x.Rows && norms.Length == x.Rows && unitRowSum.Length == x.Columns, "shapes do not fit");
        visit.MonoRows = RowsOrNone<T>(x);
        visit.Nonzeros.Norms = View(norms);
        visit.UnitRowSum = View(unitRowSum).Cast<TSums>();
        visit.Nonzeros.Weights = Scratch.MonoWeights.WithLength(s.MaxNonzeroCount).View;
        visit.Nonzeros.Dots = Scratch.MonoDots.WithLength(s.MaxNonzeroCount).View;
        scores.Resize(1, s.Columns);
        visit.Scores = View(scores);
        visit.Nonzeros.Mono = FormTerms(s, visit.Nonzeros.Z, visit.Nonzeros.Norms, visit.Nonzeros.Weights, visit.Scores);
        visit.Nonzeros.MonoFactor = 1;
    }

    /// <summary>Adds a gate to a pass over its magnitudes.</summary>
    private void AddGate<T, TSums>(ref LatentTask<T, TSums> visit, in FusedBackwardArgs work, CsrMatrix gate)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        Require(gate.MaxNonzeroCount == work.Latents.MaxNonzeroCount, "z does not have the gate's entries");
        visit.Nonzeros.Gate = View(gate.OpenValues);
        visit.Nonzeros.GateGradient = work.Gate.AddToGateGradient ? View(gate.OpenGradient) : default;
        visit.Nonzeros.GateAmount = work.Gate.PositiveAmount;
        visit.Nonzeros.GateScale = RowsOrNone<float>(work.Gate.Scale);
        visit.MagBias = RowsOrNone<float>(work.Gate.MagBias);
        visit.GateScaleGradient = RowsOrNone<float>(work.Gate.ScaleGradient);
        visit.MagBiasGradient = RowsOrNone<float>(work.Gate.MagBiasGradient);
        if (work.Gate.DecodedGradient is not null)
        {
            visit.GateDecodedGradient = RowsOrNone<T>(work.Gate.DecodedGradient);
            visit.GateDecoder = RowsOrNone<T>(work.Gate.Decoder);
            visit.Nonzeros.GateDecoded = Scratch.GateDecoded.WithLength(gate.MaxNonzeroCount).View;
        }
    }

    /// <summary>Runs the pass with one group per latent, or several for a long latent.</summary>
    private void VisitLatents<T, TSums>(CsrMatrix s, LatentTask<T, TSums> visit)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        Launch(LatentKernels.Visit<T, TSums>, WithRow<T>(s.Columns, visit.Columns), visit);
        if (MayHaveLong(s))
        {
            var slots = LatentSlice.Slots(s.MaxNonzeroCount, visit.PartLength);
            var d = visit.Columns * Interop.SizeOf<T>() / sizeof(float);
            visit.PartRows = Scratch.PartRows.WithLength(slots * d).View.Cast<T>();
            visit.PartWeightedRows = Scratch.PartWeightedRows.WithLength(slots * d).View.Cast<T>();
            visit.Nonzeros.Sums = Scratch.EntrySums.WithLength(slots).View;
            var groups = new KernelConfig((int)slots, ThreadsAlong(visit.Columns));
            Launch(LatentKernels.SumParts<T, TSums>, groups, visit);
            Launch(LatentKernels.JoinParts<T, TSums>, groups, visit);
            Launch(LatentKernels.FormParts<T, TSums>, groups, visit);
            if (visit.EncoderGradient.Length > 0)
            {
                Launch(LatentKernels.FinishParts<T, TSums>, groups, visit);
            }
        }
    }

    /// <summary>The pass with dense products: M×B matrices, one row per latent, which take turns in one array.</summary>
    private void BackwardDense<T, TSums>(in FusedBackwardArgs work, LatentTask<T, TSums> visit, bool isTied)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var s = work.Latents;
        var dense = Scratch.Dense;
        dense.Resize(s.Columns, s.Rows);
        var (nonzeros, offsets) = (Elements(s.MaxNonzeroCount), View(s.ColumnOffsets));
        var (rowIndices, entryOf, indices) = (View(s.OpenRowIndices), View(s.OpenEntryOf), View(s.OpenIndices));
        void WriteOut(ArrayView<float> values)
        {
            dense.Clear();
            Launch(LatentKernels.WriteOut, nonzeros, offsets, rowIndices, entryOf, indices, values, s.Rows, View(dense));
        }

        void ReadAt(ArrayView<float> values) =>
            Launch(LatentKernels.ReadAt, nonzeros, offsets, rowIndices, entryOf, indices, View(dense), s.Rows, values);

        visit.Nonzeros.Sums = Scratch.EntrySums.WithLength(s.Columns).View;
        var groups = new KernelConfig(s.Columns, ThreadsAlong(visit.Columns));
        if (work.DecodedGradient is { } g)
        {
            WriteOut(visit.Nonzeros.Z);
            Gemm(false, false, 1, dense, g, work.AddToDecoderGradient ? 1 : 0, work.DecoderGradient!);
            Gemm(false, true, 1, work.Decoder!, g, 0, dense);
            ReadAt(visit.Nonzeros.Decoded);
        }

        if (work.Mono.X is { } x)
        {
            var directions = Scratch.DenseWeightedRows;
            directions.Resize(s.Columns, x.Columns);
            WriteOut(visit.Nonzeros.Weights);
            Gemm(false, false, 1, dense, x, 0, directions);
            Launch(LatentKernels.ScoreAll<T, TSums>, groups, visit, RowsOrNone<T>(directions));
            Gemm(false, true, 1, directions, x, 0, dense);
            ReadAt(visit.Nonzeros.Dots);
        }

        if (work.Gate.DecodedGradient is { } gateGradient)
        {
            Gemm(false, true, 1, work.Gate.Decoder!, gateGradient, 0, dense);
            ReadAt(visit.Nonzeros.GateDecoded);
        }

        Launch(LatentKernels.FormAll, new KernelConfig(s.Columns, GroupSize), visit.Nonzeros);
        WriteOut(visit.Nonzeros.ColumnGradient);
        Gemm(false, false, 1, dense, work.Input, work.AddToEncoderGradient || isTied ? 1 : 0, work.EncoderGradient);
        Launch(LatentKernels.FinishAll<T, TSums>, groups, visit);
    }
}
