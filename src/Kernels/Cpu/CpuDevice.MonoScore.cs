namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void MonoScores(
        CsrMatrix s,
        Tensor x,
        DeviceArray<double> norms,
        DeviceArray<double> unitRowSum,
        Tensor scores,
        DeviceArray<float> gradient,
        DeviceArray<double> result)
    {
        RequireColumnIndex(s);
        Require(s.Rows == x.Rows && norms.Length == x.Rows && unitRowSum.Length == x.Columns, "shapes do not fit");
        scores.Resize(1, s.Columns);
        gradient.Resize(s.NonzeroCount);
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        var partials = Partials(2L * pieces);
        _pool.Run(
            pieces,
            new MonoScoresWork(
                new Latents(s, x, norms),
                Visit(pieces, x.Columns, s.NonzeroCount),
                Pointer(unitRowSum),
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
    public override int CountMonoActive(CsrMatrix s, DeviceArray<double> norms)
    {
        RequireColumnIndex(s);
        var pieces = Pieces(s.Columns, LatentsPerPiece);
        _pool.Run(pieces, new CountActiveWork(new Latents(s, null, norms), Visit(pieces, 0, s.NonzeroCount), Partials(pieces)));
        return (int)SumPartials(pieces);
    }

    /// <inheritdoc/>
    public override void AddMonoGradient(CsrMatrix s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor)
    {
        var active = Pointer(result)[1];
        if (active > 0)
        {
            _pool.Run(
                Pieces(s.NonzeroCount, NonzerosPerPiece),
                new AddScaledWork(Pointer(scoreGradient), (float)(-factor / active), s.NonzeroCount, Pointer(s.Gradient)));
        }
    }

    /// <inheritdoc/>
    public override void AccumulateMonoScore(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        SumUnitRows(x, norms, sums.UnitRowSum);
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
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor)
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
                Scratch(((long)pieces * x.Columns) + s.NonzeroCount),
                pieces,
                Pointer(s.Gradient)));
    }

    /// <summary>A batch as seen latent by latent.</summary>
    private readonly struct Latents(CsrMatrix s, Tensor? x, DeviceArray<double>? norms)
    {
        public readonly int* Offsets = Pointer(s.ColumnOffsets);
        public readonly int* RowIndices = Pointer(s.RowIndices);
        public readonly int* EntryOf = Pointer(s.EntryOf);
        public readonly float* Values = Pointer(s.Values);
        public readonly float* X = PointerOrNull(x);
        public readonly double* Norms = norms is null ? null : Pointer(norms);
        public readonly int Rows = s.Rows;
        public readonly int Columns = s.Columns;
        public readonly int Dimension = x?.Columns ?? 0;

        /// <summary>Copies a latent's values beside each other.</summary>
        /// <returns>Its first entry in the order by columns, and how many it has.</returns>
        public (int First, int Count) Gather(int m, float* z)
        {
            var (first, last) = (Offsets[m], Offsets[m + 1]);
            for (var j = first; j < last; j++)
            {
                z[j] = Values[EntryOf[j]];
            }

            return (first, last - first);
        }

        /// <summary>Of a latent's nonzeros those with rows from <paramref name="row"/> up to <paramref name="end"/>.</summary>
        public (int First, int Count) Within(int m, int row, int end)
        {
            var (first, last) = (LowerBound(Offsets[m], Offsets[m + 1], row), Offsets[m + 1]);
            return (first, LowerBound(first, last, end) - first);
        }

        private int LowerBound(int first, int last, int row)
        {
            while (first < last)
            {
                var middle = (first + last) >>> 1;
                (first, last) = RowIndices[middle] < row ? (middle + 1, last) : (first, middle);
            }

            return first;
        }

        /// <summary>The first of a piece's latents.</summary>
        public int First(int piece) => piece * LatentsPerPiece;

        /// <summary>The end of a piece's latents.</summary>
        public int Last(int piece) => Math.Min(Columns, (piece + 1) * LatentsPerPiece);
    }

    /// <summary>Memory of a visit to every latent: D-vectors, and four numbers an entry, column by column.</summary>
    private readonly struct VisitScratch(float* memory, int vectors, int d, long nonzeros)
    {
        public readonly float* Z = memory + ((long)vectors * d);
        public readonly float* Weights = memory + ((long)vectors * d) + nonzeros;
        public readonly float* Dots = memory + ((long)vectors * d) + (2 * nonzeros);
        public readonly float* Gradient = memory + ((long)vectors * d) + (3 * nonzeros);

        public float* Vector(int index) => memory + ((long)index * d);
    }

    private VisitScratch Visit(int vectors, int d, long nonzeros) => new(Scratch(((long)vectors * d) + (4 * nonzeros)), vectors, d, nonzeros);

    private readonly struct Sums(MonoScoreSums sums)
    {
        public readonly double* Sum = Pointer(sums.Sum);
        public readonly double* SumSquares = Pointer(sums.SumSquares);
        public readonly float* Minimum = Pointer(sums.Minimum);
        public readonly float* Maximum = Pointer(sums.Maximum);
        public readonly long* Nonzeros = Pointer(sums.Nonzeros);
        public readonly long* Fired = Pointer(sums.Fired);
        public readonly long* MinimumTies = Pointer(sums.MinimumTies);
        public readonly long* MaximumTies = Pointer(sums.MaximumTies);
        public readonly double* WeightedUnitRows = Pointer(sums.WeightedUnitRows);
        public readonly double* UnitRowSum = Pointer(sums.UnitRowSum);
        public readonly long Rows = sums.Rows;
        public readonly int Latents = sums.Latents;
        public readonly int Dimension = sums.Dimension;

        public LatentSums Of(int m) => new()
        {
            Sum = Sum[m],
            SumSquares = SumSquares[m],
            StoredMinimum = Minimum[m],
            StoredMaximum = Maximum[m],
            MinimumTies = MinimumTies[m],
            MaximumTies = MaximumTies[m],
            Nonzeros = Nonzeros[m],
            Rows = Rows,
        };
    }

    private readonly struct MonoScoresWork(
        Latents latents, VisitScratch scratch, double* unitRowSum, float* scores, float* gradient, double* partials) : IParallelWork
    {
        public void Run(int piece)
        {
            var d = latents.Dimension;
            var w = scratch.Vector(piece);
            double sum = 0, active = 0;
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                var (first, n) = latents.Gather(m, scratch.Z);
                float* z = scratch.Z + first, weights = scratch.Weights + first, dots = scratch.Dots + first, g = scratch.Gradient + first;
                var rowOf = latents.RowIndices + first;
                var visit = new BatchMonoScore(z, rowOf, n, latents.Rows, latents.Norms, weights);
                new Span<float>(g, n).Clear();
                scores[m] = 0;
                if (visit.IsActive)
                {
                    LatentMath.WeightedSumThenDots(weights, rowOf, n, latents.X, w, dots, d);
                    var score = visit.Score(w, d);
                    visit.AddGradient(score, 1, z, rowOf, n, latents.Rows, latents.Norms, weights, w, dots, unitRowSum, d, g);
                    scores[m] = (float)score;
                    sum += score;
                    active++;
                }

                for (var j = 0; j < n; j++)
                {
                    gradient[latents.EntryOf[first + j]] = g[j];
                }
            }

            partials[2 * piece] = sum;
            partials[(2 * piece) + 1] = active;
        }
    }

    private readonly struct CountActiveWork(Latents latents, VisitScratch scratch, double* partials) : IParallelWork
    {
        public void Run(int piece)
        {
            var active = 0;
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                var (first, n) = latents.Gather(m, scratch.Z);
                var visit = new BatchMonoScore(scratch.Z + first, latents.RowIndices + first, n, latents.Rows, latents.Norms, null);
                active += visit.IsActive ? 1 : 0;
            }

            partials[piece] = active;
        }
    }

    private readonly struct AddScaledWork(float* source, float factor, int count, float* target) : IParallelWork
    {
        public void Run(int piece)
        {
            var first = piece * NonzerosPerPiece;
            VectorMath.Axpy(factor, source + first, target + first, Math.Min(count - first, NonzerosPerPiece));
        }
    }

    private readonly struct AccumulateWork(Latents latents, Sums sums) : IParallelWork
    {
        public void Run(int piece)
        {
            var d = latents.Dimension;
            for (var m = latents.First(piece); m < latents.Last(piece); m++)
            {
                double sum = 0, squares = 0;
                float minimum = sums.Minimum[m], maximum = sums.Maximum[m];
                long minimumTies = sums.MinimumTies[m], maximumTies = sums.MaximumTies[m], fired = 0;
                var directions = sums.WeightedUnitRows + ((long)m * d);
                var end = latents.Offsets[m + 1];
                for (var j = latents.Offsets[m]; j < end; j++)
                {
                    VectorMath.Prefetch(latents.X + ((long)latents.RowIndices[Math.Min(j + 1, end - 1)] * d), d);
                    var z = latents.Values[latents.EntryOf[j]];
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
                    var row = latents.RowIndices[j];
                    if (z != 0)
                    {
                        VectorMath.AccumulateDouble(directions, z / latents.Norms[row], latents.X + ((long)row * d), d);
                    }
                }

                sums.Sum[m] += sum;
                sums.SumSquares[m] += squares;
                sums.Nonzeros[m] += latents.Offsets[m + 1] - latents.Offsets[m];
                sums.Fired[m] += fired;
                (sums.Minimum[m], sums.Maximum[m]) = (minimum, maximum);
                (sums.MinimumTies[m], sums.MaximumTies[m]) = (minimumTies, maximumTies);
            }
        }
    }

    private readonly struct FinishWork(Sums sums, double* scores) : IParallelWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(sums.Latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                var terms = sums.Of(m).Terms();
                scores[m] = 0;
                if (terms.IsActive)
                {
                    var squares = 0.0;
                    for (var j = 0; j < sums.Dimension; j++)
                    {
                        var w = (sums.WeightedUnitRows[((long)m * sums.Dimension) + j] - (terms.Minimum * sums.UnitRowSum[j])) * terms.PerRange;
                        squares += w * w;
                    }

                    scores[m] = terms.Score(squares);
                }
            }
        }
    }

    private readonly struct DatasetGradientWork(
        Latents latents, Sums sums, double* scores, double factor, float* scratch, int pieces, float* gradient) : IParallelWork
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

                var latent = sums.Of(m);
                var terms = latent.Terms();
                var wDotSum = 0.0;
                for (var j = 0; j < d; j++)
                {
                    var wj = (sums.WeightedUnitRows[((long)m * d) + j] - (terms.Minimum * sums.UnitRowSum[j])) * terms.PerRange;
                    wDotSum += wj * sums.UnitRowSum[j];
                    w[j] = (float)wj;
                }

                VectorMath.DotRows(w, latents.RowIndices + first, last - first, latents.X, dots + first, d);
                var score = scores[m];
                var scale = terms.GradientScale(factor);
                float minimum = terms.Minimum, maximum = latent.Maximum;
                // All rows that attain an extreme share its gradient.
                var atMaximum = terms.GradientAtMaximum(score, scale) / latent.RowsAtMaximum;
                var atMinimum = terms.GradientAtMinimum(score, scale, wDotSum, latent.Rows) / latent.RowsAtMinimum;
                for (var j = first; j < last; j++)
                {
                    var z = latents.Values[latents.EntryOf[j]];
                    var a = terms.Scaled(z);
                    var g = terms.Gradient(a, dots[j] / latents.Norms[latents.RowIndices[j]], a, score, scale);
                    g += z == maximum ? atMaximum : 0;
                    g += z == minimum ? atMinimum : 0;
                    gradient[latents.EntryOf[j]] += (float)g;
                }
            }
        }
    }
}
