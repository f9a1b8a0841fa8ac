using ILGPU;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Exact selection of pre-activations, read from the level-2 cache where the product has just left them. Values that
/// are kept are listed in column order; of equal values the first are kept.
/// </summary>
internal static class SelectionKernels
{
    /// <summary>Threads of a group that finds thresholds.</summary>
    public const int ThresholdGroupSize = 128;

    /// <summary>Rows per group that finds thresholds.</summary>
    public const int RowsPerGroup = ThresholdGroupSize / Team;

    /// <summary>
    /// What a value equal to the threshold adds to a count in which each larger value adds 1: more than the values a warp reads at once.
    /// </summary>
    public const int Tie = 1 << 16;

    /// <summary>In the state of a selection from all rows: the digits of the threshold found so far.</summary>
    public const int Prefix = 0;

    /// <summary>The threshold's rank among the keys that share these digits; in the end, how many keys equal to it are kept.</summary>
    public const int Rank = 1;

    /// <summary>How many candidates there were.</summary>
    public const int Candidates = 2;

    /// <summary>How many were kept.</summary>
    public const int Kept = 3;

    /// <summary>The number of nonzeros of a matrix for which the host has only a bound so far.</summary>
    public const int Nonzeros = 4;

    /// <summary>How many latents are dead.</summary>
    public const int Dead = 5;

    /// <summary>The length of the state.</summary>
    public const int StateLength = 6;

    // Threads that share a row.
    private const int Team = 32;
    private const int BinsPerMember = RadixSelect.Bins / Team;
    private const int BinsPerThread = RadixSelect.Bins / IlgpuDevice.GroupSize;

    /// <summary>How a key compares with a threshold.</summary>
    public static int Compare(int key, int threshold) => key > threshold ? 1 : key == threshold ? Tie : 0;

    /// <summary>
    /// For each row: the k-th largest positive value or, if there are fewer, the smallest, as a key; how many equal to it are kept,
    /// and how many values in all. 32 threads per row.
    /// </summary>
    /// <param name="values">B×M.</param>
    /// <param name="rows">B.</param>
    /// <param name="columns">M.</param>
    /// <param name="k">How many to keep per row.</param>
    /// <param name="thresholds">Receives the key of each row, B.</param>
    /// <param name="ties">Receives how many values equal to the key each row keeps, B.</param>
    /// <param name="counts">Receives how many values each row keeps, B.</param>
    [Kernel("12*B", CachedBytes = "12*B*M", ResidentBytes = "4*B*M", GroupSize = ThresholdGroupSize)]
    [KernelInstance(typeof(Float1))]
    [KernelInstance(typeof(Float4))]
    public static void FindThresholds<T>(
        ArrayView<T> values, int rows, int columns, int k, ArrayView<int> thresholds, ArrayView<int> ties, ArrayView<int> counts)
        where T : unmanaged, IFloats<T>
    {
        var histograms = SharedMemory.Allocate<int>(RowsPerGroup * RadixSelect.Bins);
        var sums = SharedMemory.Allocate<int>(ThresholdGroupSize);
        var found = SharedMemory.Allocate<int>(2 * RowsPerGroup);
        var (team, member) = (Group.IdxX / Team, Group.IdxX & (Team - 1));
        var row = (Grid.IdxX * RowsPerGroup) + team;
        var histogram = histograms.SubView(team * RadixSelect.Bins, RadixSelect.Bins);
        ClearBins(histogram, member);
        found[(2 * team) + Prefix] = 0;
        found[(2 * team) + Rank] = k;
        Group.Barrier();
        var kept = 0;
        for (var pass = 0; pass < RadixSelect.Passes; pass++)
        {
            var (prefix, rank) = (found[(2 * team) + Prefix], found[(2 * team) + Rank]);
            var digits = new RadixPass(pass, prefix);
            for (var column = 4 * member; row < rows && column < columns; column += 16 * Team)
            {
                // Four loads in flight at once.
                var at = (row * columns) + column;
                var quad0 = default(T).Load(values, at, columns - column);
                var quad1 = default(T).Load(values, at + (4 * Team), columns - column - (4 * Team));
                var quad2 = default(T).Load(values, at + (8 * Team), columns - column - (8 * Team));
                var quad3 = default(T).Load(values, at + (12 * Team), columns - column - (12 * Team));
                digits.Count(histogram, quad0);
                digits.Count(histogram, quad1);
                digits.Count(histogram, quad2);
                digits.Count(histogram, quad3);
            }

            Group.Barrier();
            var sum = SumBins(histogram, member);
            sums[Group.IdxX] = sum;
            Group.Barrier();
            int above = 0, all = 0;
            for (var other = 0; other < Team; other++)
            {
                var others = sums[(team * Team) + other];
                all += others;
                above += other > member ? others : 0;
            }

            rank = Math.Min(rank, all);
            kept = pass == 0 ? rank : kept;
            if (above < rank && rank <= above + sum)
            {
                var digit = RadixSelect.Digit(histogram, ((member + 1) * BinsPerMember) - 1, ref above, rank);
                found[(2 * team) + Prefix] = prefix | (digit << RadixSelect.Shift(pass));
                found[(2 * team) + Rank] = rank - above;
            }

            ClearBins(histogram, member);
            Group.Barrier();
        }

        if (member == 0 && row < rows)
        {
            thresholds[row] = kept > 0 ? found[(2 * team) + Prefix] : RadixSelect.Nothing;
            ties[row] = kept > 0 ? found[(2 * team) + Rank] : 0;
            counts[row] = kept;
        }
    }

