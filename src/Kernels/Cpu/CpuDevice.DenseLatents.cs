using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MonoLoss.Kernels.Cpu;

/// <content> Batches in which so many latents are active that they are stored with their zeros (<see cref="CsrMatrix.Dense"/>), M×B:
/// there are no lists of nonzeros, and all products are dense. The backward pass takes latents in blocks, so that z is the only M×B
/// matrix in memory. </content>
public sealed unsafe partial class CpuDevice
{
    // Above about this share of active latents, dense products are faster than sparse ones (measured for B 2048, D 768, M 8192).
    private const double DenseShare = 0.25;

    // Latents per block: enough to pay for packing the other operand once per block, few enough that a block is small beside z.
    private const int LatentsPerBlock = 32 * LatentsPerTask;

    private readonly CpuArray<float> _block = new(0);
    private readonly CpuArray<float> _unitRows = new(0);
    private readonly CpuArray<double> _selfWeights = new(0);
    private readonly CpuArray<DenseLatent> _denseLatents = new(0);

    /// <inheritdoc/>
    internal override void ListNonzeros(Tensor dense, CsrMatrix? pattern, CsrMatrix s)
    {
        var (latents, rows) = (dense.Rows, dense.Columns);
        if (pattern is not null)
        {
            CopyPattern(pattern, s);
            _pool.Run(
                TaskCount(rows, RowsPerTask(latents)),
                new ReadDenseWork(
                    Pointer(s.RowOffsets), Pointer(s.Indices), rows, RowsPerTask(latents), Pointer(dense), Pointer(s.Values)));
            BuildColumnIndex(s);
            return;
        }

        // A counting sort, as in BuildColumnIndex.
        var tasks = TaskCount(latents, LatentsPerBlock);
        _histograms.Resize((long)tasks * rows);
        _histograms.Clear();
        _pool.Run(tasks, new ListNonzerosWork(Pointer(dense), latents, rows, _histograms.Pointer, null, null));
        var count = 0L;
        for (var i = 0; i < rows; i++)
        {
            for (var task = 0; task < tasks; task++)
            {
                var next = _histograms.Pointer + ((long)task * rows) + i;
                (*next, count) = ((int)count, count + *next);
            }
        }

        s.Resize(rows, latents, checked((int)count));
        _pool.Run(
            tasks, new ListNonzerosWork(Pointer(dense), latents, rows, _histograms.Pointer, Pointer(s.Indices), Pointer(s.Values)));
        // Scattering has advanced each task's start to its end; the last task's ends are where the next rows start.
        var offsets = Pointer(s.RowOffsets);
        offsets[0] = 0;
        for (var i = 0; i < rows; i++)
        {
            offsets[i + 1] = _histograms.Pointer[((long)(tasks - 1) * rows) + i];
        }

        BuildColumnIndex(s);
    }

    /// <summary>Encodes to <see cref="CsrMatrix.Dense"/> if enough latents are active.</summary>
    /// <returns>Whether it did.</returns>
    private bool EncodeDense(Tensor x, Tensor weights, Tensor? bias, CsrMatrix latents)
    {
        var (rows, d, m) = (x.Rows, x.Columns, weights.Rows);
        if (_encoder.EstimateActiveShare(rows, m, d, Pointer(x), Pointer(weights), PointerOrNull(bias)) < DenseShare)
        {
            return false;
        }

        var z = Pointer(latents.ResizeDense(rows, m));
        for (var first = 0; first < m; first += LatentsPerBlock)
        {
            var count = Math.Min(m - first, LatentsPerBlock);
            var operands = new CpuGemmOperands
            {
                TransA = false, TransB = true, A = Pointer(weights) + ((long)first * d), Lda = d, B = Pointer(x), Ldb = d,
            };
            var biases = bias is null ? null : Pointer(bias) + first;
            _gemm.Multiply(operands, _gemm.Plan(count, rows, d), new StorePositive(z + ((long)first * rows), rows, biases));
        }

        return true;
    }

    /// <summary>result = denseᵀ·matrix + bias.</summary>
    private void MultiplyDense(Tensor dense, Tensor matrix, Tensor? bias, Tensor result)
    {
        var (latents, rows, d) = (dense.Rows, dense.Columns, matrix.Columns);
        for (var first = 0; first < latents; first += LatentsPerBlock)
        {
            var count = Math.Min(latents - first, LatentsPerBlock);
            _gemm.Gemm(
                transA: true,
                transB: false,
                rows,
                d,
                count,
                1,
                Pointer(dense) + ((long)first * rows),
                rows,
                Pointer(matrix) + ((long)first * d),
                d,
                first > 0 ? 1 : 0,
                Pointer(result),
                d,
                first == 0 ? PointerOrNull(bias) : null);
        }
    }

