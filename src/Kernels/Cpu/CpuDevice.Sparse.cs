namespace MonoLoss.Kernels.Cpu;

/// <content>Sparse products.</content>
public sealed unsafe partial class CpuDevice
{
    private const int NonzerosPerTask = 1 << 16;

    // With more nonzeros per row (or per latent) than this, the rows that they point to no longer stay in the level-2 cache between
    // two passes. 96 rows of 768 floats are 288 KiB.
    private const int DenseNonzeros = 96;

    // Rows that then go through the matrix together, and the size of the blocks it is read in, which leaves room in a level-2 cache of
    // 512 KiB or more.
    private const int RowsTogether = 32;
    private const int BlockBytes = 384 << 10;

    private readonly CpuArray<int> _histograms = new(0);

    /// <inheritdoc/>
    public override void BuildColumnIndex(CsrMatrix s)
    {
        if (s.HasColumnIndex)
        {
            return;
        }

        s.ColumnOffsets.Resize(s.Columns + 1);
        s.RowIndices.Resize(s.NonzeroCount);
        s.EntryOf.Resize(s.NonzeroCount);
        // A counting sort: each task counts the latents of its rows, a prefix sum over (latent, task) gives each task its places.
        var tasks = Math.Clamp(s.NonzeroCount / NonzerosPerTask, 1, 64);
        _histograms.Resize((long)tasks * s.Columns);
        _histograms.Clear();
        BuildColumnIndex(s, tasks, scatter: false);
        var offsets = Pointer(s.ColumnOffsets);
        var next = 0;
        for (var m = 0; m < s.Columns; m++)
        {
            offsets[m] = next;
            for (var task = 0; task < tasks; task++)
            {
                var histogram = _histograms.Pointer + ((long)task * s.Columns);
                var count = histogram[m];
                histogram[m] = next;
                next += count;
            }
        }

        offsets[s.Columns] = next;
        BuildColumnIndex(s, tasks, scatter: true);
        s.HasColumnIndex = true;
    }