    /// <summary>
    /// Adds the number of kept values of each row to its count, and the number equal to its threshold to its ties; one warp per row.
    /// </summary>
    [Kernel("8*B", CachedBytes = "4*B*M", ResidentBytes = "4*B*M")]
    [KernelInstance(typeof(DenseRows<Float1>), typeof(AboveBound))]
    [KernelInstance(typeof(DenseRows<Float4>), typeof(AboveBound))]
    [KernelInstance(typeof(CompressedRows), typeof(TopOfBatch))]
    public static void CountKept<TRows, TSelection>(TRows rows, TSelection selection, int count, ArrayView<int> counts, ArrayView<int> ties)
        where TRows : struct, ISelectionRows
        where TSelection : struct, ISelection
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row >= count)
        {
            return;
        }

        var (first, end, threshold) = (rows.First(row), rows.End(row), selection.Threshold(row));
        int kept = 0, tied = 0;
        var stride = 4 * Warp.WarpSize;
        for (var at = first + (4 * Warp.LaneIdx); at < end; at += 2 * stride)
        {
            // Two loads in flight at once.
            var (values0, values1) = (rows.Load(at, end - at), rows.Load(at + stride, end - at - stride));
            var classes = Classes.Of(values0, selection, at - first, end - first, threshold).Sum()
                + Classes.Of(values1, selection, at + stride - first, end - first, threshold).Sum();
            kept += classes & (Tie - 1);
            tied += classes >> 16;
        }

        if (kept > 0)
        {
            Atomic.Add(ref counts[row], kept);
        }

        if (tied > 0)
        {
            Atomic.Add(ref ties[row], tied);
        }
    }

    /// <summary>Lists what is kept of each row from its offset on, as far as the arrays have room, one warp per row.</summary>
    [Kernel("8*N + 8*B", CachedBytes = "4*B*M + 64*N", ResidentBytes = "4*B*M")]
    [KernelInstance(typeof(DenseRows<Float1>), typeof(AboveBound))]
    [KernelInstance(typeof(DenseRows<Float4>), typeof(AboveBound))]
    [KernelInstance(typeof(DenseRows<Float1>), typeof(TopOfRow))]
    [KernelInstance(typeof(DenseRows<Float4>), typeof(TopOfRow))]
    [KernelInstance(typeof(CompressedRows), typeof(TopOfBatch))]
    public static void ListKept<TRows, TSelection>(
        TRows rows, TSelection selection, int count, ArrayView<int> offsets, ArrayView<int> indices, ArrayView<float> values)
        where TRows : struct, ISelectionRows
        where TSelection : struct, ISelection
    {
        var row = Grid.GlobalIndex.X / Warp.WarpSize;
        if (row >= count)
        {
            return;
        }

        var (first, end, threshold) = (rows.First(row), rows.End(row), selection.Threshold(row));
        var output = new KeptList(offsets[row], selection.Ties(row), indices, values);
        int kept = 0, tied = 0;
        var at = first + (4 * Warp.LaneIdx);
        var next = rows.Load(at, end - at);
        for (var from = first; from < end; from += 4 * Warp.WarpSize)
        {
            var classes = Classes.Of(next, selection, at - first, end - first, threshold);
            next = rows.Load(at + (4 * Warp.WarpSize), end - at - (4 * Warp.WarpSize));
            var upTo = classes.Sum();
            for (var distance = 1; distance < Warp.WarpSize; distance *= 2)
            {
                var before = Warp.ShuffleUp(upTo, distance);
                upTo += Warp.LaneIdx >= distance ? before : 0;
            }

            var all = Warp.Shuffle(upTo, Warp.WarpSize - 1);
            upTo -= classes.Sum();
            classes.List(output, rows, first, at, kept + (upTo & (Tie - 1)), tied + (upTo >> 16));
            kept += all & (Tie - 1);
            tied += all >> 16;
            at += 4 * Warp.WarpSize;
        }
    }

    /// <summary>offsets[i] = offset of the first + before[i], one thread per row, without overflow.</summary>
    [Kernel("8*B")]
    public static void AppendOffsets(ArrayView<int> before, ArrayView<int> offsets)
    {
        var i = Grid.GlobalIndex.X;
        if (i < before.IntLength)
        {
            var offset = (long)offsets[0] + before[i];
            if (i > 0)
            {
                offsets[i] = (int)Math.Min(offset, int.MaxValue);
            }
        }
    }

    /// <summary>The histogram of a digit of all candidates, about one and a half times as many as are kept.</summary>
    [Kernel("6*N + 8192", CachedBytes = "8192")]
    public static void CountDigits(
        ArrayView<float> values, ArrayView<int> offsets, ArrayView<int> state, int pass, ArrayView<int> histogram)
    {
        var bins = SharedMemory.Allocate<int>(RadixSelect.Bins);
        for (var bin = Group.IdxX; bin < RadixSelect.Bins; bin += Group.DimX)
        {
            bins[bin] = 0;
        }

        Group.Barrier();
        var digits = new RadixPass(pass, pass == 0 ? 0 : state[Prefix]);
        var count = Math.Min(offsets[offsets.IntLength - 1], values.IntLength);
        for (var i = Grid.GlobalIndex.X; i < count; i += Grid.DimX * Group.DimX)
        {
            digits.Count(bins, values[i]);
        }

        Group.Barrier();
        for (var bin = Group.IdxX; bin < RadixSelect.Bins; bin += Group.DimX)
        {
            if (bins[bin] > 0)
            {
                Atomic.Add(ref histogram[bin], bins[bin]);
            }
        }
    }

    /// <summary>The threshold's digit from the histogram, which is cleared; one group.</summary>
    [Kernel("8*2048", CachedBytes = "32*2048")]
    public static void FindDigit(ArrayView<int> histogram, int wanted, int pass, ArrayView<int> state)
    {
        var sums = SharedMemory.Allocate<int>(IlgpuDevice.GroupSize);
        var last = ((Group.IdxX + 1) * BinsPerThread) - 1;
        var sum = 0;
        for (var bin = last - BinsPerThread + 1; bin <= last; bin++)
        {
            sum += histogram[bin];
        }

        sums[Group.IdxX] = sum;
        var (prefix, rank) = pass == 0 ? (0, wanted) : (state[Prefix], state[Rank]);
        Group.Barrier();
        int above = 0, all = 0;
        for (var other = 0; other < IlgpuDevice.GroupSize; other++)
        {
            var others = sums[other];
            all += others;
            above += other > Group.IdxX ? others : 0;
        }

        rank = Math.Min(rank, all);
        if (above < rank && rank <= above + sum)
        {
            var digit = RadixSelect.Digit(histogram, last, ref above, rank);
            state[Prefix] = prefix | (digit << RadixSelect.Shift(pass));
            state[Rank] = rank - above;
        }

        if (all == 0 && Group.IdxX == 0)
        {
            state[Prefix] = RadixSelect.Nothing;
            state[Rank] = 0;
        }

        for (var bin = last - BinsPerThread + 1; bin <= last; bin++)
        {
            histogram[bin] = 0;
        }
    }

    /// <summary>
    /// offsets[i] = kept values in the rows before i: those above the threshold, and those equal to it that are kept; one thread per row.
    /// Also stores the numbers of candidates and of kept values.
    /// </summary>
    [Kernel("12*B")]
    public static void PlaceTies(ArrayView<int> tiesBefore, ArrayView<int> candidateOffsets, ArrayView<int> offsets, ArrayView<int> state)
    {
        var i = Grid.GlobalIndex.X;
        if (i >= offsets.IntLength)
        {
            return;
        }

        var offset = offsets[i] + Math.Min(tiesBefore[i], state[Rank]);
        offsets[i] = offset;
        if (i == offsets.IntLength - 1)
        {
            state[Candidates] = candidateOffsets[i];
            state[Kept] = offset;
        }
    }

    // A member's bins are summed and cleared in an order that keeps the team's threads on different banks.
    private static int SumBins(ArrayView<int> histogram, int member)
    {
        var sum = 0;
        for (var i = 0; i < BinsPerMember; i++)
        {
            sum += histogram[(member * BinsPerMember) + ((i + member) & (BinsPerMember - 1))];
        }

        return sum;
    }

    private static void ClearBins(ArrayView<int> histogram, int member)
    {
        for (var i = 0; i < BinsPerMember; i++)
        {
            histogram[(member * BinsPerMember) + ((i + member) & (BinsPerMember - 1))] = 0;
        }
    }
}

