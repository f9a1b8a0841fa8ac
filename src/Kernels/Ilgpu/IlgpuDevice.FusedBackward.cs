using ILGPU;
using ILGPU.Runtime;

namespace MonoLoss.Kernels.Ilgpu;

/// <content>The visit to the latents of a batch.</content>
public sealed partial class IlgpuDevice
{
    // A group reads so many rows of G and x in a tenth of the time that the whole of a usual batch (2048·64 nonzeros) takes.
    private const int MinPartLength = 128;

    // Beside what kernels keep in shared memory otherwise, of 48 KiB.
    private const int MaxRowBytes = 32 << 10;

    private Tensor? _columnSums;
    private Tensor? _denseDirections;

    /// <inheritdoc/>
    public override void FusedLatentBackward(in FusedBackwardArgs work)
    {
        RequireColumnIndex(work.Latents);
        var d = work.Input.Columns;
        Require(
            work.Latents.Rows == work.Input.Rows && work.Latents.Columns == work.Encoder.Rows && work.Encoder.Columns == d,
            "shapes do not fit");
        RequireSameShape(work.Encoder, work.EncoderGradient);
        if (IsVectorizable(d))
        {
            FusedLatentBackward<Float4, Double4>(work);
        }
        else
        {
            FusedLatentBackward<Float1, Double1>(work);
        }
    }

    /// <summary>Threads of a group that lie along rows of so many columns: as few idle as may be.</summary>
    private static int ThreadsAlong(int columns)
    {
        var chunks = (columns + GroupSize - 1) / GroupSize;
        return ((((columns + chunks - 1) / chunks) + 63) / 64) * 64;
    }

    /// <summary>Groups whose threads lie along rows of so many columns, with shared memory for one of those.</summary>
    private static KernelConfig WithRow<T>(long groups, int columns)
        where T : unmanaged
    {
        Require(columns * Interop.SizeOf<T>() <= MaxRowBytes, $"rows of more than {MaxRowBytes / sizeof(float)} features");
        return new((int)groups, ThreadsAlong(columns), SharedMemoryConfig.RequestDynamic<T>(columns));
    }

    /// <summary>How many T a row of so many floats is.</summary>
    private static int InUnits<T>(int columns)
        where T : unmanaged => columns * sizeof(float) / Interop.SizeOf<T>();

    private static ArrayView<T> RowsOrNone<T>(Tensor? matrix)
        where T : unmanaged => matrix is null ? default : View(matrix).Cast<T>();

    private static ArrayView<T> ViewOrNone<T>(DeviceArray<T>? array)
        where T : unmanaged => array is null ? default : View(array);

    private static int PartLength(CsrMatrix s) => (int)Math.Max(MinPartLength, 4L * s.NonzeroCount / Math.Max(1, s.Columns));

    /// <summary>Whether a latent can have more nonzeros than one group visits alone.</summary>
    private static bool MayHaveLong(CsrMatrix s) => Math.Min(s.Rows, s.NonzeroCount) > PartLength(s);

    private void FusedLatentBackward<T, TSums>(in FusedBackwardArgs work)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var s = work.Latents;
        var isTied = work.DecoderGradient == work.EncoderGradient;
        _columnSums ??= Tensor(0, 0);
        _columnSums.Resize(1, s.Columns);
        var visit = Visit<T, TSums>(s, work.Input.Columns, s.Gradient);
        visit.Nonzeros.AddToGradient = work.AddToLatentGradient ? 1 : 0;
        visit.Nonzeros.PositiveAmount = work.PositiveAmount;
        visit.Input = RowsOrNone<T>(work.Input);
        visit.Center = RowsOrNone<T>(work.Center);
        visit.EncoderGradient = RowsOrNone<T>(work.EncoderGradient);
        // Tied weights: the decoder's part of the visit has been there first.
        visit.AddToEncoderGradient = work.AddToEncoderGradient || isTied ? 1 : 0;
        visit.EncoderSquares = ViewOrNone(work.EncoderGradientSquares);
        visit.BiasGradient = RowsOrNone<float>(work.BiasGradient);
        visit.ColumnSums = View(_columnSums);
        if (work.DecodedGradient is not null)
        {
            visit.DecodedGradient = RowsOrNone<T>(work.DecodedGradient);
            visit.Decoder = RowsOrNone<T>(work.Decoder);
            visit.DecoderGradient = RowsOrNone<T>(work.DecoderGradient);
            visit.AddToDecoderGradient = work.AddToDecoderGradient ? 1 : 0;
            visit.DecoderSquares = ViewOrNone(work.DecoderGradientSquares);
            visit.Nonzeros.Decoded = Scratch<float>("G·W_dec by column", s.NonzeroCount).View;
        }

        if (work.Mono.X is { } x)
        {
            AddMono(ref visit, s, x, work.Mono.Norms!, work.Mono.UnitRowSum!, work.Mono.Scores!);
            visit.Nonzeros.MonoFactor = work.Mono.Factor;
            visit.Nonzeros.Active = Scratch<int>("active latents", 1).View;
        }