    /// <summary><see cref="FusedLatentBackward"/> with dense products.</summary>
    private void BackwardDense(in FusedBackwardArgs work, Tensor z, in WeightGradients weights)
    {
        var (latents, rows, d) = (z.Rows, z.Columns, work.Input.Columns);
        var most = Math.Min(latents, LatentsPerBlock);
        _block.Resize((long)most * rows);
        _denseLatents.Resize(latents);
        var pass = new DensePass(work, Pointer(z), rows, _block.Pointer, _denseLatents.Pointer, weights);
        if (work.Mono.X is { } x)
        {
            Require(x.Rows == rows && x.Columns == d, "shapes do not fit");
            _unitRows.Resize(x.Count);
            _selfWeights.Resize(rows);
            var rowsPerTask = RowsPerTask(d);
            _pool.Run(
                TaskCount(rows, rowsPerTask),
                new ToUnitRowsWork(
                    Pointer(x), Pointer(work.Mono.Norms!), rows, d, rowsPerTask, _unitRows.Pointer, _selfWeights.Pointer));
            pass.SelfWeights = _selfWeights.Pointer;
            pass.MonoSums = Scratch((long)most * d);
            RunDense(pass, DensePhase.Scale, 0, latents);
            var active = 0;
            for (var m = 0; m < latents; m++)
            {
                active += pass.Latents[m].Mono.IsActive ? 1 : 0;
            }

            pass.MonoFactor = active > 0 ? -work.Mono.Factor / active : 0;
            Pointer(work.Mono.Result!)[1] = active;
        }

        for (var first = 0; first < latents; first += most)
        {
            pass.First = first;
            BackwardDense(work, pass, Math.Min(latents - first, most));
        }

        if (work.Mono.Result is { } result)
        {
            var sum = 0.0;
            for (var m = 0; m < latents; m++)
            {
                sum += pass.Latents[m].Score;
            }

            Pointer(result)[0] = sum;
        }
    }

    /// <summary>The same for one block of latents; <see cref="DensePass.Block"/> holds their ∂z, latents×B.</summary>
    private void BackwardDense(in FusedBackwardArgs work, DensePass pass, int count)
    {
        var (rows, d) = (pass.Rows, work.Input.Columns);
        var start = (long)pass.First * d;
        float* z = pass.Z + ((long)pass.First * rows), block = pass.Block;
        void TimesRows(float* left, float* right, bool add, float* result) =>
            _gemm.Gemm(false, false, count, d, rows, 1, left, rows, right, d, add ? 1 : 0, result, d);

        var hasMono = work.Mono.X is not null;
        if (hasMono)
        {
            RunDense(pass, DensePhase.WriteScaled, pass.First, count);
            TimesRows(block, _unitRows.Pointer, false, pass.MonoSums);
            RunDense(pass, DensePhase.Score, pass.First, count);
            _gemm.Gemm(false, true, count, rows, d, 1, pass.MonoSums, d, _unitRows.Pointer, d, 0, block, rows);
            RunDense(pass, DensePhase.WriteMonoGradient, pass.First, count);
        }

        var hasGate = work.Gate.Gate is not null;
        var sink = new StoreGradient(z, block, rows, hasMono, work.PositiveAmount);
        if (work.DecodedGradient is { } g)
        {
            var operands = new CpuGemmOperands
            {
                TransA = false, TransB = true, A = Pointer(work.Decoder!) + start, Lda = d, B = Pointer(g), Ldb = d,
            };
            _gemm.Multiply(operands, _gemm.Plan(count, rows, d), sink);
            TimesRows(z, Pointer(g), work.AddToDecoderGradient, Pointer(work.DecoderGradient!) + start);
        }
        else
        {
            _gemm.Multiply(default, _gemm.Plan(count, rows, 0), sink);
        }

        if (hasGate)
        {
            RunDense(pass, DensePhase.OpenGate, pass.First, count);
            var gateSink = new StoreGradient(
                Pointer(work.Gate.Gate!.Dense!) + ((long)pass.First * rows), block, rows, add: true, work.Gate.PositiveAmount);
            if (work.Gate.DecodedGradient is { } gateGradient)
            {
                var operands = new CpuGemmOperands
                {
                    TransA = false, TransB = true, A = Pointer(work.Gate.Decoder!) + start, Lda = d, B = Pointer(gateGradient), Ldb = d,
                };
                _gemm.Multiply(operands, _gemm.Plan(count, rows, d), gateSink);
            }
            else
            {
                _gemm.Multiply(default, _gemm.Plan(count, rows, 0), gateSink);
            }
        }

        var isTied = work.DecoderGradient == work.EncoderGradient;
        TimesRows(block, Pointer(work.Input), work.AddToEncoderGradient || isTied, Pointer(work.EncoderGradient) + start);
        RunDense(pass, DensePhase.Finish, pass.First, count);
    }

