using System.Numerics;
using System.Runtime.CompilerServices;

namespace PtxInterpreter;

/// <summary>A memory space, which checks every access.</summary>
internal unsafe interface IPtxSpace
{
    /// <summary>Called before lanes read or write.</summary>
    static abstract void Moves(PtxWarp warp, PtxInstruction instruction, long* addresses, uint mask, bool reads);

    /// <summary>Returns the memory at an address, if an access of this size is allowed.</summary>
    static abstract byte* Locate(PtxWarp warp, PtxInstruction instruction, int lane, long address, int size);

    static abstract void Reads(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size);

    /// <param name="warp">The warp.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="lane">The lane.</param>
    /// <param name="memory">The address of the write.</param>
    /// <param name="size">The size in bytes.</param>
    /// <param name="changes">Whether the value differs from the present one.</param>
    static abstract void Writes(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size, bool changes);

    static abstract void Updates(PtxWarp warp, PtxInstruction instruction, int lane, byte* memory, int size);
}

/// <summary>Loads, stores and atomic operations. The first operand is the address.</summary>
internal static unsafe class PtxMemory
{
    public static void Load<T, TSpace>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
        where TSpace : IPtxSpace
    {
        var operands = instruction.Operands;
        var addresses = warp.Register<long>(operands[0]);
        var size = (operands.Length - 1) * sizeof(T);
        TSpace.Moves(warp, instruction, addresses, mask, reads: true);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            var memory = TSpace.Locate(warp, instruction, lane, addresses[lane] + instruction.Offset, size);
            TSpace.Reads(warp, instruction, lane, memory, size);
            for (var i = 1; i < operands.Length; i++)
            {
                warp.Register<T>(operands[i])[lane] = ((T*)memory)[i - 1];
            }
        }
    }

    public static void Store<T, TSpace>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged, IBinaryInteger<T>
        where TSpace : IPtxSpace
    {
        var operands = instruction.Operands;
        var addresses = warp.Register<long>(operands[0]);
        warp.Group.Shared.StartStore();
        TSpace.Moves(warp, instruction, addresses, mask, reads: false);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            var memory = (T*)TSpace.Locate(
                warp, instruction, lane, addresses[lane] + instruction.Offset, (operands.Length - 1) * sizeof(T));
            for (var i = 1; i < operands.Length; i++, memory++)
            {
                var value = warp.Register<T>(operands[i])[lane];
                TSpace.Writes(warp, instruction, lane, (byte*)memory, sizeof(T), *memory != value);
                *memory = value;
            }
        }
    }

    /// <summary>A parameter, the same for all lanes.</summary>
    public static void LoadParameter<T>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
    {
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            for (var i = 0; i < instruction.Operands.Length; i++)
            {
                warp.Register<T>(instruction.Operands[i])[lane] = ((T*)(warp.Group.Parameters + instruction.Offset))[i];
            }
        }
    }

    /// <summary>Operands are the address, the value, and for <c>atom</c> the destination of the previous value.</summary>
    public static void Atomic<T, TOperation, TSpace>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
        where TOperation : IBinary<T, T, T>
        where TSpace : IPtxSpace
    {
        var operands = instruction.Operands;
        TSpace.Moves(warp, instruction, warp.Register<long>(operands[0]), mask, reads: false);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            var memory = Update<T, TSpace>(warp, instruction, lane);
            var value = warp.Register<T>(operands[1])[lane];
            T before;
            do
            {
                before = *memory;
            }
            while (!CompareExchange(memory, TOperation.Apply(before, value), before));

            if (operands.Length > 2)
            {
                warp.Register<T>(operands[2])[lane] = before;
            }
        }
    }

    /// <summary>As <see cref="Atomic"/>, with the expected value before the new one.</summary>
    public static void CompareAndSwap<T, TSpace>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged, IBinaryInteger<T>
        where TSpace : IPtxSpace
    {
        var operands = instruction.Operands;
        TSpace.Moves(warp, instruction, warp.Register<long>(operands[0]), mask, reads: false);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            var memory = Update<T, TSpace>(warp, instruction, lane);
            var expected = warp.Register<T>(operands[1])[lane];
            T before;
            do
            {
                before = *memory;
            }
            while (before == expected && !CompareExchange(memory, warp.Register<T>(operands[2])[lane], before));

            warp.Register<T>(operands[3])[lane] = before;
        }
    }

    /// <summary>Returns the memory that a lane's atomic operation is about to change.</summary>
    private static T* Update<T, TSpace>(PtxWarp warp, PtxInstruction instruction, int lane)
        where T : unmanaged
        where TSpace : IPtxSpace
    {
        var address = warp.Register<long>(instruction.Operands[0])[lane] + instruction.Offset;
        var memory = TSpace.Locate(warp, instruction, lane, address, sizeof(T));
        TSpace.Updates(warp, instruction, lane, memory, sizeof(T));
        return (T*)memory;
    }

    private static bool CompareExchange<T>(T* memory, T value, T before)
        where T : unmanaged
    {
        if (sizeof(T) == 8)
        {
            var bits = Unsafe.As<T, long>(ref before);
            return Interlocked.CompareExchange(ref *(long*)memory, Unsafe.As<T, long>(ref value), bits) == bits;
        }

        var lower = Unsafe.As<T, int>(ref before);
        return Interlocked.CompareExchange(ref *(int*)memory, Unsafe.As<T, int>(ref value), lower) == lower;
    }
}
