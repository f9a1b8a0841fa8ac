using System.Numerics;

namespace PtxInterpreter;

/// <summary>Counts what groups do, one group after another.</summary>
internal sealed unsafe class PtxTally
{
    // The unit in which the level-2 cache is read.
    private const int SectorSize = 32;

    private readonly HashSet<long> _read = [];

    /// <summary>
    /// Bytes between the multiprocessors and the level-2 cache: sectors that a group reads, each once, since the level-1 cache keeps them,
    /// and those that each instruction writes.
    /// </summary>
    public long SectorBytes { get; private set; }

    /// <summary>Floating-point operations of all threads.</summary>
    public long Flops { get; private set; }

    public void StartGroup() => _read.Clear();

    public void CountFlops(PtxInstruction instruction, uint mask) => Flops += instruction.Flops * BitOperations.PopCount(mask);

    /// <summary>
    /// Counts the sectors that a warp reads or writes at its lanes' addresses. Accesses are aligned, so each lies in one sector.
    /// </summary>
    public void CountAccess(PtxInstruction instruction, long* addresses, uint mask, bool reads)
    {
        var sectors = stackalloc long[PtxProgram.Lanes];
        var count = 0;
        for (; mask != 0; mask &= mask - 1)
        {
            var sector = (addresses[BitOperations.TrailingZeroCount(mask)] + instruction.Offset) / SectorSize;
            if ((count == 0 || sectors[count - 1] != sector) && !new Span<long>(sectors, count).Contains(sector))
            {
                sectors[count++] = sector;
                SectorBytes += !reads || _read.Add(sector) ? SectorSize : 0;
            }
        }
    }
}
