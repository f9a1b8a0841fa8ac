namespace PtxInterpreter;

/// <summary>
/// Where the lanes of a warp meet again after a branch: at its immediate post-dominator, the first instruction that all paths to the end
/// have in common.
/// </summary>
/// <remarks>The algorithm is Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", on the reversed graph.</remarks>
internal static class PtxReconvergence
{
    public static void Find(List<PtxInstruction> instructions)
    {
        var end = instructions.Count;
        var predecessors = new List<int>[end + 1];
        for (var i = 0; i <= end; i++)
        {
            predecessors[i] = [];
        }

        for (var i = 0; i < end; i++)
        {
            foreach (var next in Next(instructions, i))
            {
                predecessors[next].Add(i);
            }
        }

        var order = PostOrder(predecessors, end);
        var number = new int[end + 1];
        for (var i = 0; i < order.Count; i++)
        {
            number[order[i]] = i;
        }

        var dominator = Enumerable.Repeat(-1, end + 1).ToArray();
        dominator[end] = end;
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var i in Enumerable.Reverse(order).Where(i => i != end))
            {
                var common = -1;
                foreach (var next in Next(instructions, i).Where(next => dominator[next] >= 0))
                {
                    common = common < 0 ? next : Meet(common, next);
                }

                changed |= dominator[i] != common;
                dominator[i] = common;
            }
        }

        for (var i = 0; i < end; i++)
        {
            instructions[i].Reconvergence = dominator[i] < 0 ? end : dominator[i];
        }

        int Meet(int a, int b)
        {
            while (a != b)
            {
                (a, b) = number[a] < number[b] ? (dominator[a], b) : (a, dominator[b]);
            }

            return a;
        }
    }

    private static IEnumerable<int> Next(List<PtxInstruction> instructions, int i)
    {
        var instruction = instructions[i];
        var isConditional = instruction.Guard >= 0;
        return instruction.Flow switch
        {
            PtxFlow.Branch or PtxFlow.UniformBranch => isConditional ? [i + 1, instruction.Target] : [instruction.Target],
            PtxFlow.Return => isConditional ? [i + 1, instructions.Count] : [instructions.Count],
            _ => [i + 1],
        };
    }

    private static List<int> PostOrder(List<int>[] edges, int start)
    {
        var order = new List<int>();
        var seen = new bool[edges.Length];
        var path = new Stack<(int Node, int Edge)>();
        path.Push((start, 0));
        seen[start] = true;
        while (path.TryPop(out var at))
        {
            if (at.Edge == edges[at.Node].Count)
            {
                order.Add(at.Node);
                continue;
            }

            path.Push((at.Node, at.Edge + 1));
            var next = edges[at.Node][at.Edge];
            if (!seen[next])
            {
                seen[next] = true;
                path.Push((next, 0));
            }
        }

        return order;
    }
}
