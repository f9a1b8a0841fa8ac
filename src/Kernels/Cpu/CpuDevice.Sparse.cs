namespace MonoLoss.Kernels.Cpu;

public sealed unsafe partial class CpuDevice
{
    private const int NonzerosPerPiece = 1 << 16;

    // Above so many places a row (or a latent), what they point to no longer stays in the level-2 cache from one to the next.
    private const int DenseNonzeros = 96;
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
        // A counting sort: pieces of rows count their latents, a prefix sum over (latent, piece) gives each its nonzeros.
        var pieces = Math.Clamp(s.NonzeroCount / NonzerosPerPiece, 1, 64);
        _histograms.Resize((long)pieces * s.Columns);
        _histograms.Clear();
        BuildColumnIndex(s, pieces, scatter: false);
        var offsets = Pointer(s.ColumnOffsets);
        var next = 0;
        for (var m = 0; m < s.Columns; m++)
        {
            offsets[m] = next;
            for (var piece = 0; piece < pieces; piece++)
            {
                var histogram = _histograms.Pointer + ((long)piece * s.Columns);
                var count = histogram[m];
                histogram[m] = next;
                next += count;
            }
        }

        offsets[s.Columns] = next;
        BuildColumnIndex(s, pieces, scatter: true);
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

        // Many places a row: rows go together through the matrix block by block, so that a block is read from cache and not once a place.
        var isDense = s.NonzeroCount > (long)s.Rows * DenseNonzeros;
        var rows = isDense ? RowsTogether : RowsPerPiece(matrix.Columns);
        _pool.Run(
            Pieces(s.Rows, rows),
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
    public override void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result)
    {
        RequireColumnIndex(s);
        Require(s.Rows == x.Rows && s.Columns == result.Rows && x.Columns == result.Columns, "shapes do not fit");
        var weights = Scratch(s.NonzeroCount);
        _pool.Run(
            Pieces(s.Columns, LatentsPerPiece),
            new SpMMTransposedWork(
                Pointer(s.ColumnOffsets),
                Pointer(s.RowIndices),
                Pointer(s.EntryOf),
                Pointer(useGradient ? s.Gradient : s.Values),
                s.Columns,
                weights,
                Pointer(x),
                x.Columns,
                Pointer(result)));
    }

    /// <inheritdoc/>
    public override void SDDMM(CsrMatrix s, Tensor g, Tensor matrix)
    {
        Require(s.Rows == g.Rows && s.Columns == matrix.Rows && g.Columns == matrix.Columns, "shapes do not fit");
        var rows = RowsPerPiece(g.Columns);
        _pool.Run(
            Pieces(s.Rows, rows),
            new SDDMMWork(
                Pointer(s.RowOffsets), Pointer(s.Indices), Pointer(s.Gradient), s.Rows, rows, Scratch(s.NonzeroCount), Pointer(g), Pointer(matrix), g.Columns));
    }

    /// <inheritdoc/>
    public override void SumGradientColumns(CsrMatrix s, Tensor sums)
    {
        RequireColumnIndex(s);
        Require(sums.Count == s.Columns, $"{sums.Count} sums for {s.Columns} latents");
        _pool.Run(
            Pieces(s.Columns, LatentsPerPiece),
            new SumColumnEntriesWork(Pointer(s.ColumnOffsets), Pointer(s.EntryOf), Pointer(s.Gradient), s.Columns, Pointer(sums)));
    }

