namespace MonoLoss.Kernels.Cpu;

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
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        if (work.CenterGradient is not null)
        {
            _centerPartials.Resize((long)pieces * d);
            _centerPartials.Clear();
        }

        var weights = new LatentWeights(work, work.CenterGradient is null ? null : _centerPartials.Pointer);
        if (s.Dense is { } dense && !work.AddToLatentGradient && work.JumpReLU.Pre is null)
        {
            BackwardDense(work, dense, weights);
        }
        else
        {
            BackwardSparse(work, weights, pieces);
        }

        if (work.CenterGradient is { } centerGradient)
        {
            _pool.Run(Pieces(d, ColumnsPerPiece), new SumCenterWork(_centerPartials.Pointer, pieces, d, Pointer(centerGradient)));
        }
    }

    private void BackwardSparse(in FusedBackwardArgs work, in LatentWeights weights, int pieces)
    {
        var s = work.Latents;
        var active = work.Mono.X is null ? 0 : CountMonoActive(s, work.Mono.Norms!);
        var scratch = Visit(AnyTogether(s) ? s.Columns : pieces, work.Mono.X is null ? 0 : work.Input.Columns, s.NonzeroCount);
        _pool.Run(pieces, new BackwardLatentsWork(work, scratch, weights, active, Partials(pieces)));
        if (work.Mono.Result is { } result)
        {
            Pointer(result)[0] = SumPartials(pieces);
            Pointer(result)[1] = active;
        }
    }

    /// <summary>Whether any piece has so many nonzeros that its latents go through the rows together.</summary>
    private static bool AnyTogether(CsrMatrix s)
    {
        var offsets = Pointer(s.ColumnOffsets);
        for (var first = 0; first < s.Columns; first += LatentsPerPiece)
        {
            if (GoTogether(offsets, first, Math.Min(s.Columns, first + LatentsPerPiece)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool GoTogether(int* offsets, int first, int last) =>
        offsets[last] - offsets[first] > (long)DenseNonzeros * (last - first);

    /// <summary>What follows from ∂z of a latent once its rows of the weights' gradients are there.</summary>
    private readonly struct LatentWeights(in FusedBackwardArgs work, float* centerPartials)
    {
        private readonly int _d = work.Input.Columns;
        private readonly float* _encoder = Pointer(work.Encoder);
        private readonly float* _encoderGradient = Pointer(work.EncoderGradient);
        private readonly double* _encoderSquares = work.EncoderGradientSquares is null ? null : Pointer(work.EncoderGradientSquares);
        private readonly float* _decoderGradient = PointerOrNull(work.DecoderGradient);
        private readonly double* _decoderSquares = work.DecoderGradientSquares is null ? null : Pointer(work.DecoderGradientSquares);
        private readonly float* _center = PointerOrNull(work.Center);
        private readonly float* _biasGradient = PointerOrNull(work.BiasGradient);

        /// <summary>Adds what the sum of a latent's ∂z decides.</summary>
        public void Finish(int m, double sum)
        {
            var row = (long)m * _d;
            if (_biasGradient is not null)
            {
                _biasGradient[m] += (float)sum;
            }

            if (_center is not null && sum != 0)
            {
                // ∂zᵀ·(x − center), and through the center −∂z·W_enc.
                VectorMath.Axpy((float)-sum, _center, _encoderGradient + row, _d);
                VectorMath.Axpy((float)-sum, _encoder + row, centerPartials + ((long)(m / LatentsPerPiece) * _d), _d);
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
        private readonly Latents _latents;
        private readonly Latents _mono;
        private readonly VisitScratch _scratch;
        private readonly LatentWeights _weights;
        private readonly float* _gradient;
        private readonly bool _addToLatentGradient;
        private readonly float* _decodedGradient;
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
        private readonly double* _scorePartials;
        private readonly int _d;

        public BackwardLatentsWork(
            in FusedBackwardArgs work, VisitScratch scratch, in LatentWeights weights, int active, double* scorePartials)
        {
            _latents = new Latents(work.Latents, work.Input, null);
            _mono = new Latents(work.Latents, work.Mono.X, work.Mono.Norms);
            _scratch = scratch;
            _weights = weights;
            _gradient = Pointer(work.Latents.Gradient);
            _addToLatentGradient = work.AddToLatentGradient;
            _decodedGradient = PointerOrNull(work.DecodedGradient);
            _decoder = PointerOrNull(work.Decoder);
            _decoderGradient = PointerOrNull(work.DecoderGradient);
            _addToDecoderGradient = work.AddToDecoderGradient;
            _encoderGradient = Pointer(work.EncoderGradient);
            // Tied weights: the decoder's part of the visit has been there first.
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
            _scorePartials = scorePartials;
            _d = work.Input.Columns;
        }

        public void Run(int piece)
        {
            var (first, last) = (_latents.First(piece), _latents.Last(piece));
            var scores = 0.0;
            if (!GoTogether(_latents.Offsets, first, last))
            {
                // The rows that a latent fires on stay in the level-2 cache from one of these to the next.
                for (var m = first; m < last; m++)
                {
                    scores += FormLatentGradient(piece, m, visits: null);
                    WeightedSum(m, _scratch.Gradient, _latents.X, _encoderGradient + ((long)m * _d), _addToEncoderGradient);
                    Finish(m);
                }
            }
            else
            {
                // It fires on too many: the piece's latents go through the rows together, block by block.
                scores = RunTogether(piece, first, last);
            }

            _scorePartials[piece] = scores;
        }

        private double RunTogether(int piece, int first, int last)
        {
            var block = RowsPerBlock(_d);
            var scores = 0.0;
            var room = stackalloc BatchMonoScore[LatentsPerPiece];
            // As if it began with the first latent of all.
            var visits = room - first;
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
                        LatentMath.DotsAndWeightedSum(
                            _decoder + at,
                            _scratch.Z + start,
                            _latents.RowIndices + start,
                            count,
                            _decodedGradient,
                            _scratch.Gradient + start,
                            _decoderGradient + at,
                            _d,
                            _addToDecoderGradient || row > 0);
                    }
                }
            }

            if (_monoScores is not null)
            {
                for (var m = first; m < last; m++)
                {
                    var start = _latents.Offsets[m];
                    visits[m] = new BatchMonoScore(
                        _scratch.Z + start,
                        _latents.RowIndices + start,
                        _latents.Offsets[m + 1] - start,
                        _mono.Rows,
                        _mono.Norms,
                        _scratch.Weights + start);
                }

                // Twice through the rows: a dot product needs the whole of w.
                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        LatentMath.WeightedSum(
                            _scratch.Weights + start, _latents.RowIndices + start, count, _mono.X, _scratch.Vector(m), _d, row > 0);
                    }
                }

                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        VectorMath.DotRows(_scratch.Vector(m), _latents.RowIndices + start, count, _mono.X, _scratch.Dots + start, _d);
                    }
                }
            }

            for (var m = first; m < last; m++)
            {
                scores += FormLatentGradient(piece, m, visits);
            }

            for (var row = 0; row < _latents.Rows; row += block)
            {
                for (var m = first; m < last; m++)
                {
                    var (start, count) = _latents.Within(m, row, row + block);
                    LatentMath.WeightedSum(
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
                Finish(m);
            }

            return scores;
        }

        /// <summary>Forms ∂z of a latent, and all that its places alone decide.</summary>
        /// <param name="piece">The piece.</param>
        /// <param name="m">The latent.</param>
        /// <param name="visits">MonoLoss's visits to the latents, where the products with rows are there already; else null.</param>
        /// <returns>The latent's MonoScore.</returns>
        private double FormLatentGradient(int piece, int m, BatchMonoScore* visits)
        {
            var together = visits is not null;
            var (first, n) = together ? (_latents.Offsets[m], _latents.Offsets[m + 1] - _latents.Offsets[m]) : _latents.Gather(m, _scratch.Z);
            var row = (long)m * _d;
            float* z = _scratch.Z + first, g = _scratch.Gradient + first;
            int* rowOf = _latents.RowIndices + first, entryOf = _latents.EntryOf + first;
            if (_decodedGradient is null)
            {
                new Span<float>(g, n).Clear();
            }
            else if (!together)
            {
                LatentMath.DotsAndWeightedSum(
                    _decoder + row, z, rowOf, n, _decodedGradient, g, _decoderGradient + row, _d, _addToDecoderGradient);
            }

            for (var j = 0; j < n; j++)
            {
                g[j] += (_addToLatentGradient ? _gradient[entryOf[j]] : 0) + (z[j] > 0 ? _positiveAmount : 0);
            }

            var score = _monoScores is null ? 0 : AddMonoLossGradient(piece, m, first, n, visits);
            if (_pre is not null)
            {
                AddJumpReLUGradient(m, z, g, entryOf, n);
            }

            for (var j = 0; j < n; j++)
            {
                _gradient[entryOf[j]] = g[j];
            }

            return score;
        }

        private void WeightedSum(int m, float* weights, float* rows, float* y, bool add)
        {
            var first = _latents.Offsets[m];
            LatentMath.WeightedSum(weights + first, _latents.RowIndices + first, _latents.Offsets[m + 1] - first, rows, y, _d, add);
        }

        private void Finish(int m)
        {
            var sum = 0.0;
            for (var j = _latents.Offsets[m]; j < _latents.Offsets[m + 1]; j++)
            {
                sum += _scratch.Gradient[j];
            }

            _weights.Finish(m, sum);
        }

        private double AddMonoLossGradient(int piece, int m, int first, int n, BatchMonoScore* visits)
        {
            float* z = _scratch.Z + first, weights = _scratch.Weights + first, dots = _scratch.Dots + first;
            var rowOf = _latents.RowIndices + first;
            var together = visits is not null;
            var visit = together ? visits[m] : new BatchMonoScore(z, rowOf, n, _mono.Rows, _mono.Norms, weights);
            _monoScores[m] = 0;
            if (!visit.IsActive)
            {
                return 0;
            }

            // One by one they share a vector, which then stays in cache.
            var w = _scratch.Vector(together ? m : piece);
            if (!together)
            {
                LatentMath.WeightedSumThenDots(weights, rowOf, n, _mono.X, w, dots, _d);
            }

            var score = visit.Score(w, _d);
            _monoScores[m] = (float)score;
            visit.AddGradient(
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

    private readonly struct SumCenterWork(float* partials, int pieces, int d, float* gradient) : IParallelWork
    {
        public void Run(int piece)
        {
            var first = piece * ColumnsPerPiece;
            var count = Math.Min(d - first, ColumnsPerPiece);
            var totals = stackalloc double[ColumnsPerPiece];
            new Span<double>(totals, ColumnsPerPiece).Clear();
            for (var i = 0; i < pieces; i++)
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
