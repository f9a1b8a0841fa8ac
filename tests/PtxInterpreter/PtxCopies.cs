using System.Numerics;

namespace PtxInterpreter;

/// <summary>
/// The asynchronous copies of a warp. The bytes arrive as late as possible, when the warp waits for their group; any use of the shared
/// memory before that is a fault.
/// </summary>
internal sealed unsafe class PtxCopies
{
    private const int Size = 16;

    private readonly Queue<List<Copy>> _groups = [];
    private List<Copy> _open = [];

    /// <summary>Whether copies are pending.</summary>
    public bool Any => _open.Count > 0 || _groups.Any(group => group.Count > 0);

    public void Clear()
    {
        _groups.Clear();
        _open = [];
    }

    /// <summary>Copies up to 16 bytes from global to shared memory, as the last operand says; the rest become zeros.</summary>
    public static void Start(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
        var targets = warp.Register<long>(instruction.Operands[0]);
        var sources = warp.Register<long>(instruction.Operands[1]);
        var sizes = warp.Register<uint>(instruction.Operands[2]);
        var reading = 0u;
        for (var rest = mask; rest != 0; rest &= rest - 1)
        {
            var lane = BitOperations.TrailingZeroCount(rest);
            reading |= sizes[lane] > 0 ? 1u << lane : 0;
        }

        PtxGlobal.Moves(warp, instruction, sources, reading, reads: true);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            if (sizes[lane] is not (0 or Size))
            {
                throw warp.Fault(instruction, lane, $"copies {sizes[lane]} bytes: only all or none are supported");
            }

            var copy = new Copy(PtxShared.Locate(warp, instruction, lane, targets[lane], Size), lane, new byte[Size]);
            PtxShared.StartsCopy(warp, instruction, lane, copy.Target, Size);
            if (sizes[lane] > 0)
            {
                var memory = PtxGlobal.Locate(warp, instruction, lane, sources[lane], Size);
                PtxGlobal.Reads(warp, instruction, lane, memory, Size);
                new Span<byte>(memory, Size).CopyTo(copy.Bytes);
            }

            warp.Copies._open.Add(copy);
        }
    }

    /// <summary>Makes a group of the copies since the previous group.</summary>
    public static void Commit(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
        RequireAll(warp, instruction, mask);
        warp.Copies._groups.Enqueue(warp.Copies._open);
        warp.Copies._open = [];
    }

    /// <summary>Waits until at most the given number of groups, the latest, are pending.</summary>
    public static void Wait(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
        RequireAll(warp, instruction, mask);
        var last = *warp.Register<uint>(instruction.Operands[0]);
        warp.Group.Shared.StartStore();
        while (warp.Copies._groups.Count > last)
        {
            foreach (var copy in warp.Copies._groups.Dequeue())
            {
                PtxShared.EndsCopy(warp, instruction, copy.Lane, copy.Target, Size);
                copy.Bytes.CopyTo(new Span<byte>(copy.Target, Size));
            }
        }
    }

    private static void RequireAll(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
        // PTX has groups per thread; here they are kept per warp.
        if (mask != warp.Lanes)
        {
            throw warp.Fault(instruction, BitOperations.TrailingZeroCount(warp.Lanes & ~mask), "this lane does not take part");
        }
    }

    private readonly struct Copy(byte* target, int lane, byte[] bytes)
    {
        public readonly byte* Target = target;
        public readonly int Lane = lane;
        public readonly byte[] Bytes = bytes;
    }
}