    private void RunDense(in DensePass pass, DensePhase phase, int first, int count) =>
        _pool.Run(TaskCount(count, LatentsPerTask), new DensePhaseWork(pass, phase, first, count));

    /// <summary>The work between the products, latent by latent.</summary>
    private enum DensePhase
    {
        /// <summary>Extremes and sums of z.</summary>
        Scale,

        /// <summary>a = (z − min)/(max − min + ε), for MonoLoss's w = Σ a·p.</summary>
        WriteScaled,

        /// <summary>The score from w.</summary>
        Score,

        /// <summary>MonoLoss's part of ∂z from w·p.</summary>
        WriteMonoGradient,

        /// <summary>Gated: ∂z becomes exp(r_mag)·∂z, a part of ∂π.</summary>
        OpenGate,

        /// <summary><see cref="WeightGradients.Finish"/>.</summary>
        Finish,
    }

    /// <summary>State of a latent from one phase to the next.</summary>
    private struct DenseLatent
    {
        public BatchMonoScore Mono;
        public double Score;

        /// <summary>w·P, P = Σ p over all rows.</summary>
        public double WDotSum;

        public MagnitudeSums Magnitude;
    }

    /// <summary>Arguments of the phases.</summary>
    private struct DensePass(
        in FusedBackwardArgs work, float* z, int rows, float* block, DenseLatent* latents, in WeightGradients weights)
    {
        public readonly float* Z = z;
        public readonly int Rows = rows;
        public readonly DenseLatent* Latents = latents;

        /// <summary>B values for every latent of the block.</summary>
        public readonly float* Block = block;

        /// <summary>The first latent of the block.</summary>
        public int First;

        /// <summary>w of every latent of the block, D values each.</summary>
        public float* MonoSums;

        /// <summary>‖p‖² of every row, with p rounded to float32.</summary>
        public double* SelfWeights;

        /// <summary>∂loss/∂score of an active latent.</summary>
        public double MonoFactor;

        private readonly int _d = work.Input.Columns;
        private readonly WeightGradients _weights = weights;
        private readonly float* _scores = PointerOrNull(work.Mono.Scores);
        private readonly double* _unitRowSum = work.Mono.UnitRowSum is null ? null : Pointer(work.Mono.UnitRowSum);

        public readonly void Run(DensePhase phase, int m)
        {
            float* z = Z + ((long)m * Rows), row = Block + ((long)(m - First) * Rows);
            ref var latent = ref Latents[m];
            switch (phase)
            {
                case DensePhase.Scale:
                    latent.Mono = new BatchMonoScore(z, Rows);
                    break;
                case DensePhase.WriteScaled:
                    latent.Mono.WriteScaled(z, SelfWeights, Rows, row);
                    break;
                case DensePhase.Score:
                    var w = MonoSums + ((long)(m - First) * _d);
                    latent.Score = latent.Mono.IsActive ? latent.Mono.Score(w, _d) : 0;
                    latent.WDotSum = BatchMonoScore.Dot(w, _unitRowSum, _d);
                    _scores[m] = (float)latent.Score;
                    break;
                case DensePhase.WriteMonoGradient when latent.Mono.IsActive:
                    latent.Mono.WriteGradient(latent.Score, MonoFactor, z, SelfWeights, Rows, latent.WDotSum, row);
                    break;
                case DensePhase.WriteMonoGradient:
                    new Span<float>(row, Rows).Clear();
                    break;
                case DensePhase.OpenGate:
                    latent.Magnitude = default;
                    var scale = _weights.GateScale(m);
                    for (var i = 0; i < Rows; i++)
                    {
                        latent.Magnitude.Add(z[i], row[i]);
                        row[i] *= scale;
                    }

                    break;
                default:
                    _weights.Finish(m, VectorMath.Sum(row, Rows), latent.Magnitude);
                    break;
            }
        }
    }

