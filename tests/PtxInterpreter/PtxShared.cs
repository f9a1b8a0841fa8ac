using System.Runtime.InteropServices;

namespace PtxInterpreter;

/// <summary>
/// A group's shared memory, and for each word the warps that used it: no other warp may read or write what one warp writes before the
/// next barrier, and a group may read only what it has written.
/// </summary>
internal sealed unsafe class PtxShared : IPtxSpace, IDisposable
{
    private const int Many = -1;
    private const int Atomic = -2;

    private readonly byte* _memory;
    private readonly byte[] _arrays;
    private readonly Use[] _uses;

    // The stores of the group are numbered consecutively.
    private long _store;
    private long _groupStart;
    private long _barrier;

    public PtxShared(PtxText text, int dynamicSize)
    {
        var words = (text.SharedSize + dynamicSize + 3) / 4;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(words * 4, 1), 256);
        _arrays = new byte[words];
        _uses = new Use[words];
        var array = (byte)0;
        foreach (var entry in text.Shared.Values)
        {
            array++;
            _arrays.AsSpan(entry.Offset / 4, ((entry.Size == 0 ? dynamicSize : entry.Size) + 3) / 4).Fill(array);
        }
    }

    public void StartGroup() => _groupStart = _barrier = ++_store;

    public void StartStore() => _store++;

    /// <summary>Called when all warps have reached a barrier.</summary>
    public void Barrier() => _barrier = ++_store;

    public static void Moves(PtxWarp warp, PtxInstruction instruction, long* addresses, uint mask, bool reads)
    {
    }

    public static byte* Locate(PtxWarp warp, PtxInstruction instruction, int lane, long address, int size)
    {
        var shared = warp.Group.Shared;
        if (address % size != 0)
        {
            throw warp.Fault(instruction, lane, $"shared address {address} is not a multiple of {size} bytes");
        }

        if (address < 0 || (address + size + 3) / 4 > shared._arrays.Length || shared._arrays[address / 4] == 0
            || shared._arrays[address / 4] != shared._arrays[(address + size - 1) / 4])
        {
            throw warp.Fault(instruction, lane, $"shared address {address} is in no array");
        }

        return shared._memory + address;
    }

    public static void Reads(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        var shared = warp.Group.Shared;
        foreach (ref var use in shared.Uses(memory, size))
        {
            CheckCopies(use, warp, instruction, lane, "reads");
            if (use.Written < shared._groupStart)
            {
                throw warp.Fault(instruction, lane, "reads shared memory that the group has not written");
            }

            if (use.Written >= shared._barrier && use.Writer != warp.Index)
            {
                throw warp.Fault(instruction, lane, $"reads shared memory that {Name(use.Writer)} writes, with no barrier between");
            }

            use.Reader = use.Read < shared._barrier || use.Reader == warp.Index ? (short)warp.Index : (short)Many;
            use.Read = shared._store;
        }
    }

    public static void Writes(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size, bool changes)
    {
        var shared = warp.Group.Shared;
        foreach (ref var use in shared.Uses(memory, size))
        {
            if (use.Written == shared._store && changes)
            {
                throw warp.Fault(instruction, lane, "two lanes write different values");
            }

            shared.CheckOthers(use, warp, instruction, lane, warp.Index);
            use.Written = shared._store;
            use.Writer = (short)warp.Index;
        }
    }

    public static void Updates(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        var shared = warp.Group.Shared;
        foreach (ref var use in shared.Uses(memory, size))
        {
            if (use.Written < shared._groupStart)
            {
                throw warp.Fault(instruction, lane, "changes shared memory that the group has not written");
            }

            shared.CheckOthers(use, warp, instruction, lane, Atomic);
            use.Written = ++shared._store;
            use.Writer = Atomic;
        }
    }

    /// <summary>Called when a warp starts a copy that writes here; until it has waited for the copy, no warp may read or write.</summary>
    public static void StartsCopy(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        var shared = warp.Group.Shared;
        foreach (ref var use in shared.Uses(memory, size))
        {
            shared.CheckOthers(use, warp, instruction, lane, warp.Index);
            use.Copier = (short)(warp.Index + 1);
        }
    }

    /// <summary>Called when a warp has waited for a copy, which counts as its write.</summary>
    public static void EndsCopy(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size)
    {
        foreach (ref var use in warp.Group.Shared.Uses(memory, size))
        {
            use.Copier = 0;
        }

        Writes(warp, instruction, lane, memory, size, changes: true);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private static string Name(int warp) => warp == Atomic ? "an atomic operation" : warp == Many ? "more than one warp" : $"warp {warp}";

    private static void CheckCopies(in Use use, PtxWarp warp, PtxInstruction instruction, int lane, string verb)
    {
        if (use.Copier != 0)
        {
            throw warp.Fault(instruction, lane, $"{verb} shared memory that {Name(use.Copier - 1)} copies to and has not waited for");
        }
    }

    private void CheckOthers(in Use use, PtxWarp warp, PtxInstruction instruction, int lane, int allowed)
    {
        CheckCopies(use, warp, instruction, lane, "writes");
        if (use.Written >= _barrier && use.Writer != warp.Index && use.Writer != allowed)
        {
            throw warp.Fault(instruction, lane, $"writes shared memory that {Name(use.Writer)} writes, with no barrier between");
        }

        if (use.Read >= _barrier && use.Reader != warp.Index)
        {
            throw warp.Fault(instruction, lane, $"writes shared memory that {Name(use.Reader)} reads, with no barrier between");
        }
    }

    private Span<Use> Uses(byte* memory, int size)
    {
        var first = (int)(memory - _memory);
        return _uses.AsSpan(first / 4, ((first + size + 3) / 4) - (first / 4));
    }

    private struct Use
    {
        public long Written;
        public long Read;
        public short Writer;
        public short Reader;

        // The warp whose copy to this word is pending, plus 1.
        public short Copier;
    }
}
