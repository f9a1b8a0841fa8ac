namespace MonoLoss.Kernels.Cpu;

/// <content>MonoScore of a batch and of a dataset. A training step uses <see cref="FusedLatentBackward"/> instead.</content>
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
        var tasks = TaskCount(s.Columns, LatentsPerTask);
        var partials = Partials(2L * tasks);
        _pool.Run(
            tasks,
            new MonoScoresWork(
                new LatentColumns(s, x, norms),
                LatentScratchFor(tasks, x.Columns, s.NonzeroCount),
                Pointer(unitRowSum),
                Pointer(scores),
                Pointer(gradient),
                partials));
        double sum = 0, active = 0;
        for (var task = 0; task < tasks; task++)
        {
            sum += partials[2 * task];
            active += partials[(2 * task) + 1];
        }

        Pointer(result)[0] = sum;
        Pointer(result)[1] = active;
    }

    /// <inheritdoc/>
    public override int CountMonoActive(CsrMatrix s, DeviceArray<double> norms)
    {
        RequireColumnIndex(s);
        var tasks = TaskCount(s.Columns, LatentsPerTask);
        var scratch = LatentScratchFor(tasks, 0, s.NonzeroCount);
        _pool.Run(tasks, new CountActiveWork(new LatentColumns(s, null, norms), scratch, Partials(tasks)));
        return (int)SumPartials(tasks);
    }

    /// <inheritdoc/>
    public override void AddMonoGradient(CsrMatrix s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor)
    {
        var active = Pointer(result)[1];
        if (active > 0)
        {
            _pool.Run(
                TaskCount(s.NonzeroCount, NonzerosPerTask),
                new AddScaledWork(Pointer(scoreGradient), (float)(-factor / active), s.NonzeroCount, Pointer(s.Gradient)));
        }
    }

    /// <inheritdoc/>
    public override void AccumulateMonoScore(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        SumUnitRows(x, norms, sums.UnitRowSum);
        _pool.Run(TaskCount(s.Columns, LatentsPerTask), new AccumulateWork(new LatentColumns(s, x, norms), new Sums(sums)));
        sums.Rows += s.Rows;
    }

    /// <inheritdoc/>
    public override void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores)
    {
        scores.Resize(sums.Latents);
        _pool.Run(TaskCount(sums.Latents, LatentsPerTask), new FinishWork(new Sums(sums), Pointer(scores)));
    }

    /// <inheritdoc/>
    public override void AddDatasetMonoGradient(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor)
    {
        RequireColumnIndex(s);
        Require(s.Columns == sums.Latents && x.Columns == sums.Dimension && s.Rows == x.Rows, "shapes do not fit");
        var tasks = TaskCount(s.Columns, LatentsPerTask);
        _pool.Run(
            tasks,
            new DatasetGradientWork(
                new LatentColumns(s, x, norms),
                new Sums(sums),
                Pointer(scores),
                factor,
                Scratch(((long)tasks * x.Columns) + s.NonzeroCount),
                tasks,
                Pointer(s.Gradient)));
    }

    /// <summary>A batch by columns: the nonzeros of each latent.</summary>
    private readonly struct LatentColumns(CsrMatrix s, Tensor? x, DeviceArray<double>? norms)
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

        /// <summary>Copies the values of latent m to z, in the order by column.</summary>
        /// <returns>The index by column of its first nonzero, and how many it has.</returns>
        public (int First, int Count) Gather(int m, float* z)
        {
            var (first, last) = (Offsets[m], Offsets[m + 1]);
            for (var j = first; j < last; j++)
            {
                z[j] = Values[EntryOf[j]];
            }

            return (first, last - first);
        }

        /// <summary>The nonzeros of latent m in rows <paramref name="row"/> … <paramref name="end"/> − 1: first and count.</summary>
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

        /// <summary>The first latent of a task.</summary>
        public int First(int task) => task * LatentsPerTask;

        /// <summary>One past the last latent of a task.</summary>
        public int Last(int task) => Math.Min(Columns, (task + 1) * LatentsPerTask);
    }

    /// <summary>Scratch memory for loops over latents: D-vectors, and four values per nonzero in the order by column.</summary>
    private readonly struct LatentScratch(float* memory, int vectors, int d, long nonzeros)
    {
        public readonly float* Z = memory + ((long)vectors * d);
        public readonly float* Weights = memory + ((long)vectors * d) + nonzeros;
        public readonly float* Dots = memory + ((long)vectors * d) + (2 * nonzeros);
        public readonly float* Gradient = memory + ((long)vectors * d) + (3 * nonzeros);

        /// <summary>Only where there is a gate.</summary>
        public readonly float* GateDots = memory + ((long)vectors * d) + (4 * nonzeros);

        public float* Vector(int index) => memory + ((long)index * d);
    }

    private LatentScratch LatentScratchFor(int vectors, int d, long nonzeros, bool hasGate = false) =>
        new(Scratch(((long)vectors * d) + ((hasGate ? 5 : 4) * nonzeros)), vectors, d, nonzeros);

    /// <summary><see cref="MonoScoreSums"/> as pointers.</summary>
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
        LatentColumns latents, LatentScratch scratch, double* unitRowSum, float* scores, float* gradient, double* partials) : IParallelWork
    {
        public void Run(int task)
        {
            var d = latents.Dimension;
            var w = scratch.Vector(task);
            double sum = 0, active = 0;
            for (var m = latents.First(task); m < latents.Last(task); m++)
            {
                var (first, n) = latents.Gather(m, scratch.Z);
                float* z = scratch.Z + first, weights = scratch.Weights + first, dots = scratch.Dots + first, g = scratch.Gradient + first;
                var rowOf = latents.RowIndices + first;
                var terms = new BatchMonoScore(z, rowOf, n, latents.Rows, latents.Norms, weights);
                new Span<float>(g, n).Clear();
                scores[m] = 0;
                if (terms.IsActive)
                {
                    IndexedRows.WeightedSumThenDots(weights, rowOf, n, latents.X, w, dots, d);
                    var score = terms.Score(w, d);
                    terms.AddGradient(score, 1, z, rowOf, n, latents.Rows, latents.Norms, weights, w, dots, unitRowSum, d, g);
                    scores[m] = (float)score;
                    sum += score;
                    active++;
                }

                for (var j = 0; j < n; j++)
                {
                    gradient[latents.EntryOf[first + j]] = g[j];
                }
            }

            partials[2 * task] = sum;
            partials[(2 * task) + 1] = active;
        }
    }

    private readonly struct CountActiveWork(LatentColumns latents, LatentScratch scratch, double* partials) : IParallelWork
    {
        public void Run(int task)
        {
            var active = 0;
            for (var m = latents.First(task); m < latents.Last(task); m++)
            {
                var (first, n) = latents.Gather(m, scratch.Z);
                var terms = new BatchMonoScore(scratch.Z + first, latents.RowIndices + first, n, latents.Rows, latents.Norms, null);
                active += terms.IsActive ? 1 : 0;
            }

            partials[task] = active;
        }
    }

    private readonly struct AddScaledWork(float* source, float factor, int count, float* target) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * NonzerosPerTask;
            VectorMath.Axpy(factor, source + first, target + first, Math.Min(count - first, NonzerosPerTask));
        }
    }

    private readonly struct AccumulateWork(LatentColumns latents, Sums sums) : IParallelWork
    {
        public void Run(int task)
        {
            var d = latents.Dimension;
            for (var m = latents.First(task); m < latents.Last(task); m++)
            {
                double sum = 0, squares = 0;
                float minimum = sums.Minimum[m], maximum = sums.Maximum[m];
                long minimumTies = sums.MinimumTies[m], maximumTies = sums.MaximumTies[m], fired = 0;
                var weightedUnitRows = sums.WeightedUnitRows + ((long)m * d);
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
                        VectorMath.AccumulateDouble(weightedUnitRows, z / latents.Norms[row], latents.X + ((long)row * d), d);
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
        public void Run(int task)
        {
            var last = Math.Min(sums.Latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var terms = sums.Of(m).Terms();
                scores[m] = 0;
                if (terms.IsActive)
                {
                    var squares = 0.0;
                    for (var j = 0; j < sums.Dimension; j++)
                    {
                        var at = ((long)m * sums.Dimension) + j;
                        var w = (sums.WeightedUnitRows[at] - (terms.Minimum * sums.UnitRowSum[j])) * terms.PerRange;
                        squares += w * w;
                    }

                    scores[m] = terms.Score(squares);
                }
            }
        }
    }

    private readonly struct DatasetGradientWork(
        LatentColumns latents, Sums sums, double* scores, double factor, float* scratch, int tasks, float* gradient) : IParallelWork
    {
        public void Run(int task)
        {
            var d = latents.Dimension;
            var w = scratch + ((long)task * d);
            var dots = scratch + ((long)tasks * d);
            for (var m = latents.First(task); m < latents.Last(task); m++)
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
