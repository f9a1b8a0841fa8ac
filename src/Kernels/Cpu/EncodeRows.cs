namespace MonoLoss.Kernels.Cpu;

/// <summary>The places that a filter has left, row by row, on their way to their values and the result.</summary>
internal readonly unsafe struct CandidateRows
{
    /// <summary>What stands for a value that is not kept: less than any that is.</summary>
    public const float Dropped = -1;

    private const int RowsPerPiece = 16;

    public required int Rows { get; init; }

    /// <summary>[rows + 1].</summary>
    public required int* Offsets { get; init; }

    /// <summary>The column of each place.</summary>
    public required int* Indices { get; init; }

    /// <summary>Gets the value of each place, or <see cref="Dropped"/>.</summary>
    public required float* Values { get; init; }

    public int Pieces => (Rows + RowsPerPiece - 1) / RowsPerPiece;

    public (int First, int End) RowsOf(int piece) => (piece * RowsPerPiece, Math.Min(Rows, (piece + 1) * RowsPerPiece));

    /// <summary>The values of a piece's rows, as those of a piece of a product are held.</summary>
    public PieceEntries Entries(int piece)
    {
        var (first, end) = RowsOf(piece);
        return new PieceEntries { Values = Values + Offsets[first], Indices = Indices + Offsets[first], Count = Offsets[end] - Offsets[first] };
    }
}

/// <summary>Forms the values and drops those that are not above a bound.</summary>
internal readonly unsafe struct RefineRows : IWork
{
    public required CandidateRows Candidates { get; init; }

    public required ExactValues Exact { get; init; }

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
internal readonly unsafe struct CountRows : IWork
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

/// <summary>Copies what is above a cut, and of what equals it the first, to its place in the result.</summary>
internal readonly unsafe struct CopyRows : IWork
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