/// <summary>Four values of a row, and what becomes of each.</summary>
internal readonly struct Classes(Float4 values, int class0, int class1, int class2, int class3)
{
    private readonly Float4 _values = values;
    private readonly int _class0 = class0;
    private readonly int _class1 = class1;
    private readonly int _class2 = class2;
    private readonly int _class3 = class3;

    /// <summary>The classes of a row's values.</summary>
    /// <param name="values">Four consecutive values.</param>
    /// <param name="selection">What is kept.</param>
    /// <param name="i">The index within the row of the first value.</param>
    /// <param name="count">The number of values in the row.</param>
    /// <param name="threshold">The row's threshold.</param>
    public static Classes Of<TSelection>(Float4 values, TSelection selection, int i, int count, int threshold)
        where TSelection : struct, ISelection => new(
            values,
            i < count ? selection.Class(values.X, i, threshold) : 0,
            i + 1 < count ? selection.Class(values.Y, i + 1, threshold) : 0,
            i + 2 < count ? selection.Class(values.Z, i + 2, threshold) : 0,
            i + 3 < count ? selection.Class(values.W, i + 3, threshold) : 0);

    /// <summary>How many are kept + <see cref="SelectionKernels.Tie"/> × how many equal the threshold.</summary>
    public int Sum() => _class0 + _class1 + _class2 + _class3;

    /// <summary>Lists the kept ones, given how many values before them in the row are kept and how many equal the threshold.</summary>
    public void List<TRows>(KeptList output, TRows rows, int first, int at, int kept, int tied)
        where TRows : struct, ISelectionRows
    {
        output.Add(rows, first, at, _values.X, _class0, kept, tied);
        kept += _class0 & 1;
        tied += _class0 >> 16;
        output.Add(rows, first, at + 1, _values.Y, _class1, kept, tied);
        kept += _class1 & 1;
        tied += _class1 >> 16;
        output.Add(rows, first, at + 2, _values.Z, _class2, kept, tied);
        kept += _class2 & 1;
        tied += _class2 >> 16;
        output.Add(rows, first, at + 3, _values.W, _class3, kept, tied);
    }
}

/// <summary>Where the kept values of a row go.</summary>
internal readonly struct KeptList(int start, int ties, ArrayView<int> indices, ArrayView<float> values)
{
    private readonly int _start = start;
    private readonly int _ties = ties;
    private readonly ArrayView<int> _indices = indices;
    private readonly ArrayView<float> _values = values;

    /// <summary>Appends a value, if it is kept, to those of the row kept so far.</summary>
    public void Add<TRows>(TRows rows, int first, int at, float value, int @class, int kept, int tied)
        where TRows : struct, ISelectionRows
    {
        if (@class == 1 || (@class == SelectionKernels.Tie && tied < _ties))
        {
            var entry = _start + kept + Math.Max(0, Math.Min(tied, _ties));
            if (entry < _indices.IntLength)
            {
                _indices[entry] = rows.Column(first, at);
                _values[entry] = value;
            }
        }
    }
}
