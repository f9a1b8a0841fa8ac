namespace MonoLoss.Kernels.Cpu;

/// <content>The fused backward pass, latent by latent.</content>
public sealed unsafe partial class CpuDevice
{
    private readonly CpuArray<float> _centerPartials = new(0);

    /// <inheritdoc/>
    public override void FusedLatentBackward(in FusedBackwardArgs work)
    {
        var s = work.Latents;
        var d = work.Input.Columns;
        RequireColumnIndex(s);
        Require(s.Rows == work.Input.Rows && s.Columns == work.Encoder.Rows && work.Encoder.Columns == d, "shapes do not fit");
        RequireSameShape(work.Encoder, work.EncoderGradient);
        if (work.DecodedGradient is { } decoded)
        {
            RequireRows(s, decoded, work.GroupEnds);
        }

        var tasks = TaskCount(s.Columns, LatentsPerTask);
        if (work.CenterGradient is not null)
        {
            _centerPartials.Resize((long)tasks * d);
            _centerPartials.Clear();
        }

        var weights = new WeightGradients(work, work.CenterGradient is null ? null : _centerPartials.Pointer);
        if (s.Dense is { } dense && !work.AddToLatentGradient && work.JumpReLU.Pre is null && work.GroupEnds is null
            && (work.Gate.Gate is not { } gate || (gate.Dense is not null && !work.Gate.AddToGateGradient)))
        {
            BackwardDense(work, dense, weights);
        }
        else
        {
            BackwardSparse(work, weights, tasks);
        }

        if (work.CenterGradient is { } centerGradient)
        {
            _pool.Run(TaskCount(d, ColumnsPerTask), new SumCenterWork(_centerPartials.Pointer, tasks, d, Pointer(centerGradient)));
        }
    }

    private void BackwardSparse(in FusedBackwardArgs work, in WeightGradients weights, int tasks)
    {
        var s = work.Latents;
        var active = work.Mono.X is null ? 0 : CountMonoActive(s, work.Mono.Norms!);
        // One vector per task, then one per latent: tasks that need the one kind run at the same time as tasks that need the other.
        var vectors = tasks + (HasRowBlockedTask(s) ? s.Columns : 0);
        var scratch = LatentScratchFor(
            vectors, work.Mono.X is null ? 0 : work.Input.Columns, s.NonzeroCount, hasGate: work.Gate.Gate is not null);
        _pool.Run(tasks, new BackwardLatentsWork(work, scratch, tasks, weights, active, Partials(tasks)));
        if (work.Mono.Result is { } result)
        {
            Pointer(result)[0] = SumPartials(tasks);
            Pointer(result)[1] = active;
        }
    }

