namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    private readonly CpuArray<float> _centerPartials = new(0);
    private readonly CpuArray<MonoVisit> _visits = new(0);

    /// <inheritdoc/>
    public override void BackwardLatents(in LatentBackward work)
    {
        var s = work.Latents;
        var d = work.Input.Columns;
        RequireColumnIndex(s);
        Require(s.Rows == work.Input.Rows && s.Columns == work.Encoder.Rows && work.Encoder.Columns == d, "shapes do not fit");
        RequireSameShape(work.Encoder, work.EncoderGradient);
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        var isDense = IsNearlyDense(s);
        var active = work.Mono.X is null || isDense ? 0 : CountMonoActive(s, work.Mono.Norms!);
        if (work.CenterGradient is not null)
        {
            _centerPartials.Resize((long)pieces * d);
            _centerPartials.Clear();
        }

        var visit = new BackwardLatentsWork(
            work,
            Visit(s.Columns, work.Mono.X is null ? 0 : d, s.Count),
            work.CenterGradient is null ? null : _centerPartials.Pointer,
            Partials(pieces));
        if (isDense)
        {
            active = BackwardDense(work, visit, pieces);
        }
        else
        {
            _pool.Run(pieces, visit.WithActive(active));
        }

        if (work.Mono.Result is { } result)
        {
            Pointer(result)[0] = SumPartials(pieces);
            Pointer(result)[1] = active;
        }

        if (work.CenterGradient is { } centerGradient)
        {
            _pool.Run(Pieces(d, ColumnsPerPiece), new SumCenterWork(_centerPartials.Pointer, pieces, d, Pointer(centerGradient)));
        }
    }

    /// <summary>The visit with its products dense: M×B matrices, a latent a row, take turns in one memory.</summary>
    /// <returns>How many latents are active in the sense of MonoLoss.</returns>
    private int BackwardDense(in LatentBackward work, BackwardLatentsWork visit, int pieces)
    {
        var (rows, latents, d) = (work.Latents.Rows, work.Latents.Columns, work.Input.Columns);
        _dense.Resize((long)rows * latents);
        var dense = _dense.Pointer;
        var active = 0;
        _visits.Resize(latents);
        void Run(DensePhase phase) => _pool.Run(pieces, new DensePhaseWork(visit.WithActive(active), phase, dense, _visits.Pointer));
        void TimesRows(Tensor x, float beta, float* result) =>
            _gemm.Gemm(false, false, latents, d, rows, 1, dense, rows, Pointer(x), d, beta, result, d);
        void RowsTimes(float* left, Tensor x) =>
            _gemm.Gemm(false, true, latents, rows, d, 1, left, d, Pointer(x), d, 0, dense, rows);

        Run(DensePhase.WriteValues);
        if (work.DecodedGradient is { } g)
        {
            TimesRows(g, work.AddToDecoderGradient ? 1 : 0, Pointer(work.DecoderGradient!));
            RowsTimes(Pointer(work.Decoder!), g);
            Run(DensePhase.ReadDecoded);
        }

        if (work.Mono.X is { } x)
        {
            Run(DensePhase.WriteMonoWeights);
            active = (int)SumPartials(pieces);
            TimesRows(x, 0, visit.MonoSums);
            RowsTimes(visit.MonoSums, x);
            Run(DensePhase.ReadMonoDots);
        }

        Run(DensePhase.FormAndWriteGradient);
        var isTied = work.DecoderGradient == work.EncoderGradient;
        TimesRows(work.Input, work.AddToEncoderGradient || isTied ? 1 : 0, Pointer(work.EncoderGradient));
        Run(DensePhase.Finish);
        return active;
    }

    private enum DensePhase
    {
        WriteValues,
        ReadDecoded,
        WriteMonoWeights,
        ReadMonoDots,
        FormAndWriteGradient,
        Finish,
    }

    /// <summary>What happens latent by latent between the dense products.</summary>
    private readonly struct DensePhaseWork(BackwardLatentsWork visit, DensePhase phase, float* dense, MonoVisit* visits) : IWork
    {
        public void Run(int piece) => visit.RunDense(piece, phase, dense, visits);
    }

    private struct BackwardLatentsWork : IWork
    {
        private readonly Latents _latents;
        private readonly Latents _mono;
        private readonly VisitScratch _scratch;
        private readonly float* _gradient;
        private readonly bool _addToLatentGradient;
        private readonly float* _decodedGradient;
        private readonly float* _decoder;
        private readonly float* _decoderGradient;
        private readonly bool _addToDecoderGradient;
        private readonly double* _decoderSquares;
        private readonly float* _encoder;
        private readonly float* _encoderGradient;
        private readonly bool _addToEncoderGradient;
        private readonly double* _encoderSquares;
        private readonly float* _center;
        private readonly float* _biasGradient;
        private readonly float _positiveAmount;
        private readonly float* _monoScores;
        private readonly double* _monoDirections;
        private double _monoFactor;
        private readonly float* _pre;
        private readonly float* _logThreshold;
        private readonly float* _thresholdGradient;
        private readonly float _bandwidth;
        private readonly double _l0Factor;
        private readonly float* _centerPartials;
        private readonly double* _scorePartials;
        private readonly int _d;

        public BackwardLatentsWork(
            in LatentBackward work, VisitScratch scratch, float* centerPartials, double* scorePartials)
        {
            _latents = new Latents(work.Latents, work.Input, null);
            _mono = new Latents(work.Latents, work.Mono.X, work.Mono.Norms);
            _scratch = scratch;
            _gradient = Pointer(work.Latents.Gradient);
            _addToLatentGradient = work.AddToLatentGradient;
            _decodedGradient = PointerOrNull(work.DecodedGradient);
            _decoder = PointerOrNull(work.Decoder);
            _decoderGradient = PointerOrNull(work.DecoderGradient);
            _addToDecoderGradient = work.AddToDecoderGradient;
            _decoderSquares = work.DecoderGradientSquares is null ? null : Pointer(work.DecoderGradientSquares);
            _encoder = Pointer(work.Encoder);
            _encoderGradient = Pointer(work.EncoderGradient);
            // Tied weights: the decoder's part of the visit has been there first.
            _addToEncoderGradient = work.AddToEncoderGradient || _encoderGradient == _decoderGradient;
            _encoderSquares = work.EncoderGradientSquares is null ? null : Pointer(work.EncoderGradientSquares);
            _center = PointerOrNull(work.Center);
            _biasGradient = PointerOrNull(work.BiasGradient);
            _positiveAmount = work.PositiveAmount;
            _monoScores = PointerOrNull(work.Mono.Scores);
            _monoDirections = work.Mono.Directions is null ? null : Pointer(work.Mono.Directions);
            _monoFactor = work.Mono.Factor;
            _pre = work.JumpReLU.Pre is null ? null : Pointer(work.JumpReLU.Pre);
            _logThreshold = PointerOrNull(work.JumpReLU.LogThreshold);
            _thresholdGradient = PointerOrNull(work.JumpReLU.Gradient);
            _bandwidth = work.JumpReLU.Bandwidth;
            _l0Factor = work.JumpReLU.L0Factor;
            _centerPartials = centerPartials;
            _scorePartials = scorePartials;
            _d = work.Input.Columns;
        }

        /// <summary>The same visit, once it is known how many latents share MonoLoss's gradient.</summary>
        public readonly BackwardLatentsWork WithActive(int active)
        {
            var visit = this;
            visit._monoFactor = active > 0 ? -_monoFactor / active : 0;
            return visit;
        }

        public readonly void Run(int piece)
        {
            var (first, last) = (_latents.First(piece), _latents.Last(piece));
            var scores = 0.0;
            if (_latents.Offsets[last] - _latents.Offsets[first] <= (long)DensePlaces * (last - first))
            {
                // The rows that a latent fires on stay in the level-2 cache from one of these to the next.
                for (var m = first; m < last; m++)
                {
                    scores += FormLatentGradient(piece, m, visits: null);
                    WeightedSum(m, _scratch.Gradient, _latents.X, _encoderGradient + ((long)m * _d), _addToEncoderGradient);
                    Finish(piece, m);
                }
            }
            else
            {
                // It fires on too many: the piece's latents go through the rows together, block by block.
                scores = RunTogether(piece, first, last);
            }

            _scorePartials[piece] = scores;
        }

        /// <summary>w of every latent, M×D.</summary>
        public readonly float* MonoSums => _scratch.Vector(0);

        /// <summary>A phase of the visit with dense products.</summary>
        public readonly void RunDense(int piece, DensePhase phase, float* dense, MonoVisit* visits)
        {
            var sum = 0.0;
            for (var m = _latents.First(piece); m < _latents.Last(piece); m++)
            {
                var (first, n) = (_latents.Offsets[m], _latents.Offsets[m + 1] - _latents.Offsets[m]);
                var row = dense + ((long)m * _latents.Rows);
                var rowOf = _latents.RowOf + first;
                switch (phase)
                {
                    case DensePhase.WriteValues:
                        _latents.Gather(m, _scratch.Z);
                        WriteOut(_scratch.Z + first, rowOf, n, row);
                        break;
                    case DensePhase.ReadDecoded:
                        ReadAt(row, rowOf, n, _scratch.Gradient + first);
                        break;
                    case DensePhase.WriteMonoWeights:
                        visits[m] = new MonoVisit(_scratch.Z + first, rowOf, n, _mono.Rows, _mono.Norms, _scratch.Weights + first);
                        sum += visits[m].IsActive ? 1 : 0;
                        WriteOut(_scratch.Weights + first, rowOf, n, row);
                        break;
                    case DensePhase.ReadMonoDots:
                        ReadAt(row, rowOf, n, _scratch.Dots + first);
                        break;
                    case DensePhase.FormAndWriteGradient:
                        sum += FormLatentGradient(piece, m, visits);
                        WriteOut(_scratch.Gradient + first, rowOf, n, row);
                        break;
                    default:
                        Finish(piece, m);
                        break;
                }
            }

            if (phase is DensePhase.WriteMonoWeights or DensePhase.FormAndWriteGradient)
            {
                _scorePartials[piece] = sum;
            }
        }

        private readonly void WriteOut(float* values, int* rowOf, int n, float* row)
        {
            new Span<float>(row, _latents.Rows).Clear();
            for (var j = 0; j < n; j++)
            {
                row[rowOf[j]] = values[j];
            }
        }

        private static void ReadAt(float* row, int* rowOf, int n, float* values)
        {
            for (var j = 0; j < n; j++)
            {
                values[j] = row[rowOf[j]];
            }
        }

        private readonly double RunTogether(int piece, int first, int last)
        {
            var block = RowsPerBlock(_d);
            var scores = 0.0;
            var room = stackalloc MonoVisit[LatentsPerPiece];
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
                            _latents.RowOf + start,
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
                    visits[m] = new MonoVisit(
                        _scratch.Z + start,
                        _latents.RowOf + start,
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
                            _scratch.Weights + start, _latents.RowOf + start, count, _mono.X, _scratch.Vector(m), _d, row > 0);
                    }
                }

                for (var row = 0; row < _latents.Rows; row += block)
                {
                    for (var m = first; m < last; m++)
                    {
                        var (start, count) = _latents.Within(m, row, row + block);
                        VectorMath.DotRows(_scratch.Vector(m), _latents.RowOf + start, count, _mono.X, _scratch.Dots + start, _d);
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
                        _latents.RowOf + start,
                        count,
                        _latents.X,
                        _encoderGradient + ((long)m * _d),
                        _d,
                        _addToEncoderGradient || row > 0);
                }
            }

            for (var m = first; m < last; m++)
            {
                Finish(piece, m);
            }

            return scores;
        }

        /// <summary>Forms ∂z of a latent, and all that its places alone decide.</summary>
        /// <param name="piece">The piece.</param>
        /// <param name="m">The latent.</param>
        /// <param name="visits">MonoLoss's visits to the latents, where the products with rows are there already; else null.</param>
        /// <returns>The latent's MonoScore.</returns>
        private readonly double FormLatentGradient(int piece, int m, MonoVisit* visits)
        {
            var together = visits is not null;
            var (first, n) = together ? (_latents.Offsets[m], _latents.Offsets[m + 1] - _latents.Offsets[m]) : _latents.Gather(m, _scratch.Z);
            var row = (long)m * _d;
            float* z = _scratch.Z + first, g = _scratch.Gradient + first;
            int* rowOf = _latents.RowOf + first, placeOf = _latents.PlaceOf + first;
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
                g[j] += (_addToLatentGradient ? _gradient[placeOf[j]] : 0) + (z[j] > 0 ? _positiveAmount : 0);
            }

            var score = _monoScores is null ? 0 : VisitMono(piece, m, first, n, visits);
            if (_pre is not null)
            {
                VisitJumpReLU(m, z, g, placeOf, n);
            }

            for (var j = 0; j < n; j++)
            {
                _gradient[placeOf[j]] = g[j];
            }

            return score;
        }

        private readonly void WeightedSum(int m, float* weights, float* rows, float* y, bool add)
        {
            var first = _latents.Offsets[m];
            LatentMath.WeightedSum(weights + first, _latents.RowOf + first, _latents.Offsets[m + 1] - first, rows, y, _d, add);
        }

        /// <summary>What follows from ∂z of a latent once its rows of the weights' gradients are there.</summary>
        private readonly void Finish(int piece, int m)
        {
            var (first, last) = (_latents.Offsets[m], _latents.Offsets[m + 1]);
            var row = (long)m * _d;
            var sum = 0.0;
            for (var j = first; j < last; j++)
            {
                sum += _scratch.Gradient[j];
            }

            if (_biasGradient is not null)
            {
                _biasGradient[m] += (float)sum;
            }

            if (_center is not null && last > first)
            {
                // ∂zᵀ·(x − center), and through the center −∂z·W_enc.
                VectorMath.Axpy((float)-sum, _center, _encoderGradient + row, _d);
                VectorMath.Axpy((float)-sum, _encoder + row, _centerPartials + ((long)piece * _d), _d);
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

        private readonly double VisitMono(int piece, int m, int first, int n, MonoVisit* visits)
        {
            float* z = _scratch.Z + first, weights = _scratch.Weights + first, dots = _scratch.Dots + first;
            var rowOf = _latents.RowOf + first;
            var together = visits is not null;
            var visit = together ? visits[m] : new MonoVisit(z, rowOf, n, _mono.Rows, _mono.Norms, weights);
            _monoScores[m] = 0;
            if (!visit.IsActive)
            {
                return 0;
            }

            // One by one they share a vector, which then stays in cache.
            var w = _scratch.Vector(together ? m : _latents.First(piece));
            if (!together)
            {
                LatentMath.WeightedSumThenDots(weights, rowOf, n, _mono.X, w, dots, _d);
            }

            var score = visit.Score(w, _d);
            _monoScores[m] = (float)score;
            visit.AddGradient(
                score, _monoFactor, z, rowOf, n, _mono.Rows, _mono.Norms, weights, w, dots, _monoDirections, _d, _scratch.Gradient + first);
            return score;
        }

        private readonly void VisitJumpReLU(int m, float* z, float* g, int* placeOf, int n)
        {
            var band = new ThresholdBand(MathF.Exp(_logThreshold[m]), _bandwidth);
            for (var j = 0; j < n; j++)
            {
                band.Add(_pre[placeOf[j]], z[j], ref g[j]);
            }

            _thresholdGradient[m] += band.Gradient(_l0Factor);
        }
    }

    private readonly struct SumCenterWork(float* partials, int pieces, int d, float* gradient) : IWork
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
