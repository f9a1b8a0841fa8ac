namespace MonoLoss.Kernels.Cpu;

/// <summary>Keeps the nonzeros whose upper bound is above a bound: one for all, or one a column.</summary>
internal readonly unsafe struct CandidatesAbove : ITileSink
{
    // Where an entry is in its task: bits of the column, below those of the row.
    private const int ColumnBits = 16;

    public required GemmIsa Isa { get; init; }

    public required float* Bias { get; init; }

    /// <summary>The bound for all, not negative.</summary>
    public required float Bound { get; init; }

    /// <summary>One bound a column, or null.</summary>
    public required float* Bounds { get; init; }

    public required CpuGemmPlan Plan { get; init; }

    /// <summary>[blocks][groups], upper bounds and where in the task they are.</summary>
    public required TaskEntries* Tasks { get; init; }

    /// <summary>The most nonzeros that a task is wanted to have.</summary>
    public required long Limit { get; init; }

    /// <summary>Becomes true where there are more, and nothing of it can be used.</summary>
    public required bool* Overflow { get; init; }

    /// <summary>Row and column of an entry.</summary>
    public (int Row, int Column) EntryOf(int task, int index) => (
        (task / Plan.Groups * Plan.BlockRows) + (index >> ColumnBits),
        (task % Plan.Groups * Plan.GroupColumns) + (index & ((1 << ColumnBits) - 1)));

    public void Begin(int block, int group, int row, int rows) => Tasks[(nint)block * Plan.Groups + group].Count = 0;

    public void Expect(int row, int column, int rows, int columns)
    {
    }

    public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
    {
        var task = Tasks + (nint)block * Plan.Groups + group;
        var count = task->Count;
        task->Reserve(count + rows * stride + ValueSelection.Slack);
        var bias = Bias == null ? null : Bias + column;
        var index = ((row - (block * Plan.BlockRows)) << ColumnBits) + column - (group * Plan.GroupColumns);
        for (var r = 0; r < rows; r++, index += 1 << ColumnBits)
        {
            var values = task->Values + count;
            var indices = task->Indices + count;
            count += Bounds == null
                ? ValueSelection.AppendAbove(Isa, tile + r * stride, bias, columns, Bound, index, values, indices)
                : ValueSelection.AppendAbove(Isa, tile + r * stride, bias, columns, Bounds + column, index, values, indices);
        }

        if (count > Limit)
        {
            *Overflow = true;
            count = 0;
        }

        task->Count = count;
    }
}

/// <summary>Counts the candidates of each row and group whose upper bound is above a cut, or puts their columns where they belong.</summary>
internal readonly unsafe struct GatherCandidates : IParallelWork
{
    public required CandidatesAbove Candidates { get; init; }

    public required float Cut { get; init; }

    /// <summary>[rows][groups] the number of candidates, or where the next one goes.</summary>
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
                var cell = (nint)row * Candidates.Plan.Groups + group;
                if (Columns != null)
                {
                    Columns[Cells[cell]] = column;
                }

                Cells[cell]++;
            }
        }
    }
}

/// <summary>The nonzeros that a filter has left, row by row, on their way to their values and the result.</summary>
internal readonly unsafe struct CandidateRows
{
    /// <summary>What stands for a value that is not kept: less than any that is.</summary>
    public const float Dropped = -1;

    private const int RowsPerTask = 16;

    public required int Rows { get; init; }

    /// <summary>[rows + 1].</summary>
    public required int* Offsets { get; init; }

    /// <summary>The column of each entry.</summary>
    public required int* Indices { get; init; }

    /// <summary>Gets the value of each entry, or <see cref="Dropped"/>.</summary>
    public required float* Values { get; init; }

    public int Tasks => (Rows + RowsPerTask - 1) / RowsPerTask;

    public (int First, int End) RowsOf(int task) => (task * RowsPerTask, Math.Min(Rows, (task + 1) * RowsPerTask));

    /// <summary>The values of a task's rows, as those of a task of a product are held.</summary>
    public TaskEntries Entries(int task)
    {
        var (first, end) = RowsOf(task);
        return new TaskEntries { Values = Values + Offsets[first], Indices = Indices + Offsets[first], Count = Offsets[end] - Offsets[first] };
    }
}

/// <summary>Forms the values and drops those that are not above a bound.</summary>
internal readonly unsafe struct RefineRows : IParallelWork
{
    public required CandidateRows Candidates { get; init; }

    public required ExactRescorer Exact { get; init; }

    /// <summary>The bound for all.</summary>
    public required float Bound { get; init; }

    /// <summary>One bound a column, or null.</summary>
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
                values[i] = value > (Bounds == null ? Bound : Bounds[indices[i]]) ? value : CandidateRows.Dropped;
            }
        }
    }
}

/// <summary>Counts the values of each row that are above, and that equal, a cut.</summary>
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

/// <summary>Copies what is above a cut, and of what equals it the first, to its entry in the result.</summary>
internal readonly unsafe struct CopyRows : IParallelWork
{
    public required CandidateRows Candidates { get; init; }

    public required float Cut { get; init; }

    /// <summary>[rows] where a row goes.</summary>
    public required int* Starts { get; init; }

    /// <summary>[rows] how many that equal the cut are kept.</summary>
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
