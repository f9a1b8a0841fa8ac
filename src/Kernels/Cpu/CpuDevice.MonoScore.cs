namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    // Names and values of the official code (arXiv 2602.12403).
    private const double RangeEpsilon = 1e-8;
    private const double SmallestPairWeight = 1e-8;
    private const double BatchAddend = 1e-8;
    private const double DatasetAddend = 1e-12;

    /// <inheritdoc/>
    public override void MonoScores(
        SparseRows s,
        Tensor x,
        DeviceArray<double> norms,
        DeviceArray<double> directions,
        Tensor scores,
        DeviceArray<float> gradient,
        DeviceArray<double> result)
    {
        RequireColumnIndex(s);
        Require(s.Rows == x.Rows && norms.Length == x.Rows && directions.Length == x.Columns, "shapes do not fit");
        scores.Resize(1, s.Columns);
        gradient.Resize(s.Count);
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        var partials = Partials(2L * pieces);
        _pool.Run(
            pieces,
            new MonoScoresWork(
                new Latents(s, x, norms),
                Scratch(((long)pieces * x.Columns) + (2L * s.Count)),
                pieces,
                Pointer(directions),
                Pointer(scores),
                Pointer(gradient),
                partials));
        double sum = 0, active = 0;
        for (var piece = 0; piece < pieces; piece++)
        {
            sum += partials[2 * piece];
            active += partials[(2 * piece) + 1];
        }

        Pointer(result)[0] = sum;
        Pointer(result)[1] = active;
    }

    /// <inheritdoc/>
    public override void AddMonoGradient(SparseRows s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor)
    {
        var active = Pointer(result)[1];
        if (active > 0)
        {
            _pool.Run(
                Pieces(s.Count, PlacesPerPiece),
                new AddScaledWork(Pointer(scoreGradient), (float)(-factor / active), s.Count, Pointer(s.Gradient)));
        }
    }

    /// <inheritdoc/>
    public override void AccumulateMonoScore(SparseRows s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        SumUnitRows(x, norms, sums.AllDirections);
        _pool.Run(Pieces(s.Columns, LatentsPerPiece), new AccumulateWork(new Latents(s, x, norms), new Sums(sums)));
        sums.Rows += s.Rows;
    }

    /// <inheritdoc/>
    public override void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores)
    {
        scores.Resize(sums.Latents);
        _pool.Run(Pieces(sums.Latents, LatentsPerPiece), new FinishWork(new Sums(sums), Pointer(scores)));
    }

    /// <inheritdoc/>
    public override void AddDatasetMonoGradient(
        SparseRows s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        _pool.Run(
            pieces,
            new DatasetGradientWork(
                new Latents(s, x, norms),
                new Sums(sums),
                Pointer(scores),
                factor,
                Scratch(((long)pieces * x.Columns) + s.Count),
                pieces,
                Pointer(s.Gradient)));
    }

    /// <summary>A batch as seen latent by latent.</summary>
    private readonly struct Latents(SparseRows s, Tensor x, DeviceArray<double> norms)
    {
        public readonly int* Offsets = Pointer(s.ColumnOffsets);
        public readonly int* RowOf = Pointer(s.RowOf);
        public readonly int* PlaceOf = Pointer(s.PlaceOf);
        public readonly float* Values = Pointer(s.Values);
        public readonly float* X = Pointer(x);
        public readonly double* Norms = Pointer(norms);
        public readonly int Rows = s.Rows;
        public readonly int Columns = s.Columns;
        public readonly int Dimension = x.Columns;

        /// <summary>The first place of a piece's latents.</summary>
        public int First(int piece) => piece * LatentsPerPiece;

        /// <summary>The end of a piece's latents.</summary>
        public int Last(int piece) => Math.Min(Columns, (piece + 1) * LatentsPerPiece);
    }

    private readonly struct Sums(MonoScoreSums sums)
    {
        public readonly double* Sum = Pointer(sums.Sum);
        public readonly double* SumSquares = Pointer(sums.SumSquares);
        public readonly float* Minimum = Pointer(sums.Minimum);
        public readonly float* Maximum = Pointer(sums.Maximum);
        public readonly long* Places = Pointer(sums.Places);
        public readonly long* Fired = Pointer(sums.Fired);
        public readonly long* MinimumTies = Pointer(sums.MinimumTies);
        public readonly long* MaximumTies = Pointer(sums.MaximumTies);
        public readonly double* Directions = Pointer(sums.Directions);
        public readonly double* AllDirections = Pointer(sums.AllDirections);
        public readonly long Rows = sums.Rows;
        public readonly int Latents = sums.Latents;
        public readonly int Dimension = sums.Dimension;
    }

    /// <summary>The terms of one latent's dataset score: METHOD "MonoScore and MonoLoss", u, v and num/den.</summary>
    private readonly ref struct DatasetTerms
    {
        public readonly double Minimum;
        public readonly double Maximum;
        public readonly double Range;
        public readonly double U;
        public readonly double PairWeight;

        public DatasetTerms(in Sums sums, int m)
        {
            double minimum = sums.Minimum[m], maximum = sums.Maximum[m];
            if (sums.Places[m] < sums.Rows)
            {
                // Rows that store nothing have z = 0.
                minimum = sums.Places[m] == 0 ? 0 : Math.Min(minimum, 0);
                maximum = sums.Places[m] == 0 ? 0 : Math.Max(maximum, 0);
            }

            (Minimum, Maximum) = (minimum, maximum);
            Range = maximum - minimum + RangeEpsilon;
            U = (sums.Sum[m] - (sums.Rows * minimum)) / Range;
            V = (sums.SumSquares[m] - (2 * minimum * sums.Sum[m]) + (sums.Rows * minimum * minimum)) / (Range * Range);
            PairWeight = maximum > minimum ? ((U * U) - V) / 2 : 0;
        }

        public readonly double V { get; }
    }

    private readonly struct MonoScoresWork(
        Latents latents, float* scratch, int pieces, double* directions, float* scores, float* gradient, double* partials) : IWork
    {
        public void Run(int piece)
        {
            var d = latents.Dimension;
            var w = scratch + ((long)piece * d);
            var weights = scratch + ((long)pieces * d);
            var dots = weights + latents.Offsets[latents.Columns];
            double sum = 0, active = 0;
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                var (first, last) = (latents.Offsets[m], latents.Offsets[m + 1]);
                scores[m] = Score(first, last, w, weights, dots, out var isActive);
                sum += scores[m];
                active += isActive ? 1 : 0;
            }

            partials[2 * piece] = sum;
            partials[(2 * piece) + 1] = active;
        }

        private float Score(int first, int last, float* w, float* weights, float* dots, out bool active)
        {
            var (n, d) = (last - first, latents.Dimension);
            float minimum = n < latents.Rows ? 0 : float.MaxValue, maximum = 0;
            for (var j = first; j < last; j++)
            {
                var z = latents.Values[latents.PlaceOf[j]];
                minimum = Math.Min(minimum, z);
                maximum = Math.Max(maximum, z);
            }

            var range = (double)maximum - minimum + RangeEpsilon;
            double u = 0, v = 0, selfTerms = 0;
            for (var j = first; j < last; j++)
            {
                var a = ((double)latents.Values[latents.PlaceOf[j]] - minimum) / range;
                var norm = latents.Norms[latents.RowOf[j]];
                weights[j] = (float)(a / norm);
                // ‖w‖² holds each sample paired with itself: what is taken off is what rounding has put in. A row of zeros has
                // no direction, and the formula takes its a² off all the same.
                var self = norm > SmallestNorm ? weights[j] * norm : a;
                u += a;
                v += a * a;
                selfTerms += self * self;
            }

            var pairWeight = ((u * u) - v) / 2;
            active = pairWeight > SmallestPairWeight;
            if (!active)
            {
                for (var j = first; j < last; j++)
                {
                    gradient[latents.PlaceOf[j]] = 0;
                }

                return 0;
            }

            new Span<float>(w, d).Clear();
            VectorMath.AddWeightedRows(weights + first, latents.RowOf + first, n, latents.X, w, d);
            var divisor = pairWeight + BatchAddend;
            var score = (VectorMath.SumSquares(w, d) - selfTerms) / 2 / divisor;
            VectorMath.DotRows(w, latents.RowOf + first, n, latents.X, dots + first, d);
            var scale = 1 / (range * divisor);
            var maximumGradient = -2 * score * BatchAddend * scale;
            for (var j = first; j < last; j++)
            {
                var z = latents.Values[latents.PlaceOf[j]];
                var a = ((double)z - minimum) / range;
                var norm = latents.Norms[latents.RowOf[j]];
                var self = norm > SmallestNorm ? weights[j] * norm : a;
                var g = ((dots[j] / norm) - self - (score * (u - a))) * scale;
                if (z == maximum)
                {
                    // Only the first row that attains the maximum.
                    g += maximumGradient;
                    maximumGradient = 0;
                }

                gradient[latents.PlaceOf[j]] = (float)g;
            }

            var lowest = FirstMinimum(first, last, minimum);
            if (lowest >= 0)
            {
                var along = 0.0;
                for (var j = 0; j < d; j++)
                {
                    along += w[j] * directions[j];
                }

                var minimumGradient = (-((along - u) - (score * (latents.Rows - 1) * u)) * scale) + (2 * score * BatchAddend * scale);
                gradient[lowest] += (float)minimumGradient;
            }

            return (float)score;
        }

        /// <summary>The place of the first row that attains the minimum, or −1 if that row stores none.</summary>
        private int FirstMinimum(int first, int last, float minimum)
        {
            for (var j = first; j < last; j++)
            {
                if (minimum == 0 && latents.RowOf[j] > j - first)
                {
                    // A row before this one stores nothing, so it has z = 0.
                    return -1;
                }

                if (latents.Values[latents.PlaceOf[j]] == minimum)
                {
                    return latents.PlaceOf[j];
                }
            }

            return -1;
        }
    }

    private readonly struct AddScaledWork(float* source, float factor, int count, float* target) : IWork
    {
        public void Run(int piece)
        {
            var first = piece * PlacesPerPiece;
            VectorMath.Axpy(factor, source + first, target + first, Math.Min(count - first, PlacesPerPiece));
        }
    }

    private readonly struct AccumulateWork(Latents latents, Sums sums) : IWork
    {
        public void Run(int piece)
        {
            var d = latents.Dimension;
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                double sum = 0, squares = 0;
                float minimum = sums.Minimum[m], maximum = sums.Maximum[m];
                long minimumTies = sums.MinimumTies[m], maximumTies = sums.MaximumTies[m], fired = 0;
                var directions = sums.Directions + ((long)m * d);
                for (var j = latents.Offsets[m]; j < latents.Offsets[m + 1]; j++)
                {
                    var z = latents.Values[latents.PlaceOf[j]];
                    sum += z;
                    squares += (double)z * z;
                    fired += z > 0 ? 1 : 0;
                    if (minimumTies == 0 || z < minimum)
                    {
                        (minimum, minimumTies) = (z, 0);
                    }

                    if (maximumTies == 0 || z > maximum)
                    {
                        (maximum, maximumTies) = (z, 0);
                    }

                    minimumTies += z == minimum ? 1 : 0;
                    maximumTies += z == maximum ? 1 : 0;
                    var row = latents.RowOf[j];
                    if (z != 0)
                    {
                        VectorMath.AccumulateDouble(directions, z / latents.Norms[row], latents.X + ((long)row * d), d);
                    }
                }

                sums.Sum[m] += sum;
                sums.SumSquares[m] += squares;
                sums.Places[m] += latents.Offsets[m + 1] - latents.Offsets[m];
                sums.Fired[m] += fired;
                (sums.Minimum[m], sums.Maximum[m]) = (minimum, maximum);
                (sums.MinimumTies[m], sums.MaximumTies[m]) = (minimumTies, maximumTies);
            }
        }
    }

    private readonly struct FinishWork(Sums sums, double* scores) : IWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(sums.Latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                var terms = new DatasetTerms(sums, m);
                scores[m] = 0;
                if (terms.PairWeight > SmallestPairWeight)
                {
                    var squares = 0.0;
                    for (var j = 0; j < sums.Dimension; j++)
                    {
                        var w = (sums.Directions[((long)m * sums.Dimension) + j] - (terms.Minimum * sums.AllDirections[j])) / terms.Range;
                        squares += w * w;
                    }

                    scores[m] = (squares - terms.V) / 2 / (terms.PairWeight + DatasetAddend);
                }
            }
        }
    }

    private readonly struct DatasetGradientWork(
        Latents latents, Sums sums, double* scores, double factor, float* scratch, int pieces, float* gradient) : IWork
    {
        public void Run(int piece)
        {
            var d = latents.Dimension;
            var w = scratch + ((long)piece * d);
            var dots = scratch + ((long)pieces * d);
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                var (first, last) = (latents.Offsets[m], latents.Offsets[m + 1]);
                if (scores[m] == 0 || first == last)
                {
                    continue;
                }

                var terms = new DatasetTerms(sums, m);
                var along = 0.0;
                for (var j = 0; j < d; j++)
                {
                    var wj = (sums.Directions[((long)m * d) + j] - (terms.Minimum * sums.AllDirections[j])) / terms.Range;
                    along += wj * sums.AllDirections[j];
                    w[j] = (float)wj;
                }

                VectorMath.DotRows(w, latents.RowOf + first, last - first, latents.X, dots + first, d);
                var scale = factor / (terms.Range * (terms.PairWeight + DatasetAddend));
                var score = scores[m];
                var implicitZeros = sums.Rows - sums.Places[m];
                var minimumRows = (terms.Minimum == sums.Minimum[m] ? sums.MinimumTies[m] : 0) + (terms.Minimum == 0 ? implicitZeros : 0);
                var maximumRows = (terms.Maximum == sums.Maximum[m] ? sums.MaximumTies[m] : 0) + (terms.Maximum == 0 ? implicitZeros : 0);
                var maximumGradient = -2 * score * DatasetAddend * scale / maximumRows;
                var minimumGradient = ((-((along - terms.U) - (score * (sums.Rows - 1) * terms.U)) * scale)
                    + (2 * score * DatasetAddend * scale)) / minimumRows;
                for (var j = first; j < last; j++)
                {
                    var z = latents.Values[latents.PlaceOf[j]];
                    var a = (z - terms.Minimum) / terms.Range;
                    var g = ((dots[j] / latents.Norms[latents.RowOf[j]]) - a - (score * (terms.U - a))) * scale;
                    g += z == terms.Maximum ? maximumGradient : 0;
                    g += z == terms.Minimum ? minimumGradient : 0;
                    gradient[latents.PlaceOf[j]] += (float)g;
                }
            }
        }
    }
}
