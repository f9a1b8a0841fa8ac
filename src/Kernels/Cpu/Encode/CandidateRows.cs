namespace MonoLoss.Kernels.Cpu;

/// <summary>Keeps the candidates: values whose upper bound is above a bound, which is one for all or one per column.</summary>
internal readonly unsafe struct CandidatesAbove : ITileSink
{
    // An entry's index within its task has the column in these low bits and the row above them.
    private const int ColumnBits = 16;

    public required GemmIsa Isa { get; init; }

    public required float* Bias { get; init; }

    /// <summary>The bound for all, not negative.</summary>
    public required float Bound { get; init; }

    /// <summary>One bound per column, or null.</summary>
    public required float* Bounds { get; init; }

    public required CpuGemmPlan Plan { get; init; }

    /// <summary>[blocks][groups] the upper bounds and their indices within the task.</summary>
    public required TaskEntries* Tasks { get; init; }

    /// <summary>The most candidates that a task may have.</summary>
    public required long Limit { get; init; }

    /// <summary>Becomes true if a task has more; then no result can be used.</summary>
    public required bool* Overflow { get; init; }

    /// <summary>Row and column of an entry.</summary>
    public (int Row, int Column) EntryOf(int task, int index) => (
        (task / Plan.Groups * Plan.BlockRows) + (index >> ColumnBits),
        (task % Plan.Groups * Plan.GroupColumns) + (index & ((1 << ColumnBits) - 1)));

    public void Begin(int block, int group, int row, int rows) => Tasks[((nint)block * Plan.Groups) + group].Count = 0;

    public void Expect(int row, int column, int rows, int columns)
    {
    }

    public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
    {
        var task = Tasks + ((nint)block * Plan.Groups) + group;
        var count = task->Count;
        task->Reserve(count + (rows * stride) + ValueSelection.Slack);
        var bias = Bias is null ? null : Bias + column;
        var index = ((row - (block * Plan.BlockRows)) << ColumnBits) + column - (group * Plan.GroupColumns);
        for (var r = 0; r < rows; r++, index += 1 << ColumnBits)
        {
            var values = task->Values + count;
            var indices = task->Indices + count;
            count += Bounds is null
                ? ValueSelection.AppendAbove(Isa, tile + (r * stride), bias, columns, Bound, index, values, indices)
                : ValueSelection.AppendAbove(Isa, tile + (r * stride), bias, columns, Bounds + column, index, values, indices);
        }

        if (count > Limit)
        {
            *Overflow = true;
            count = 0;
        }

        task->Count = count;
    }
}

/// <summary>Counts the candidates per row and group whose upper bound is above a cut or, given columns, writes theirs.</summary>
internal readonly unsafe struct GatherCandidates : IParallelWork
{
    public required CandidatesAbove Candidates { get; init; }

    public required float Cut { get; init; }

    /// <summary>[rows][groups] the number of candidates, or the index of the next one.</summary>
    public required int* Cells { get; init; }

    /// <summary>Where columns go, or null to count.</summary>
    public required int* Columns { get; init; }

    public void Run(int index)
    {
        var entries = Candidates.Tasks[index];
        var group = index % Candidates.Plan.Groups;
        for (var i = 0L; i < entries.Count; i++)
        {
            if (entries.Values[i] > Cut)
            {
                var (row, column) = Candidates.EntryOf(index, entries.Indices[i]);
                var cell = ((nint)row * Candidates.Plan.Groups) + group;
                if (Columns is not null)
                {
                    Columns[Cells[cell]] = column;
                }

                Cells[cell]++;
            }
        }
    }
}

/// <summary>The candidates that the filter has left, row by row.</summary>
internal readonly unsafe struct CandidateRows
{
    /// <summary>Stands for a value that is not kept; less than any that is.</summary>
    public const float Dropped = -1;

    private const int RowsPerTask = 16;

    public required int Rows { get; init; }

    /// <summary>[rows + 1].</summary>
    public required int* Offsets { get; init; }

    /// <summary>The column of each entry.</summary>
    public required int* Indices { get; init; }

    /// <summary>The value of each entry, or <see cref="Dropped"/>.</summary>
    public required float* Values { get; init; }

    public int Tasks => (Rows + RowsPerTask - 1) / RowsPerTask;

    public (int First, int End) RowsOf(int task) => (task * RowsPerTask, Math.Min(Rows, (task + 1) * RowsPerTask));

    /// <summary>The candidates of a task's rows, in the form in which the tasks of a product hold theirs.</summary>
    public TaskEntries Entries(int task)
    {
        var (first, end) = RowsOf(task);
        var start = Offsets[first];
        return new TaskEntries { Values = Values + start, Indices = Indices + start, Count = Offsets[end] - start };
    }
}

/// <summary>Computes the candidates' values and drops those not above a bound.</summary>
internal readonly unsafe struct RefineRows : IParallelWork
{
    public required CandidateRows Candidates { get; init; }

    public required ExactRescorer Exact { get; init; }

    /// <summary>The bound for all.</summary>
    public required float Bound { get; init; }

    /// <summary>One bound per column, or null.</summary>
    public required float* Bounds { get; init; }

    public void Run(int index)
    {
        var (row, end) = Candidates.RowsOf(index);
        for (; row < end; row++)
        {
            var first = Candidates.Offsets[row];
            var count = Candidates.Offsets[row + 1] - first;
            var values = Candidates.Values + first;
            var indices = Candidates.Indices + first;
            Exact.OfRow(row, indices, count, values);
            for (var i = 0; i < count; i++)
            {
                var value = values[i] < 0 ? 0 : values[i];
                values[i] = value > (Bounds is null ? Bound : Bounds[indices[i]]) ? value : CandidateRows.Dropped;
            }
        }
    }
}

/// <summary>Counts, per row, the values above a cut and those equal to it.</summary>
internal readonly unsafe struct CountRows : IParallelWork
{
    public required CandidateRows Candidates { get; init; }

    public required float Cut { get; init; }

    /// <summary>[rows].</summary>
    public required int* Above { get; init; }

    /// <summary>[rows].</summary>
    public required int* Equal { get; init; }

    public void Run(int index)
    {
        var (row, end) = Candidates.RowsOf(index);
        for (; row < end; row++)
        {
            int above = 0, equal = 0;
            for (var i = Candidates.Offsets[row]; i < Candidates.Offsets[row + 1]; i++)
            {
                above += Candidates.Values[i] > Cut ? 1 : 0;
                equal += Candidates.Values[i] == Cut ? 1 : 0;
            }

            (Above[row], Equal[row]) = (above, equal);
        }
    }
}

/// <summary>Copies the values above a cut, and the first of those equal to it, to the result.</summary>
internal readonly unsafe struct CopyRows : IParallelWork
{
    public required CandidateRows Candidates { get; init; }

    public required float Cut { get; init; }

    /// <summary>[rows] where the row starts in the result.</summary>
    public required int* Starts { get; init; }

    /// <summary>[rows] the number of values equal to the cut that are kept.</summary>
    public required int* Equal { get; init; }

    public required int* Indices { get; init; }

    public required float* Values { get; init; }

    public void Run(int index)
    {
        var (row, end) = Candidates.RowsOf(index);
        for (; row < end; row++)
        {
            var at = Starts[row];
            var equal = Equal[row];
            for (var i = Candidates.Offsets[row]; i < Candidates.Offsets[row + 1]; i++)
            {
                var value = Candidates.Values[i];
                if (value > Cut || (value == Cut && equal-- > 0))
                {
                    Values[at] = value;
                    Indices[at++] = Candidates.Indices[i];
                }
            }
        }
    }
}
