namespace MonoLoss.Kernels.Cpu;

/// <content>Encoding with candidates from <see cref="Int16Prefilter"/>: the same bits in less time.</content>
internal sealed unsafe partial class CpuEncoder
{
    // If more than this share of a task's values are candidates, rescoring them does not pay; a small number of them always does.
    private const double MaxCandidates = 0.25;
    private const int FewCandidates = 4096;

    // A cut below every value, and above what stands for a dropped one.
    private const float BelowAll = CandidateRows.Dropped / 2;

    // After the filter has let too much through, this many calls do without it.
    private const int CallsWithoutFilter = 16;

    private readonly CpuArray<TaskEntries> _candidateEntries = new(0);
    private readonly SparseBuffer _candidates = new();
    private int _callsWithoutFilter;

    /// <summary>Whether to filter. It affects the time but no bit of the result, so it may depend on how earlier calls went.</summary>
    private bool Filters(in Input input, double share) =>
        CanFilter(input)
        && (Filter == PrefilterPolicy.Always || (IsFaster(input, share) && IsFilterWelcome()))
        && _filter.Prepare(input.Rows, input.Latents, input.Features, input.A, input.Lda, input.W, input.Ldw);

    private bool Filters(in Input input, float* keepAbove)
    {
        // No sample is taken if its outcome would not matter.
        var share = Filter == PrefilterPolicy.Auto && CanFilter(input) && IsFaster(input, 0) ? ShareAbove(input, keepAbove) : 0;
        return Filters(input, share);
    }

    private bool CanFilter(in Input input) =>
        Filter != PrefilterPolicy.Never && Int16Prefilter.IsSupported(_gemm.Isa) && input.Features <= QuantizedRows.MaxFeatures;

    private static bool IsFaster(in Input input, double share) =>
        Int16Prefilter.IsFaster(input.Rows, input.Latents, input.Features, share);

    private bool IsFilterWelcome()
    {
        var welcome = _callsWithoutFilter == 0;
        _callsWithoutFilter -= welcome ? 0 : 1;
        return welcome;
    }

    private bool GiveUpFilter()
    {
        _callsWithoutFilter = CallsWithoutFilter;
        return false;
    }

    private double ShareAbove(in Input input, float* bounds)
    {
        var (rows, columns, columnStep) = Sample(input, out var values);
        var above = 0L;
        for (var i = 0L; i < (long)rows * columns; i++)
        {
            above += values[i] > (bounds is null ? 0 : bounds[i % columns * columnStep]) ? 1 : 0;
        }

        return above / ((double)rows * columns);
    }

    private bool FilterBatchTopK(in Input input, int k, float hint, SparseBuffer result, out float threshold)
    {
        var wanted = (long)input.Rows * Math.Min(k, input.Latents);
        var attempt = 0;
        threshold = 0;
        while (true)
        {
            var bound = Guess(input, wanted, hint, ref attempt);
            if (!FindCandidates(input, bound, bounds: null, out var found))
            {
                return GiveUpFilter();
            }

            var tasks = found.Plan.Blocks * found.Plan.Groups;
            var bounded = CountAbove(found.Tasks, tasks, bound);
            if (bounded < wanted && bound > 0)
            {
                continue;
            }

            // At least `wanted` upper bounds reach the cut, so as many values reach the least that the cut can come down to.
            var contenders = bounded > wanted ? ValueSelection.BelowAll(Cut(found.Tasks, tasks, bound, wanted), _filter.LargestSlack) : 0;
            var candidates = Refine(input, found, MathF.Max(contenders, bound));
            var values = EntriesOfTasks(candidates);
            var count = CountAbove(values, candidates.Tasks, bound);
            if (count < wanted && bound > 0)
            {
                continue;
            }

            var cut = count > wanted ? Cut(values, candidates.Tasks, bound, wanted) : BelowAll;
            Assemble(candidates, cut, wanted, result);
            threshold = result.Count == 0 ? 0 : SmallestKept(values, candidates.Tasks, cut, result.Count);
            return true;
        }
    }

    private bool FilterAbove(in Input input, float* keepAbove, SparseBuffer result)
    {
        if (!FindCandidates(input, 0, keepAbove, out var found))
        {
            return GiveUpFilter();
        }

        Assemble(Refine(input, found, BelowAll), BelowAll, long.MaxValue, result);
        return true;
    }

    private bool FindCandidates(in Input input, float bound, float* bounds, out CandidatesAbove found)
    {
        var plan = Plan(input, filtered: true);
        var overflow = false;
        found = new CandidatesAbove
        {
            Isa = _gemm.Isa,
            Bias = input.Bias,
            Bound = bound,
            Bounds = bounds,
            Plan = plan,
            Tasks = _entriesOfTasks.Ensure(plan.Blocks * plan.Groups),
            Limit = FewCandidates + (long)(MaxCandidates * plan.BlockRows * plan.GroupColumns),
            Overflow = &overflow,
        };
        _filter.Multiply(plan, found);
        return !overflow;
    }

    /// <summary>Gathers the candidates whose upper bounds are above a cut, row by row, and computes their values.</summary>
    private CandidateRows Refine(in Input input, in CandidatesAbove found, float cut)
    {
        var (rows, groups) = (found.Plan.Rows, found.Plan.Groups);
        var tasks = found.Plan.Blocks * groups;
        var cells = _counts.Ensure((long)rows * groups);
        new Span<int>(cells, rows * groups).Clear();
        _gemm.Pool.Run(tasks, new GatherCandidates { Candidates = found, Cut = cut, Cells = cells, Columns = null });
        _candidates.EnsureRows(rows);
        var total = 0L;
        for (var row = 0; row < rows; row++)
        {
            for (var group = 0; group < groups; group++)
            {
                var cell = cells + ((nint)row * groups) + group;
                (*cell, total) = ((int)total, total + *cell);
            }

            _candidates.RowOffsets[row + 1] = (int)total;
        }

        _candidates.EnsureCapacity(total);
        _gemm.Pool.Run(tasks, new GatherCandidates { Candidates = found, Cut = cut, Cells = cells, Columns = _candidates.Indices });
        var candidates = new CandidateRows
        {
            Rows = rows,
            Offsets = _candidates.RowOffsets,
            Indices = _candidates.Indices,
            Values = _candidates.Values,
        };
        _gemm.Pool.Run(
            candidates.Tasks,
            new RefineRows { Candidates = candidates, Exact = input.Exact, Bound = found.Bound, Bounds = found.Bounds });
        return candidates;
    }

    private void Assemble(in CandidateRows candidates, float cut, long wanted, SparseBuffer result)
    {
        var rows = candidates.Rows;
        var above = _counts.Ensure(2L * rows);
        var equal = above + rows;
        _gemm.Pool.Run(candidates.Tasks, new CountRows { Candidates = candidates, Cut = cut, Above = above, Equal = equal });
        var total = SparseAssembly.Place(rows, 1, wanted, above, equal, result.RowOffsets);
        result.EnsureCapacity(total);
        _gemm.Pool.Run(candidates.Tasks, new CopyRows
        {
            Candidates = candidates,
            Cut = cut,
            Starts = above,
            Equal = equal,
            Indices = result.Indices,
            Values = result.Values,
        });
    }

    private TaskEntries* EntriesOfTasks(in CandidateRows candidates)
    {
        var tasks = _candidateEntries.Ensure(candidates.Tasks);
        for (var i = 0; i < candidates.Tasks; i++)
        {
            tasks[i] = candidates.Entries(i);
        }

        return tasks;
    }
}
