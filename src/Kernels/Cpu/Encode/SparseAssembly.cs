namespace MonoLoss.Kernels.Cpu;

/// <summary>Keeps the values above a bound, which is one for all or one per column.</summary>
internal readonly unsafe struct EntriesAbove : ITileSink
{
    public required GemmIsa Isa { get; init; }

    public required float* Bias { get; init; }

    /// <summary>The bound for all, not negative.</summary>
    public required float Bound { get; init; }

    /// <summary>One bound per column, or null.</summary>
    public required float* Bounds { get; init; }

    public required int Rows { get; init; }

    public required int Groups { get; init; }

    /// <summary>[blocks][groups].</summary>
    public required TaskEntries* Tasks { get; init; }

    /// <summary>[panels of columns][rows] the number of entries of a row of a tile; a tile is at most 255 columns wide.</summary>
    public required byte* Runs { get; init; }

    public void Expect(int row, int column, int rows, int columns)
    {
    }

    public void Begin(int block, int group, int row, int rows) => Tasks[((nint)block * Groups) + group].Count = 0;

    public void Tile(int block, int group, int row, int column, int rows, int columns, float* tile, int stride)
    {
        var task = Tasks + ((nint)block * Groups) + group;
        var count = task->Count;
        task->Reserve(count + (rows * stride) + ValueSelection.Slack);
        var runs = Runs + ((nint)(column / stride) * Rows) + row;
        var bias = Bias is null ? null : Bias + column;
        for (var r = 0; r < rows; r++)
        {
            var values = task->Values + count;
            var indices = task->Indices + count;
            var added = Bounds is null
                ? ValueSelection.AppendAbove(Isa, tile + (r * stride), bias, columns, Bound, column, values, indices)
                : ValueSelection.AppendAbove(Isa, tile + (r * stride), bias, columns, Bounds + column, column, values, indices);
            runs[r] = (byte)added;
            count += added;
        }

        task->Count = count;
    }
}

/// <summary>Assembles a result from the entries of the tasks: those above a cut, and the first of those that equal it.</summary>
internal readonly unsafe struct SparseAssembly
{
    public required EntriesAbove Entries { get; init; }

    public required CpuGemmPlan Plan { get; init; }

    public required int TileColumns { get; init; }

    /// <summary>Entries above it are kept. A negative cut keeps all.</summary>
    public required float Cut { get; init; }

    /// <summary>[rows][groups]: first the number of entries above the cut, then where the next one goes.</summary>
    public required int* Above { get; init; }

    /// <summary>[rows][groups]: first the number of entries equal to the cut, then the number of them still to be kept.</summary>
    public required int* Equal { get; init; }

    /// <summary>The number of tasks.</summary>
    public int Tasks => Plan.Blocks * Plan.Groups;

    /// <summary>Rows and panels of columns of a task.</summary>
    public void Extent(int task, out int group, out int row, out int endRow, out int panel, out int endPanel)
    {
        group = task % Plan.Groups;
        row = task / Plan.Groups * Plan.BlockRows;
        endRow = Math.Min(Plan.Rows, row + Plan.BlockRows);
        var column = group * Plan.GroupColumns;
        panel = column / TileColumns;
        endPanel = (int)((Math.Min((long)column + Plan.GroupColumns, Plan.Columns) + TileColumns - 1) / TileColumns);
    }

    /// <summary>
    /// Turns the counts of every row and group into positions, and shares out those that equal the cut in order of row, then column.
    /// </summary>
    /// <returns>The number of entries.</returns>
    public static long Place(int rows, int groups, long wanted, int* above, int* equal, int* rowOffsets)
    {
        var cells = (long)rows * groups;
        var room = wanted;
        for (var i = 0L; i < cells; i++)
        {
            room -= above[i];
        }

        var at = 0L;
        for (var row = 0; row < rows; row++)
        {
            rowOffsets[row] = (int)at;
            for (var group = 0; group < groups; group++)
            {
                var i = ((long)row * groups) + group;
                var ties = (int)Math.Min(equal[i], room);
                room -= ties;
                var kept = above[i] + ties;
                above[i] = (int)at;
                equal[i] = ties;
                at += kept;
            }
        }

        rowOffsets[rows] = (int)at;
        return at;
    }
}