    /// <inheritdoc/>
    public override void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result)
    {
        var values = s.Dense?.Data ?? s.Values;
        var pieces = Pieces(values.Length, NonzerosPerPiece);
        var partials = Partials(2L * pieces);
        _pool.Run(pieces, new SumAndCountPositiveWork(Pointer(values), values.Length, partials));
        double count = 0, sum = 0;
        for (var piece = 0; piece < pieces; piece++)
        {
            count += partials[2 * piece];
            sum += partials[(2 * piece) + 1];
        }

        Pointer(result)[0] = count;
        Pointer(result)[1] = sum;
    }

    /// <inheritdoc/>
    public override void AddToGradientWherePositive(CsrMatrix s, float amount) =>
        _pool.Run(Pieces(s.NonzeroCount, NonzerosPerPiece), new AddWherePositiveWork(Pointer(s.Values), Pointer(s.Gradient), s.NonzeroCount, amount));

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

    private void BuildColumnIndex(CsrMatrix s, int pieces, bool scatter) =>
        _pool.Run(
            pieces,
            new BuildColumnIndexWork(
                Pointer(s.RowOffsets),
                Pointer(s.Indices),
                s.Rows,
                s.Columns,
                pieces,
                _histograms.Pointer,
                Pointer(s.RowIndices),
                Pointer(s.EntryOf),
                scatter));

    private readonly struct BuildColumnIndexWork(
        int* offsets, int* indices, int rows, int columns, int pieces, int* histograms, int* rowOf, int* entryOf, bool scatter) : IParallelWork
    {
        public void Run(int piece)
        {
            // Pieces hold equal shares of the rows; rows have similar numbers of nonzeros.
            var first = (int)((long)rows * piece / pieces);
            var last = (int)((long)rows * (piece + 1) / pieces);
            var histogram = histograms + ((long)piece * columns);
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
        int rowsPerPiece,
        float* matrix,
        int d,
        float* bias,
        float* result,
        int blockRows) : IParallelWork
    {
        public void Run(int piece)
        {
            var first = piece * rowsPerPiece;
            var count = Math.Min(rows - first, rowsPerPiece);
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
                    LatentMath.WeightedSum(values + start, indices + start, end - start, matrix, result + ((long)(first + i) * d), d, add: true);
                    next[i] = end;
                    left |= end < last;
                }
            }
            while (left);
        }
    }

    private readonly struct SpMMTransposedWork(
        int* offsets, int* rowOf, int* entryOf, float* values, int latents, float* weights, float* x, int d, float* result) : IParallelWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
            {
                for (var j = offsets[m]; j < offsets[m + 1]; j++)
                {
                    weights[j] = values[entryOf[j]];
                }

                LatentMath.WeightedSum(
                    weights + offsets[m], rowOf + offsets[m], offsets[m + 1] - offsets[m], x, result + ((long)m * d), d, add: true);
            }
        }
    }

    private static int RowsPerBlock(int columns) => Math.Max(16, BlockBytes / (sizeof(float) * Math.Max(1, columns)));

    /// <summary>The end of the nonzeros whose index, ascending, is below a bound.</summary>
    private static int EndOfBlock(int* indices, int start, int last, long bound)
    {
        while (start < last && indices[start] < bound)
        {
            start++;
        }

        return start;
    }

    private readonly struct SDDMMWork(
        int* offsets, int* indices, float* gradient, int rows, int rowsPerPiece, float* dots, float* g, float* matrix, int d) : IParallelWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(rows, (piece + 1) * rowsPerPiece);
            for (var i = piece * rowsPerPiece; i < last; i++)
            {
                VectorMath.DotRows(g + ((long)i * d), indices + offsets[i], offsets[i + 1] - offsets[i], matrix, dots + offsets[i], d);
                for (var entry = offsets[i]; entry < offsets[i + 1]; entry++)
                {
                    gradient[entry] += dots[entry];
                }
            }
        }
    }

    private readonly struct SumColumnEntriesWork(int* offsets, int* entryOf, float* values, int latents, float* sums) : IParallelWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(latents, (piece + 1) * LatentsPerPiece);
            for (var m = piece * LatentsPerPiece; m < last; m++)
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
        public void Run(int piece)
        {
            var first = (long)piece * NonzerosPerPiece;
            var (positive, sum) = VectorMath.SumAndCountPositive(values + first, Math.Min(count - first, NonzerosPerPiece));
            partials[2 * piece] = positive;
            partials[(2 * piece) + 1] = sum;
        }
    }

    private readonly struct AddWherePositiveWork(float* values, float* gradient, int count, float amount) : IParallelWork
    {
        public void Run(int piece)
        {
            var last = Math.Min(count, (piece + 1L) * NonzerosPerPiece);
            for (long entry = (long)piece * NonzerosPerPiece; entry < last; entry++)
            {
                gradient[entry] += values[entry] > 0 ? amount : 0;
            }
        }
    }
}
