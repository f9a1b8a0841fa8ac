using System.Runtime.CompilerServices;

namespace MonoLoss.Kernels.Cpu;

/// <summary>
/// Keeps candidates for the k largest positive values of each row, in one cell of memory per row and group of columns. A full cell is
/// reduced to its k largest; the smallest of these is the bound for further candidates.
/// </summary>
internal readonly unsafe struct TopKCandidates : ITileSink
{
    public required GemmIsa Isa { get; init; }

    public required float* Bias { get; init; }

    public required int K { get; init; }

    public required int Groups { get; init; }

    /// <summary>The size of a cell.</summary>
    public required int Capacity { get; init; }

    /// <summary>[rows][groups] the number of candidates in each cell.</summary>
    public required int* Counts { get; init; }

    /// <summary>[rows][groups] what a value must exceed to enter the cell.</summary>
    public required float* Bounds { get; init; }

    /// <summary>
    /// [rows] what any value of the row must exceed. Threads of different groups raise it; which value another one reads affects only the
    /// number of candidates, not the result.
    /// </summary>
    public required float* RowBounds { get; init; }

    /// <summary>
    /// [rows] the most by which a delivered upper bound exceeds its value; null if the values themselves are delivered. With upper
    /// bounds, a cell keeps all contenders for the k largest, which are more than K.
    /// </summary>
    public float* Slack { get; init; }

    /// <summary>Becomes true if a cell has no room for its contenders.</summary>
    public bool* Overflow { get; init; }

    /// <summary>[rows][groups][Capacity].</summary>
    public required float* Values { get; init; }

    /// <summary>[rows][groups][Capacity].</summary>
    public required int* Indices { get; init; }

    /// <summary>The size that a cell needs.</summary>
    public static int CapacityFor(int k, int groupColumns, int tileColumns)
    {
        var room = Math.Min(k + Math.Max(96L, k / 2), (long)groupColumns + tileColumns) + tileColumns;
        return (int)((room + ValueSelection.Slack + 15) / 16 * 16);
    }

    public void Expect(int row, int column, int rows, int columns)
    {
    }

    public void Begin(int block, int group, int row, int rows)
    {
        for (var r = row; r < row + rows; r++)
        {
            var cell = ((nint)r * Groups) + group;
            Counts[cell] = 0;
            Bounds[cell] = RowBounds[r];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
    {
        var bias = Bias is null ? null : Bias + column;
        for (var r = 0; r < rows; r++)
        {
            var cell = ((nint)(row + r) * Groups) + group;
            var count = Counts[cell];
            var values = Values + (cell * Capacity);
            var indices = Indices + (cell * Capacity);
            var added = ValueSelection.AppendAbove(
                Isa, tile + (r * stride), bias, columns, Bounds[cell], column, values + count, indices + count);
            if (added == 0)
            {
                continue;
            }

            count += added;
            if (count > Capacity - stride - ValueSelection.Slack && count > K)
            {
                count = Slack is null
                    ? KeepLargest(row + r, cell, values, indices, count)
                    : KeepContenders(row + r, cell, values, indices, count, stride);
            }

            Counts[cell] = count;
        }
    }

    private int KeepLargest(int row, nint cell, float* values, int* indices, int count)
    {
        // Candidates may equal the bound of the last reduction.
        var below = Math.Max(0, MathF.BitDecrement(Bounds[cell]));
        ValueSelection.KeepLargest(Isa, values, indices, count, K, ref below, out Bounds[cell]);
        if (below > RowBounds[row])
        {
            RowBounds[row] = below;
        }

        return K;
    }

    private int KeepContenders(int row, nint cell, float* values, int* indices, int count, int stride)
    {
        count = ValueSelection.KeepContenders(Isa, values, indices, count, K, Slack[row], ref Bounds[cell]);
        if (Bounds[cell] > RowBounds[row])
        {
            RowBounds[row] = Bounds[cell];
        }

        if (count > Capacity - stride - ValueSelection.Slack)
        {
            *Overflow = true;
            return 0;
        }

        return count;
    }
}

/// <summary>Merges the candidates of a row, keeps the k largest and counts them.</summary>
internal readonly unsafe struct MergeCandidates : IParallelWork
{
    private const int RowsPerTask = 16;

    public required TopKCandidates Candidates { get; init; }

    public required int Rows { get; init; }

    /// <summary>Computes the candidates' values if these are upper bounds (<see cref="TopKCandidates.Slack"/>).</summary>
    public ExactRescorer Exact { get; init; }

    /// <summary>[rows + 1]; the count of row r goes to element r + 1.</summary>
    public required int* RowCounts { get; init; }

    public static int TasksFor(int rows) => (rows + RowsPerTask - 1) / RowsPerTask;

    public void Run(int index)
    {
        var end = Math.Min(Rows, (index + 1) * RowsPerTask);
        for (var row = index * RowsPerTask; row < end; row++)
        {
            var cell = (nint)row * Candidates.Groups;
            var values = Candidates.Values + (cell * Candidates.Capacity);
            var indices = Candidates.Indices + (cell * Candidates.Capacity);
            var count = Candidates.Counts[cell];
            for (var group = 1; group < Candidates.Groups; group++)
            {
                var from = (nint)group * Candidates.Capacity;
                var more = Candidates.Counts[cell + group];
                new Span<float>(values + from, more).CopyTo(new Span<float>(values + count, more));
                new Span<int>(indices + from, more).CopyTo(new Span<int>(indices + count, more));
                count += more;
            }

            if (Candidates.Slack is not null)
            {
                count = Refine(row, values, indices, count);
            }

            if (count > Candidates.K)
            {
                var below = 0f;
                ValueSelection.KeepLargest(Candidates.Isa, values, indices, count, Candidates.K, ref below, out _);
                count = Candidates.K;
            }

            RowCounts[row + 1] = count;
        }
    }

    private int Refine(int row, float* values, int* indices, int count)
    {
        if (count > Candidates.K)
        {
            var bound = 0f;
            count = ValueSelection.KeepContenders(Candidates.Isa, values, indices, count, Candidates.K, Candidates.Slack[row], ref bound);
        }

        Exact.OfRow(row, indices, count, values);
        return ValueSelection.KeepAbove(Candidates.Isa, values, indices, count, 0);
    }
}

/// <summary>Copies the values kept of each row to the result.</summary>
internal readonly unsafe struct CopyCandidates : IParallelWork
{
    private const int RowsPerTask = 64;

    public required TopKCandidates Candidates { get; init; }

    public required int Rows { get; init; }

    public required int* RowOffsets { get; init; }

    public required int* Indices { get; init; }

    public required float* Values { get; init; }

    public static int TasksFor(int rows) => (rows + RowsPerTask - 1) / RowsPerTask;

    public void Run(int index)
    {
        var end = Math.Min(Rows, (index + 1) * RowsPerTask);
        for (var row = index * RowsPerTask; row < end; row++)
        {
            var from = (nint)row * Candidates.Groups * Candidates.Capacity;
            var to = RowOffsets[row];
            var count = RowOffsets[row + 1] - to;
            new Span<float>(Candidates.Values + from, count).CopyTo(new Span<float>(Values + to, count));
            new Span<int>(Candidates.Indices + from, count).CopyTo(new Span<int>(Indices + to, count));
        }
    }
}
