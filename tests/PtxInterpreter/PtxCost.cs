namespace PtxInterpreter;

/// <summary>What a launch moved and computed, counted while it ran.</summary>
/// <param name="BytesRead">Bytes of the arguments that were read, each word once.</param>
/// <param name="BytesWritten">Bytes of the arguments that were written, each word once.</param>
/// <param name="SectorBytes">Bytes between the multiprocessors and the level-2 cache, in whole sectors.</param>
/// <param name="Flops">Floating-point operations of all threads.</param>
public readonly record struct PtxCost(long BytesRead, long BytesWritten, long SectorBytes, long Flops)
{
    /// <summary>The fewest bytes that the launch can move.</summary>
    public long Bytes => BytesRead + BytesWritten;
}