    /// <summary>Whether the latents of any task go through the rows together (<see cref="IsRowBlocked"/>).</summary>
    private static bool HasRowBlockedTask(CsrMatrix s)
    {
        var offsets = Pointer(s.ColumnOffsets);
        for (var first = 0; first < s.Columns; first += LatentsPerTask)
        {
            if (IsRowBlocked(offsets, first, Math.Min(s.Columns, first + LatentsPerTask)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Whether latents first … last − 1 have so many nonzeros that the rows of one do not stay in the level-2 cache: then they go through
    /// the rows together, block by block.
    /// </summary>
    private static bool IsRowBlocked(int* offsets, int first, int last) =>
        offsets[last] - offsets[first] > (long)DenseNonzeros * (last - first);

    /// <summary>The rest of a latent once its rows of the weights' gradients exist: bias, center, sums of squares.</summary>
    private readonly struct WeightGradients(in FusedBackwardArgs work, float* centerPartials)
    {
        private readonly int _d = work.Input.Columns;
        private readonly float* _encoder = Pointer(work.Encoder);
        private readonly float* _encoderGradient = Pointer(work.EncoderGradient);
        private readonly double* _encoderSquares = work.EncoderGradientSquares is null ? null : Pointer(work.EncoderGradientSquares);
        private readonly float* _decoderGradient = PointerOrNull(work.DecoderGradient);
        private readonly double* _decoderSquares = work.DecoderGradientSquares is null ? null : Pointer(work.DecoderGradientSquares);
        private readonly float* _center = PointerOrNull(work.Center);
        private readonly float* _biasGradient = PointerOrNull(work.BiasGradient);
        private readonly float* _gateScale = PointerOrNull(work.Gate.Scale);
        private readonly float* _magBias = PointerOrNull(work.Gate.MagBias);
        private readonly float* _gateScaleGradient = PointerOrNull(work.Gate.ScaleGradient);
        private readonly float* _magBiasGradient = PointerOrNull(work.Gate.MagBiasGradient);

        /// <summary>exp(r_mag) of latent m.</summary>
        public float GateScale(int m) => MathF.Exp(_gateScale[m]);

        /// <summary>Completes latent m.</summary>
        /// <param name="m">The latent.</param>
        /// <param name="sum">Σ ∂z over the batch; with a gate Σ ∂π.</param>
        /// <param name="magnitude">The sums over the magnitudes, where there is a gate.</param>
        public void Finish(int m, double sum, in MagnitudeSums magnitude)
        {
            var row = (long)m * _d;
            var hasGate = _gateScale is not null;
            if (hasGate)
            {
                magnitude.AddTo(_magBias[m], ref _gateScaleGradient[m], ref _magBiasGradient[m]);
            }

            if (_biasGradient is not null)
            {
                // The gate's bias gets Σ ∂ĝ, the rest of Σ ∂π.
                _biasGradient[m] += (float)(hasGate ? sum - (GateScale(m) * magnitude.Gradient) : sum);
            }

            if (_center is not null && sum != 0)
            {
                // The encoder gets ∂zᵀ·(x − center), so far without the center; the center gets −∂z·W_enc.
                VectorMath.Axpy((float)-sum, _center, _encoderGradient + row, _d);
                VectorMath.Axpy((float)-sum, _encoder + row, centerPartials + ((long)(m / LatentsPerTask) * _d), _d);
            }

            if (_encoderSquares is not null)
            {
                _encoderSquares[m] = VectorMath.SumSquares(_encoderGradient + row, _d);
            }

            if (_decoderSquares is not null)
            {
                _decoderSquares[m] = VectorMath.SumSquares(_decoderGradient + row, _d);
            }
        }
    }

    private readonly struct BackwardLatentsWork : IParallelWork
    {
        private readonly LatentColumns _latents;
        private readonly LatentColumns _mono;
        private readonly LatentScratch _scratch;
        private readonly WeightGradients _weights;
        private readonly float* _gradient;
        private readonly bool _addToLatentGradient;
        private readonly float* _decodedGradient;
        private readonly int* _groupEnds;
        private readonly float* _decoder;
        private readonly float* _decoderGradient;
        private readonly bool _addToDecoderGradient;
        private readonly float* _encoderGradient;
        private readonly bool _addToEncoderGradient;
        private readonly float _positiveAmount;
        private readonly float* _monoScores;
        private readonly double* _unitRowSum;
        private readonly double _monoFactor;
        private readonly float* _pre;
        private readonly float* _logThreshold;
        private readonly float* _thresholdGradient;
        private readonly float _bandwidth;
        private readonly double _l0Factor;
        private readonly bool _hasGate;
        private readonly float* _gate;
        private readonly float* _gateGradient;
        private readonly float* _gateDecodedGradient;
        private readonly float* _gateDecoder;
        private readonly float _gateAmount;
        private readonly double* _scorePartials;
        private readonly int _tasks;
        private readonly int _d;

        public BackwardLatentsWork(
            in FusedBackwardArgs work, LatentScratch scratch, int tasks, in WeightGradients weights, int active, double* scorePartials)
        {
            _latents = new LatentColumns(work.Latents, work.Input, null);
            _mono = new LatentColumns(work.Latents, work.Mono.X, work.Mono.Norms);
            _scratch = scratch;
            _tasks = tasks;
            _weights = weights;
            _gradient = Pointer(work.Latents.Gradient);
            _addToLatentGradient = work.AddToLatentGradient;
            _decodedGradient = PointerOrNull(work.DecodedGradient);
            _groupEnds = work.GroupEnds is null ? null : Pointer(work.GroupEnds);
            _decoder = PointerOrNull(work.Decoder);
            _decoderGradient = PointerOrNull(work.DecoderGradient);
            _addToDecoderGradient = work.AddToDecoderGradient;
            _encoderGradient = Pointer(work.EncoderGradient);
            // Tied weights: the decoder's gradient is already in the same rows.
            _addToEncoderGradient = work.AddToEncoderGradient || _encoderGradient == _decoderGradient;
            _positiveAmount = work.PositiveAmount;
            _monoScores = PointerOrNull(work.Mono.Scores);
            _unitRowSum = work.Mono.UnitRowSum is null ? null : Pointer(work.Mono.UnitRowSum);
            _monoFactor = active > 0 ? -work.Mono.Factor / active : 0;
            _pre = work.JumpReLU.Pre is null ? null : Pointer(work.JumpReLU.Pre);
            _logThreshold = PointerOrNull(work.JumpReLU.LogThreshold);
            _thresholdGradient = PointerOrNull(work.JumpReLU.Gradient);
            _bandwidth = work.JumpReLU.Bandwidth;
            _l0Factor = work.JumpReLU.L0Factor;
            if (work.Gate.Gate is { } gate)
            {
                Require(gate.NonzeroCount == work.Latents.NonzeroCount, "z does not have the gate's entries");
                _hasGate = true;
                _gate = Pointer(gate.Values);
                _gateGradient = work.Gate.AddToGateGradient ? Pointer(gate.Gradient) : null;
                _gateDecodedGradient = PointerOrNull(work.Gate.DecodedGradient);
                _gateDecoder = PointerOrNull(work.Gate.Decoder);
                _gateAmount = work.Gate.PositiveAmount;
            }

            _scorePartials = scorePartials;
            _d = work.Input.Columns;
        }

        public void Run(int task)
        {
            var (first, last) = (_latents.First(task), _latents.Last(task));
            var scores = 0.0;
            if (!IsRowBlocked(_latents.Offsets, first, last))
            {
                // The rows that a latent fires on stay in the level-2 cache from one loop to the next.
                for (var m = first; m < last; m++)
                {
                    scores += FormLatentGradient(task, m, mono: null, out var magnitude);
                    WeightedSum(m, _scratch.Gradient, _latents.X, _encoderGradient + ((long)m * _d), _addToEncoderGradient);
                    Finish(m, magnitude);
                }
            }
            else
            {
                scores = RunRowBlocked(task, first, last);
            }

            _scorePartials[task] = scores;
        }

        private double RunRowBlocked(int task, int first, int last)
        {
            var block = RowsPerBlock(_d);
            var scores = 0.0;
            var mono = stackalloc BatchMonoScore[LatentsPerTask];
            var magnitudes = stackalloc MagnitudeSums[LatentsPerTask];
            for (var m = first; m < last; m++)
            {
                _latents.Gather(m, _scratch.Z);
            }

            if (_decodedGradient is not null)
            {
                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        var at = (long)m * _d;
                        IndexedRows.DotsAndWeightedSum(
                            _decoder + at,
                            _scratch.Z + start,
                            _latents.RowIndices + start,
                            count,
                            DecodedGradient(m),
                            _scratch.Gradient + start,
                            _decoderGradient + at,
                            _d,
                            _addToDecoderGradient || row > 0);
                    }
                }
            }

            for (var row = 0; _gateDecodedGradient is not null && row < _latents.Rows; row += block)
            {
                for (var m = first; m < last; m++)
                {
                    var (start, count) = _latents.Within(m, row, row + block);
                    DotGate(m, start, count);
                }
            }

            if (_monoScores is not null)
            {
                for (var m = first; m < last; m++)
                {
                    var start = _latents.Offsets[m];
                    mono[m - first] = new BatchMonoScore(
                        _scratch.Z + start,
                        _latents.RowIndices + start,
                        _latents.Offsets[m + 1] - start,
                        _mono.Rows,
                        _mono.Norms,
                        _scratch.Weights + start);
                }

                // Two passes over the rows: a dot product needs the complete w.
                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        IndexedRows.WeightedSum(
                            _scratch.Weights + start,
                            _latents.RowIndices + start,
                            count,
                            _mono.X,
                            _scratch.Vector(_tasks + m),
                            _d,
                            row > 0);
                    }
                }

                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        VectorMath.DotRows(
                            _scratch.Vector(_tasks + m), _latents.RowIndices + start, count, _mono.X, _scratch.Dots + start, _d);
                    }
                }
            }