    /// <inheritdoc/>
    public override void SpMM(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result)
    {
        Require(s.Columns == matrix.Rows, $"{s.Columns} columns times {matrix.Rows} rows");
        result.Resize(s.Rows, matrix.Columns);
        if (s.Dense is { } dense)
        {
            MultiplyDense(dense, matrix, bias, result);
            return;
        }

        // With many nonzeros per row, several rows go through the matrix together, block by block, so that a block is read from cache.
        var isDense = s.NonzeroCount > (long)s.Rows * DenseNonzeros;
        var rows = isDense ? RowsTogether : RowsPerTask(matrix.Columns);
        _pool.Run(
            TaskCount(s.Rows, rows),
            new SpMMWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                Pointer(s.Values),
                s.Rows,
                rows,
                Pointer(matrix),
                matrix.Columns,
                PointerOrNull(bias),
                Pointer(result),
                isDense ? RowsPerBlock(matrix.Columns) : s.Columns));
    }

    /// <inheritdoc/>
    public override void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result, DeviceArray<int>? groupEnds = null)
    {
        RequireColumnIndex(s);
        RequireRows(s, x, groupEnds);
        Require(s.Columns == result.Rows && x.Columns == result.Columns, "shapes do not fit");
        var weights = Scratch(s.NonzeroCount);
        _pool.Run(
            TaskCount(s.Columns, LatentsPerTask),
            new SpMMTransposedWork(
                Pointer(s.ColumnOffsets),
                Pointer(s.RowIndices),
                Pointer(s.EntryOf),
                Pointer(useGradient ? s.Gradient : s.Values),
                s.Columns,
                weights,
                Pointer(x),
                x.Columns,
                Pointer(result),
                s.Rows,
                groupEnds is null ? null : Pointer(groupEnds)));
    }

    /// <inheritdoc/>
    public override void SDDMM(CsrMatrix s, Tensor g, Tensor matrix, DeviceArray<int>? groupEnds = null)
    {
        RequireRows(s, g, groupEnds);
        Require(s.Columns == matrix.Rows && g.Columns == matrix.Columns, "shapes do not fit");
        var rows = RowsPerTask(g.Columns);
        _pool.Run(
            TaskCount(s.Rows, rows),
            new SDDMMWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                Pointer(s.Gradient),
                s.Rows,
                rows,
                Scratch(s.NonzeroCount),
                Pointer(g),
                Pointer(matrix),
                g.Columns,
                groupEnds is null ? null : Pointer(groupEnds)));
    }

    /// <inheritdoc/>
    public override void SumGradientColumns(CsrMatrix s, Tensor sums)
    {
        RequireColumnIndex(s);
        Require(sums.Count == s.Columns, $"{sums.Count} sums for {s.Columns} latents");
        _pool.Run(
            TaskCount(s.Columns, LatentsPerTask),
            new SumColumnEntriesWork(Pointer(s.ColumnOffsets), Pointer(s.EntryOf), Pointer(s.Gradient), s.Columns, Pointer(sums)));
    }

    /// <inheritdoc/>
    public override void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result)
    {
        var values = s.Dense?.Data ?? s.Values;
        var tasks = TaskCount(values.Length, NonzerosPerTask);
        var partials = Partials(2L * tasks);
        _pool.Run(tasks, new SumAndCountPositiveWork(Pointer(values), values.Length, partials));
        double count = 0, sum = 0;
        for (var task = 0; task < tasks; task++)
        {
            count += partials[2 * task];
            sum += partials[(2 * task) + 1];
        }

        Pointer(result)[0] = count;
        Pointer(result)[1] = sum;
    }

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(CsrMatrix s, float amount) =>
        _pool.Run(
            TaskCount(s.NonzeroCount, NonzerosPerTask),
            new AddWherePositiveWork(Pointer(s.Values), Pointer(s.Gradient), s.NonzeroCount, amount));

    /// <inheritdoc/>
    public override void RemapColumns(CsrMatrix s, DeviceArray<int> list, int columns)
    {
        var indices = Pointer(s.Indices);
        var map = Pointer(list);
        for (var entry = 0; entry < s.NonzeroCount; entry++)
        {
            indices[entry] = map[indices[entry]];
        }

        s.SetColumns(columns);
    }

    private void BuildColumnIndex(CsrMatrix s, int tasks, bool scatter) =>
        _pool.Run(
            tasks,
            new BuildColumnIndexWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                s.Rows,
                s.Columns,
                tasks,
                _histograms.Pointer,
                Pointer(s.RowIndices),
                Pointer(s.EntryOf),
                scatter));

    private readonly struct BuildColumnIndexWork(
        int* offsets, int* indices, int rows, int columns, int tasks, int* histograms, int* rowOf, int* entryOf, bool scatter)
        : IParallelWork
    {
        public void Run(int task)
        {
            // Tasks get equal numbers of rows: rows have similar numbers of nonzeros.
            var first = (int)((long)rows * task / tasks);
            var last = (int)((long)rows * (task + 1) / tasks);
            var histogram = histograms + ((long)task * columns);
            if (!scatter)
            {
                for (var entry = offsets[first]; entry < offsets[last]; entry++)
                {
                    histogram[indices[entry]]++;
                }

                return;
            }

            for (var i = first; i < last; i++)
            {
                for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
                {
                    var target = histogram[indices[entry]]++;
                    rowOf[target] = i;
                    entryOf[target] = entry;
                }
            }
        }
    }

    private readonly struct SpMMWork(
        int* offsets,
        int* indices,
        float* values,
        int rows,
        int rowsPerTask,
        float* matrix,
        int d,
        float* bias,
        float* result,
        int blockRows) : IParallelWork
    {
        public void Run(int task)
        {
            var first = task * rowsPerTask;
            var count = Math.Min(rows - first, rowsPerTask);
            var next = stackalloc int[count];
            for (var i = 0; i < count; i++)
            {
                next[i] = offsets[first + i];
                var y = new Span<float>(result + ((long)(first + i) * d), d);
                if (bias is null)
                {
                    y.Clear();
                }
                else
                {
                    new Span<float>(bias, d).CopyTo(y);
                }
            }

            var blockEnd = 0L;
            bool left;
            do
            {
                blockEnd += blockRows;
                left = false;
                for (var i = 0; i < count; i++)
                {
                    var (start, last) = (next[i], offsets[first + i + 1]);
                    var end = EndOfBlock(indices, start, last, blockEnd);
                    IndexedRows.WeightedSum(
                        values + start, indices + start, end - start, matrix, result + ((long)(first + i) * d), d, add: true);
                    next[i] = end;
                    left |= end < last;
                }
            }
            while (left);
        }
    }

    private readonly struct SpMMTransposedWork(
        int* offsets,
        int* rowOf,
        int* entryOf,
        float* values,
        int latents,
        float* weights,
        float* x,
        int d,
        float* result,
        int rows,
        int* groupEnds) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    weights[j] = values[entryOf[j]];
                }

                var ofGroup = groupEnds is null ? x : x + ((long)GroupOf(groupEnds, m) * rows * d);
                IndexedRows.WeightedSum(
                    weights + offsets[m], rowOf + offsets[m], offsets[m + 1] - offsets[m], ofGroup, result + ((long)m * d), d, add: true);
            }
        }
    }

    private static void RequireRows(CsrMatrix s, Tensor x, DeviceArray<int>? groupEnds)
    {
        Require(x.Rows == s.Rows * (groupEnds?.Length ?? 1), $"{x.Rows} rows for {s.Rows}");
        if (groupEnds is not null)
        {
            RequireGroups(true, groupEnds, s.Columns);
        }
    }

    private static int RowsPerBlock(int columns) => Math.Max(16, BlockBytes / (sizeof(float) * Math.Max(1, columns)));

    /// <summary>One past the last nonzero, from start on, whose (ascending) index is below a bound.</summary>
    private static int EndOfBlock(int* indices, int start, int last, long bound)
    {
        while (start < last && indices[start] < bound)
        {
            start++;
        }

        return start;
    }

    private readonly struct SDDMMWork(
        int* offsets,
        int* indices,
        float* gradient,
        int rows,
        int rowsPerTask,
        float* dots,
        float* g,
        float* matrix,
        int d,
        int* groupEnds) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(rows, (task + 1) * rowsPerTask);
            for (var i = task * rowsPerTask; i < last; i++)
            {
                for (var (start, group) = (offsets[i], 0); start < offsets[i + 1]; group++)
                {
                    var end = groupEnds is null ? offsets[i + 1] : EndOfBlock(indices, start, offsets[i + 1], groupEnds[group]);
                    VectorMath.DotRows(
                        g + ((((long)group * rows) + i) * d), indices + start, end - start, matrix, dots + start, d);
                    start = end;
                }

                for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
                {
                    gradient[entry] += dots[entry];
                }
            }
        }
    }

    private readonly struct SumColumnEntriesWork(int* offsets, int* entryOf, float* values, int latents, float* sums) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(latents, (task + 1) * LatentsPerTask);
            for (var m = task * LatentsPerTask; m < last; m++)
            {
                var sum = 0.0;
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    sum += values[entryOf[j]];
                }

                sums[m] += (float)sum;
            }
        }
    }

    private readonly struct SumAndCountPositiveWork(float* values, long count, double* partials) : IParallelWork
    {
        public void Run(int task)
        {
            var first = (long)task * NonzerosPerTask;
            var (positive, sum) = VectorMath.SumAndCountPositive(values + first, Math.Min(count - first, NonzerosPerTask));
            partials[2 * task] = positive;
            partials[(2 * task) + 1] = sum;
        }
    }

    private readonly struct AddWherePositiveWork(float* values, float* gradient, int count, float amount) : IParallelWork
    {
        public void Run(int task)
        {
            var last = Math.Min(count, (task + 1L) * NonzerosPerTask);
            for (long entry = (long)task * NonzerosPerTask; entry < last; entry++)
            {
                gradient[entry] += values[entry] > 0 ? amount : 0;
            }
        }
    }
}