        if (work.JumpReLU.Pre is { } pre)
        {
            visit.Nonzeros.Pre = View(pre);
            visit.Nonzeros.LogThreshold = RowsOrNone<float>(work.JumpReLU.LogThreshold);
            visit.ThresholdGradient = RowsOrNone<float>(work.JumpReLU.Gradient);
            visit.Nonzeros.Bandwidth = work.JumpReLU.Bandwidth;
            visit.Nonzeros.L0Factor = work.JumpReLU.L0Factor;
        }

        if (IsNearlyDense(s))
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
            AddVectorMatrixProduct(-1, _columnSums, work.Encoder, centerGradient);
        }
    }

    /// <summary>A visit that does nothing yet but form gradients of 0.</summary>
    private LatentTask<T, TSums> Visit<T, TSums>(CsrMatrix s, int d, DeviceArray<float> gradient)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        return new LatentTask<T, TSums>
        {
            Nonzeros = new()
            {
                Offsets = View(s.ColumnOffsets),
                RowIndices = View(s.RowIndices),
                EntryOf = View(s.EntryOf),
                Indices = View(s.Indices),
                Rows = s.Rows,
                Z = GatherValues(s),
                Gradient = View(gradient),
                ColumnGradient = Scratch<float>("∂z by column", s.NonzeroCount).View,
            },
            Columns = InUnits<T>(d),
            PartLength = PartLength(s),
        };
    }

    /// <summary>Adds MonoLoss to a visit, each latent with the whole of its gradient.</summary>
    private void AddMono<T, TSums>(
        ref LatentTask<T, TSums> visit, CsrMatrix s, Tensor x, DeviceArray<double> norms, DeviceArray<double> unitRowSum, Tensor scores)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        Require(s.Rows == x.Rows && norms.Length == x.Rows && unitRowSum.Length == x.Columns, "shapes do not fit");
        visit.MonoRows = RowsOrNone<T>(x);
        visit.Nonzeros.Norms = View(norms);
        visit.UnitRowSum = View(unitRowSum).Cast<TSums>();
        visit.Nonzeros.Weights = Scratch<float>("weights by column", s.NonzeroCount).View;
        visit.Nonzeros.Dots = Scratch<float>("w·x by column", s.NonzeroCount).View;
        scores.Resize(1, s.Columns);
        visit.Scores = View(scores);
        visit.Nonzeros.Mono = FormTerms(s, visit.Nonzeros.Z, visit.Nonzeros.Norms, visit.Nonzeros.Weights, visit.Scores);
        visit.Nonzeros.MonoFactor = 1;
    }

    /// <summary>Visits every latent for itself.</summary>
    private void VisitLatents<T, TSums>(CsrMatrix s, LatentTask<T, TSums> visit)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        Launch(LatentKernels.Visit<T, TSums>, WithRow<T>(s.Columns, visit.Columns), visit);
        if (MayHaveLong(s))
        {
            var slots = LatentSlice.Slots(s.NonzeroCount, visit.PartLength);
            var d = visit.Columns * Interop.SizeOf<T>() / sizeof(float);
            visit.PartRows = Scratch<float>("rows of parts", slots * d).View.Cast<T>();
            visit.PartWeightedRows = Scratch<float>("w of parts", slots * d).View.Cast<T>();
            visit.Nonzeros.Sums = Scratch<Double2>("sums over nonzeros", slots).View;
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

    /// <summary>The visit with its products dense: M×B matrices, a latent a row, take turns in one memory.</summary>
    private void BackwardDense<T, TSums>(in FusedBackwardArgs work, LatentTask<T, TSums> visit, bool isTied)
        where T : unmanaged, IFloats<T>
        where TSums : unmanaged, IColumnSums<TSums, T>
    {
        var s = work.Latents;
        var dense = _dense ??= Tensor(0, 0);
        dense.Resize(s.Columns, s.Rows);
        void WriteOut(ArrayView<float> values)
        {
            dense.Clear();
            Launch(
                LatentKernels.WriteOut, Elements(s.NonzeroCount), View(s.RowIndices), View(s.EntryOf), View(s.Indices), values, s.Rows, View(dense));
        }

        void ReadAt(ArrayView<float> values) => Launch(
            LatentKernels.ReadAt, Elements(s.NonzeroCount), View(s.RowIndices), View(s.EntryOf), View(s.Indices), View(dense), s.Rows, values);

        visit.Nonzeros.Sums = Scratch<Double2>("sums over nonzeros", s.Columns).View;
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
            var directions = _denseDirections ??= Tensor(0, 0);
            directions.Resize(s.Columns, x.Columns);
            WriteOut(visit.Nonzeros.Weights);
            Gemm(false, false, 1, dense, x, 0, directions);
            Launch(LatentKernels.ScoreAll<T, TSums>, groups, visit, RowsOrNone<T>(directions));
            Gemm(false, true, 1, directions, x, 0, dense);
            ReadAt(visit.Nonzeros.Dots);
        }

        Launch(LatentKernels.FormAll, new KernelConfig(s.Columns, GroupSize), visit.Nonzeros);
        WriteOut(visit.Nonzeros.ColumnGradient);
        Gemm(false, false, 1, dense, work.Input, work.AddToEncoderGradient || isTied ? 1 : 0, work.EncoderGradient);
        Launch(LatentKernels.FinishAll<T, TSums>, groups, visit);
    }
}