    private readonly struct DensePhaseWork(DensePass pass, DensePhase phase, int first, int count) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(count, (task + 1) * LatentsPerTask);
            for (var i = task * LatentsPerTask; i < last; i++)
            {
                pass.Run(phase, first + i);
            }
        }
    }

    /// <summary>Reads the values of listed entries.</summary>
    private readonly struct ReadDenseWork(int* offsets, int* indices, int rows, int rowsPerTask, float* dense, float* values)
        : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
                {
                    values[entry] = dense[((long)indices[entry] * rows) + i];
                }
            }
        }
    }

    /// <summary>The unit rows p, rounded to float32, and ‖p‖² of those.</summary>
    private readonly struct ToUnitRowsWork(
        float* x, double* norms, int rows, int d, int rowsPerTask, float* unit, double* selfWeights) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                var p = unit + ((long)i * d);
                VectorMath.ShiftAndScale(x + ((long)i * d), 0, 1 / norms[i], p, d);
                // As MonoScore.SelfTerm: a row of zeros has no direction, but its a² is subtracted all the same.
                selfWeights[i] = norms[i] > MonoScore.SmallestNorm ? VectorMath.SumSquares(p, d) : 1;
            }
        }
    }

    /// <summary>Counts the nonzeros of every row or, if indices are given, writes them.</summary>
    private readonly struct ListNonzerosWork(float* dense, int latents, int rows, int* next, int* indices, float* values) : IParallelWork
    {
        public void Run(int task)
        {
            var ofRow = next + ((long)task * rows);
            var last = Math.Min(latents, (task + 1) * LatentsPerBlock);
            for (var m = task * LatentsPerBlock; m < last; m++)
            {
                var z = dense + ((long)m * rows);
                for (var i = 0; i < rows; i++)
                {
                    if (z[i] == 0)
                    {
                        continue;
                    }

                    if (indices is not null)
                    {
                        indices[ofRow[i]] = m;
                        values[ofRow[i]] = z[i];
                    }

                    ofRow[i]++;
                }
            }
        }
    }

    /// <summary>z = max(tile + bias, 0) with one bias per row; NaN becomes 0.</summary>
    private readonly struct StorePositive(float* z, nint stride, float* bias) : ITileSink
    {
        public void Begin(int block, int group, int row, int rows)
        {
        }

        public void Expect(int row, int column, int rows, int columns)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int tileStride)
        {
            for (var r = 0; r < rows; r++)
            {
                var from = tile + (r * tileStride);
                var to = z + ((row + r) * stride) + column;
                var addend = bias is null ? 0 : bias[row + r];
                var j = 0;
                for (; j + 8 <= columns; j += 8)
                {
                    var value = Vector256.Load(from + j) + Vector256.Create(addend);
                    var isPositive = Vector256.GreaterThan(value, Vector256<float>.Zero);
                    Vector256.ConditionalSelect(isPositive, value, Vector256<float>.Zero).Store(to + j);
                }

                for (; j < columns; j++)
                {
                    var value = from[j] + addend;
                    to[j] = value > 0 ? value : 0;
                }
            }
        }
    }

    /// <summary>∂z = tile + (add ? ∂z : 0) + amount where z is positive, else 0.</summary>
    private readonly struct StoreGradient(float* z, float* gradient, nint stride, bool add, float amount) : ITileSink
    {
        public void Begin(int block, int group, int row, int rows)
        {
        }

        public void Expect(int row, int column, int rows, int columns)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int tileStride)
        {
            for (var r = 0; r < rows; r++)
            {
                var from = tile + (r * tileStride);
                var to = gradient + ((row + r) * stride) + column;
                var active = z + ((row + r) * stride) + column;
                var j = 0;
                for (; j + 8 <= columns; j += 8)
                {
                    var value = Vector256.Load(from + j) + Vector256.Create(amount);
                    if (add)
                    {
                        value += Vector256.Load(to + j);
                    }

                    var isActive = Vector256.GreaterThan(Vector256.Load(active + j), Vector256<float>.Zero);
                    Vector256.ConditionalSelect(isActive, value, Vector256<float>.Zero).Store(to + j);
                }

                for (; j < columns; j++)
                {
                    to[j] = active[j] > 0 ? from[j] + amount + (add ? to[j] : 0) : 0;
                }
            }
        }
    }
}
