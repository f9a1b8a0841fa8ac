namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    private readonly CpuArray<float> _centerPartials = new(0);

    /// <inheritdoc/>
    public override void BackwardLatents(in LatentBackward work)
    {
        var s = work.Latents;
        var d = work.Input.Columns;
        RequireColumnIndex(s);
        Require(s.Rows == work.Input.Rows && s.Columns == work.Encoder.Rows && work.Encoder.Columns == d, "shapes do not fit");
        RequireSameShape(work.Encoder, work.EncoderGradient);
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        var active = work.Mono.X is null ? 0 : CountMonoActive(s, work.Mono.Norms!);
        if (work.CenterGradient is not null)
        {
            _centerPartials.Resize((long)pieces * d);
            _centerPartials.Clear();
        }

        var partials = Partials(pieces);
        _pool.Run(
            pieces,
            new BackwardLatentsWork(
                work,
                Visit(pieces, d, s.Count),
                active > 0 ? -work.Mono.Factor / active : 0,
                work.CenterGradient is null ? null : _centerPartials.Pointer,
                partials));
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

    private readonly struct BackwardLatentsWork : IWork
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
        private readonly double _monoFactor;
        private readonly float* _pre;
        private readonly float* _logThreshold;
        private readonly float* _thresholdGradient;
        private readonly float _bandwidth;
        private readonly double _l0Factor;
        private readonly float* _centerPartials;
        private readonly double* _scorePartials;
        private readonly int _d;

        public BackwardLatentsWork(
            in LatentBackward work, VisitScratch scratch, double monoFactor, float* centerPartials, double* scorePartials)
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
            _monoFactor = monoFactor;
            _pre = work.JumpReLU.Pre is null ? null : Pointer(work.JumpReLU.Pre);
            _logThreshold = PointerOrNull(work.JumpReLU.LogThreshold);
            _thresholdGradient = PointerOrNull(work.JumpReLU.Gradient);
            _bandwidth = work.JumpReLU.Bandwidth;
            _l0Factor = work.JumpReLU.L0Factor;
            _centerPartials = centerPartials;
            _scorePartials = scorePartials;
            _d = work.Input.Columns;
        }

        public void Run(int piece)
        {
            var scores = 0.0;
            for (var m = _latents.First(piece); m < _latents.Last(piece); m++)
            {
                scores += Visit(piece, m);
            }

            _scorePartials[piece] = scores;
        }

        /// <returns>The latent's MonoScore.</returns>
        private double Visit(int piece, int m)
        {
            var (first, n) = _latents.Gather(m, _scratch.Z);
            var row = (long)m * _d;
            float* z = _scratch.Z + first, weights = _scratch.Weights + first, dots = _scratch.Dots + first, g = _scratch.Gradient + first;
            int* rowOf = _latents.RowOf + first, placeOf = _latents.PlaceOf + first;
            if (_decodedGradient is not null)
            {
                LatentMath.DotsAndWeightedSum(
                    _decoder + row, z, rowOf, n, _decodedGradient, g, _decoderGradient + row, _d, _addToDecoderGradient);
                if (_decoderSquares is not null)
                {
                    _decoderSquares[m] = VectorMath.SumSquares(_decoderGradient + row, _d);
                }
            }
            else
            {
                new Span<float>(g, n).Clear();
            }

            for (var j = 0; j < n; j++)
            {
                g[j] += (_addToLatentGradient ? _gradient[placeOf[j]] : 0) + (z[j] > 0 ? _positiveAmount : 0);
            }

            var score = _monoScores is null ? 0 : VisitMono(piece, m, z, weights, dots, g, rowOf, n);
            if (_pre is not null)
            {
                VisitJumpReLU(m, z, g, placeOf, n);
            }

            var sum = 0.0;
            for (var j = 0; j < n; j++)
            {
                _gradient[placeOf[j]] = g[j];
                sum += g[j];
            }

            LatentMath.WeightedSum(g, rowOf, n, _latents.X, _encoderGradient + row, _d, _addToEncoderGradient);
            if (_biasGradient is not null)
            {
                _biasGradient[m] += (float)sum;
            }

            if (_center is not null && n > 0)
            {
                // ∂zᵀ·(x − center), and through the center −∂z·W_enc.
                VectorMath.Axpy((float)-sum, _center, _encoderGradient + row, _d);
                VectorMath.Axpy((float)-sum, _encoder + row, _centerPartials + ((long)piece * _d), _d);
            }

            if (_encoderSquares is not null)
            {
                _encoderSquares[m] = VectorMath.SumSquares(_encoderGradient + row, _d);
            }

            return score;
        }

        private double VisitMono(int piece, int m, float* z, float* weights, float* dots, float* g, int* rowOf, int n)
        {
            var visit = new MonoVisit(z, rowOf, n, _mono.Rows, _mono.Norms, weights);
            _monoScores[m] = 0;
            if (!visit.IsActive)
            {
                return 0;
            }

            var w = _scratch.Vector(piece);
            LatentMath.WeightedSumThenDots(weights, rowOf, n, _mono.X, w, dots, _d);
            var score = visit.Score(w, _d);
            _monoScores[m] = (float)score;
            visit.AddGradient(score, _monoFactor, z, rowOf, n, _mono.Rows, _mono.Norms, weights, w, dots, _monoDirections, _d, g);
            return score;
        }

        private void VisitJumpReLU(int m, float* z, float* g, int* placeOf, int n)
        {
            var threshold = MathF.Exp(_logThreshold[m]);
            var half = _bandwidth / 2;
            double preSum = 0;
            var l0Places = 0;
            for (var j = 0; j < n; j++)
            {
                preSum += Math.Abs(_pre[placeOf[j]] - threshold) < half ? g[j] : 0;
                l0Places += Math.Abs(z[j] - threshold) < half ? 1 : 0;
                if (z[j] == 0)
                {
                    g[j] = 0;
                }
            }

            _thresholdGradient[m] += (float)(-((threshold * preSum) + (_l0Factor * l0Places)) / _bandwidth);
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