            for (var m = first; m < last; m++)
            {
                scores += FormLatentGradient(task, m, mono + (m - first), out magnitudes[m - first]);
            }

            for (var row = 0; row < _latents.Rows; row += block)
            {
                for (var m = first; m < last; m++)
                {
                    var (start, count) = _latents.Within(m, row, row + block);
                    IndexedRows.WeightedSum(
                        _scratch.Gradient + start,
                        _latents.RowIndices + start,
                        count,
                        _latents.X,
                        _encoderGradient + ((long)m * _d),
                        _d,
                        _addToEncoderGradient || row > 0);
                }
            }

            for (var m = first; m < last; m++)
            {
                Finish(m, magnitudes[m - first]);
            }

            return scores;
        }

        /// <summary>Forms ∂z of latent m and the gradient of its threshold.</summary>
        /// <param name="task">The task.</param>
        /// <param name="m">The latent.</param>
        /// <param name="mono">The latent's terms of MonoScore, where its products with rows exist already; else null.</param>
        /// <param name="magnitude">The sums over the magnitudes, where there is a gate.</param>
        /// <returns>The latent's MonoScore.</returns>
        private double FormLatentGradient(int task, int m, BatchMonoScore* mono, out MagnitudeSums magnitude)
        {
            magnitude = default;
            var isRowBlocked = mono is not null;
            var (first, n) = isRowBlocked
                ? (_latents.Offsets[m], _latents.Offsets[m + 1] - _latents.Offsets[m])
                : _latents.Gather(m, _scratch.Z);
            var row = (long)m * _d;
            float* z = _scratch.Z + first, g = _scratch.Gradient + first;
            int* rowOf = _latents.RowIndices + first, entryOf = _latents.EntryOf + first;
            if (_decodedGradient is null)
            {
                new Span<float>(g, n).Clear();
            }
            else if (!isRowBlocked)
            {
                IndexedRows.DotsAndWeightedSum(
                    _decoder + row, z, rowOf, n, DecodedGradient(m), g, _decoderGradient + row, _d, _addToDecoderGradient);
            }

            for (var j = 0; j < n; j++)
            {
                g[j] += (_addToLatentGradient ? _gradient[entryOf[j]] : 0) + (z[j] > 0 ? _positiveAmount : 0);
            }

            var score = _monoScores is null ? 0 : AddMonoLossGradient(task, m, first, n, mono);
            if (_pre is not null)
            {
                AddJumpReLUGradient(m, z, g, entryOf, n);
            }

            if (_hasGate)
            {
                if (_gateDecodedGradient is not null && !isRowBlocked)
                {
                    DotGate(m, first, n);
                }

                AddGateGradient(m, first, n, ref magnitude);
            }

            for (var j = 0; j < n; j++)
            {
                _gradient[entryOf[j]] = g[j];
            }

            return score;
        }

        /// <summary>The gradient of what ĝ was decoded into, along the decoder's row, at some nonzeros of latent m.</summary>
        private void DotGate(int m, int start, int count) => VectorMath.DotRows(
            _gateDecoder + ((long)m * _d), _latents.RowIndices + start, count, _gateDecodedGradient, _scratch.GateDots + start, _d);

        /// <summary>∂z becomes ∂π.</summary>
        private void AddGateGradient(int m, int first, int n, ref MagnitudeSums magnitude)
        {
            var scale = _weights.GateScale(m);
            float* z = _scratch.Z + first, g = _scratch.Gradient + first, dots = _scratch.GateDots + first;
            var entryOf = _latents.EntryOf + first;
            for (var j = 0; j < n; j++)
            {
                var gradient = z[j] > 0 ? g[j] : 0;
                magnitude.Add(z[j], gradient);
                var opening = (_gateDecodedGradient is null ? 0 : dots[j]) + _gateAmount
                    + (_gateGradient is null ? 0 : _gateGradient[entryOf[j]]);
                g[j] = (scale * gradient) + (_gate[entryOf[j]] > 0 ? opening : 0);
            }
        }

        /// <summary>The gradient of what latent m was decoded into: that of its group, where there are groups.</summary>
        private float* DecodedGradient(int m) =>
            _groupEnds is null ? _decodedGradient : _decodedGradient + ((long)GroupOf(_groupEnds, m) * _latents.Rows * _d);

        private void WeightedSum(int m, float* weights, float* rows, float* y, bool add)
        {
            var first = _latents.Offsets[m];
            IndexedRows.WeightedSum(weights + first, _latents.RowIndices + first, _latents.Offsets[m + 1] - first, rows, y, _d, add);
        }

        private void Finish(int m, in MagnitudeSums magnitude)
        {
            var sum = 0.0;
            for (var j = _latents.Offsets[m]; j < _latents.Offsets[m + 1]; j++)
            {
                sum += _scratch.Gradient[j];
            }

            _weights.Finish(m, sum, magnitude);
        }

        private double AddMonoLossGradient(int task, int m, int first, int n, BatchMonoScore* mono)
        {
            float* z = _scratch.Z + first, weights = _scratch.Weights + first, dots = _scratch.Dots + first;
            var rowOf = _latents.RowIndices + first;
            var isRowBlocked = mono is not null;
            var terms = isRowBlocked ? *mono : new BatchMonoScore(z, rowOf, n, _mono.Rows, _mono.Norms, weights);
            _monoScores[m] = 0;
            if (!terms.IsActive)
            {
                return 0;
            }

            // Latents that go one by one share a vector, which stays in cache.
            var w = _scratch.Vector(isRowBlocked ? _tasks + m : task);
            if (!isRowBlocked)
            {
                IndexedRows.WeightedSumThenDots(weights, rowOf, n, _mono.X, w, dots, _d);
            }

            var score = terms.Score(w, _d);
            _monoScores[m] = (float)score;
            terms.AddGradient(
                score, _monoFactor, z, rowOf, n, _mono.Rows, _mono.Norms, weights, w, dots, _unitRowSum, _d, _scratch.Gradient + first);
            return score;
        }

        private void AddJumpReLUGradient(int m, float* z, float* g, int* entryOf, int n)
        {
            var band = new ThresholdBand(MathF.Exp(_logThreshold[m]), _bandwidth);
            for (var j = 0; j < n; j++)
            {
                band.Add(_pre[entryOf[j]], z[j], ref g[j]);
            }

            _thresholdGradient[m] += band.Gradient(_l0Factor);
        }
    }

    private readonly struct SumCenterWork(float* partials, int tasks, int d, float* gradient) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * ColumnsPerTask;
            var count = Math.Min(d - first, ColumnsPerTask);
            var totals = stackalloc double[ColumnsPerTask];
            new Span<double>(totals, ColumnsPerTask).Clear();
            for (var i = 0; i < tasks; i++)
            {
                VectorMath.AccumulateDouble(totals, 1, partials + ((long)i * d) + first, count);
            }

            for (var j = 0; j < count; j++)
            {
                gradient[first + j] += (float)totals[j];
            }
        }
    }
}
