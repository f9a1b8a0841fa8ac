namespace PtxInterpreter;

/// <summary>The size of a launch.</summary>
/// <param name="Groups">Groups of threads (CUDA's blocks) in three dimensions.</param>
/// <param name="Threads">Threads of a group in three dimensions.</param>
/// <param name="DynamicShared">Bytes of dynamic shared memory of a group.</param>
public readonly record struct PtxGrid((int X, int Y, int Z) Groups, (int X, int Y, int Z) Threads, int DynamicShared = 0)
{
    /// <summary>All groups.</summary>
    public int GroupCount => Groups.X * Groups.Y * Groups.Z;

    /// <summary>Threads of a group.</summary>
    public int ThreadCount => Threads.X * Threads.Y * Threads.Z;
}

/// <summary>A group of threads, run one warp after another from barrier to barrier.</summary>
internal sealed unsafe class PtxGroup : IDisposable
{
    private readonly PtxProgram _program;
    private readonly PtxGrid _grid;
    private readonly PtxWarp[] _warps;

    /// <param name="program">The kernel.</param>
    /// <param name="grid">The size of the launch.</param>
    /// <param name="tally">Counts what the group does; null to count nothing.</param>
    public PtxGroup(PtxProgram program, PtxGrid grid, PtxTally? tally = null)
    {
        (_program, _grid, Tally) = (program, grid, tally);
        Shared = new(program.Text, grid.DynamicShared);
        _warps = new PtxWarp[(grid.ThreadCount + PtxProgram.Lanes - 1) / PtxProgram.Lanes];
        for (var i = 0; i < _warps.Length; i++)
        {
            _warps[i] = new(program, this, i, Math.Min(grid.ThreadCount - (i * PtxProgram.Lanes), PtxProgram.Lanes));
        }
    }

    /// <summary>The group's index in the grid, x first.</summary>
    public int Index { get; private set; }

    public byte* Parameters { get; private set; }

    public PtxGlobal Global { get; private set; } = null!;

    public PtxShared Shared { get; }

    public PtxTally? Tally { get; }

    public void Run(int index, byte* parameters, PtxGlobal global)
    {
        Index = index;
        Parameters = parameters;
        Global = global;
        Shared.StartGroup();
        Tally?.StartGroup();
        foreach (var warp in _warps)
        {
            warp.Start((name, lane) => Special(name, (warp.Index * PtxProgram.Lanes) + lane));
        }

        do
        {
            foreach (var warp in _warps)
            {
                warp.Run();
            }
        }
        while (PassBarrier());

        if (Array.Find(_warps, warp => warp.Copies.Any) is { } copying)
        {
            throw new PtxFault($"{_program.Text.Name}, group {Index}, warp {copying.Index}: ends while copies are under way");
        }
    }

    public void Dispose()
    {
        foreach (var warp in _warps)
        {
            warp.Dispose();
        }

        Shared.Dispose();
    }

    private bool PassBarrier()
    {
        var barrier = _warps[0].Waiting;
        foreach (var warp in _warps)
        {
            if (warp.Waiting != barrier)
            {
                throw warp.Fault(warp.Waiting ?? barrier!, 0, $"{Describe(_warps[0])}, {Describe(warp)}");
            }
        }

        if (barrier is null)
        {
            return false;
        }

        Shared.Barrier();
        var count = barrier.Operands.Length == 0 ? 0 : _warps.Sum(warp => warp.Count(barrier.Operands[^1]));
        foreach (var warp in _warps)
        {
            warp.Release(count, _grid.ThreadCount);
        }

        return true;
    }

    private static string Describe(PtxWarp warp) =>
        $"warp {warp.Index} {(warp.Waiting is { } barrier ? $"waits in line {barrier.Statement.Line}" : "is done")}";

    private uint Special(string name, int thread) => (uint)(name switch
    {
        "%tid.x" => thread % _grid.Threads.X,
        "%tid.y" => thread / _grid.Threads.X % _grid.Threads.Y,
        "%tid.z" => thread / (_grid.Threads.X * _grid.Threads.Y),
        "%ntid.x" => _grid.Threads.X,
        "%ntid.y" => _grid.Threads.Y,
        "%ntid.z" => _grid.Threads.Z,
        "%ctaid.x" => Index % _grid.Groups.X,
        "%ctaid.y" => Index / _grid.Groups.X % _grid.Groups.Y,
        "%ctaid.z" => Index / (_grid.Groups.X * _grid.Groups.Y),
        "%nctaid.x" => _grid.Groups.X,
        "%nctaid.y" => _grid.Groups.Y,
        "%nctaid.z" => _grid.Groups.Z,
        "%laneid" => thread % PtxProgram.Lanes,
        "%warpid" => thread / PtxProgram.Lanes,
        "%dynamic_smem_size" => _grid.DynamicShared,
        _ => throw new NotSupportedException($"{_program.Text.Name}: {name}"),
    });
}