/// <summary>Counts the entries of every row and group that are above, and that equal, the cut.</summary>
internal readonly unsafe struct CountEntries : IParallelWork
{
    public required SparseAssembly Assembly { get; init; }

    public void Run(int index)
    {
        Assembly.Extent(index, out var group, out var row, out var endRow, out var panel, out var endPanel);
        var groups = Assembly.Plan.Groups;
        for (var r = row; r < endRow; r++)
        {
            Assembly.Above[((nint)r * groups) + group] = 0;
            Assembly.Equal[((nint)r * groups) + group] = 0;
        }

        var values = Assembly.Entries.Tasks[index].Values;
        var cut = Assembly.Cut;
        for (; panel < endPanel; panel++)
        {
            var runs = Assembly.Entries.Runs + ((nint)panel * Assembly.Plan.Rows);
            for (var r = row; r < endRow; r++)
            {
                var run = runs[r];
                if (run == 0)
                {
                    continue;
                }

                if (cut < 0)
                {
                    Assembly.Above[((nint)r * groups) + group] += run;
                    continue;
                }

                int above = 0, equal = 0;
                for (var i = 0; i < run; i++)
                {
                    above += values[i] > cut ? 1 : 0;
                    equal += values[i] == cut ? 1 : 0;
                }

                Assembly.Above[((nint)r * groups) + group] += above;
                Assembly.Equal[((nint)r * groups) + group] += equal;
                values += run;
            }
        }
    }
}

/// <summary>Copies the entries that are kept to their places in the result.</summary>
internal readonly unsafe struct CopyEntries : IParallelWork
{
    public required SparseAssembly Assembly { get; init; }

    public required int* Indices { get; init; }

    public required float* Values { get; init; }

    public void Run(int index)
    {
        Assembly.Extent(index, out var group, out var row, out var endRow, out var panel, out var endPanel);
        var groups = Assembly.Plan.Groups;
        var values = Assembly.Entries.Tasks[index].Values;
        var indices = Assembly.Entries.Tasks[index].Indices;
        var cut = Assembly.Cut;
        for (; panel < endPanel; panel++)
        {
            var runs = Assembly.Entries.Runs + ((nint)panel * Assembly.Plan.Rows);
            for (var r = row; r < endRow; r++)
            {
                var run = runs[r];
                if (run == 0)
                {
                    continue;
                }

                var cell = ((nint)r * groups) + group;
                var at = Assembly.Above[cell];
                if (cut < 0 && run > 8)
                {
                    new Span<float>(values, run).CopyTo(new Span<float>(Values + at, run));
                    new Span<int>(indices, run).CopyTo(new Span<int>(Indices + at, run));
                    at += run;
                }
                else
                {
                    for (var i = 0; i < run; i++)
                    {
                        if (values[i] > cut || (values[i] == cut && Assembly.Equal[cell]-- > 0))
                        {
                            Values[at] = values[i];
                            Indices[at++] = indices[i];
                        }
                    }
                }

                Assembly.Above[cell] = at;
                values += run;
                indices += run;
            }
        }
    }
}

/// <summary>Counts the values of all tasks that are above a bound.</summary>
internal readonly unsafe struct CountAboveInTasks : IParallelWork
{
    public required GemmIsa Isa { get; init; }

    public required TaskEntries* Tasks { get; init; }

    public required float Bound { get; init; }

    public required long* Total { get; init; }

    public void Run(int index) =>
        Interlocked.Add(ref *Total, ValueSelection.CountAbove(Isa, Tasks[index].Values, Tasks[index].Count, Bound));
}

/// <summary>Finds the largest value of all tasks, and the smallest that is above a bound.</summary>
internal readonly unsafe struct RangeOfTasks : IParallelWork
{
    public required GemmIsa Isa { get; init; }

    public required TaskEntries* Tasks { get; init; }

    public required float Bound { get; init; }

    /// <summary>The bits of the smallest value, initially infinity, and of the largest, initially 0.</summary>
    public required int* MinMax { get; init; }

    public void Run(int index)
    {
        var values = Tasks[index].Values;
        var min = float.PositiveInfinity;
        for (var i = 0L; i < Tasks[index].Count; i++)
        {
            min = values[i] > Bound && values[i] < min ? values[i] : min;
        }

        var minBits = BitConverter.SingleToInt32Bits(min);
        for (var seen = MinMax[0]; minBits < seen;)
        {
            seen = Interlocked.CompareExchange(ref MinMax[0], minBits, seen);
        }

        var maxBits = BitConverter.SingleToInt32Bits(ValueSelection.Max(Isa, values, Tasks[index].Count));
        for (var seen = MinMax[1]; maxBits > seen;)
        {
            seen = Interlocked.CompareExchange(ref MinMax[1], maxBits, seen);
        }
    }
}
