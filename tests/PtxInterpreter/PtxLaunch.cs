using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace PtxInterpreter;

/// <summary>Memory that a kernel may use.</summary>
/// <param name="Address">The first byte.</param>
/// <param name="Bytes">The size in bytes.</param>
public readonly record struct PtxBuffer(long Address, long Bytes);

/// <summary>Runs kernels, each group of threads from one barrier to the next, several groups at once.</summary>
public static unsafe class PtxLaunch
{
    /// <summary>Bytes of shared memory that a group may use: what any GPU allows without a special request.</summary>
    public const int MaxSharedBytes = 48 << 10;

    private const int MaxThreads = 1024;
    private const int MaxGroupsYZ = 65535;

    /// <summary>Runs all groups of a grid.</summary>
    /// <param name="program">The kernel.</param>
    /// <param name="grid">Groups, threads of a group and dynamic shared memory.</param>
    /// <param name="arguments">The arguments, and the global memory that the kernel may use; buffers may overlap.</param>
    /// <exception cref="PtxFault">The kernel did something invalid, or a driver would reject the grid.</exception>
    public static void Run(PtxProgram program, PtxGrid grid, PtxArguments arguments) => Run(program, grid, arguments, tallies: null);

    /// <summary>Runs all groups of a grid and counts what the launch moves and computes.</summary>
    /// <inheritdoc cref="Run(PtxProgram, PtxGrid, PtxArguments)"/>
    public static PtxCost Measure(PtxProgram program, PtxGrid grid, PtxArguments arguments)
    {
        var tallies = new ConcurrentBag<PtxTally>();
        var global = Run(program, grid, arguments, tallies);
        return new(global.BytesRead, global.BytesWritten, tallies.Sum(tally => tally.SectorBytes), tallies.Sum(tally => tally.Flops));
    }

    private static PtxGlobal Run(PtxProgram program, PtxGrid grid, PtxArguments arguments, ConcurrentBag<PtxTally>? tallies)
    {
        var text = program.Text;
        if (grid.GroupCount < 1 || grid.Groups.Y > MaxGroupsYZ || grid.Groups.Z > MaxGroupsYZ || grid.ThreadCount is < 1 or > MaxThreads
            || (text.MaxThreads > 0 && grid.ThreadCount > text.MaxThreads) || text.StaticShared + grid.DynamicShared > MaxSharedBytes)
        {
            throw new PtxFault(
                $"{text.Name}: {grid} cannot be launched "
                + $"(compiled for {text.MaxThreads} threads, {text.StaticShared} bytes of shared memory)");
        }

        var global = new PtxGlobal(arguments.Buffers.Select(buffer => (buffer.Address, buffer.Bytes)));
        try
        {
            fixed (byte* pinned = arguments.Bytes)
            {
                var start = pinned;
                Parallel.For(
                    0,
                    grid.GroupCount,
                    () =>
                    {
                        var tally = tallies is null ? null : new PtxTally();
                        tallies?.Add(tally!);
                        return new PtxGroup(program, grid, tally);
                    },
                    (index, _, group) =>
                    {
                        group.Run(index, start, global);
                        return group;
                    },
                    group => group.Dispose());
            }
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        return global;
    }
}
