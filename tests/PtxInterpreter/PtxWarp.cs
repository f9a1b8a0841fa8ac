using System.Numerics;
using System.Runtime.InteropServices;

namespace PtxInterpreter;

/// <summary>An invalid operation of a kernel; the message names the line of its PTX and the lane.</summary>
public sealed class PtxFault(string message) : Exception(message);

/// <summary>
/// 32 threads that run a program together. Where a branch divides them, those that do not take it run first, to the point where both meet
/// again (<see cref="PtxReconvergence"/>), then the others.
/// </summary>
internal sealed unsafe class PtxWarp : IDisposable
{
    private readonly PtxProgram _program;
    private readonly byte* _registers;

    // The waiting lanes: their mask, the instruction they continue with, and the one at which they meet the entry below.
    private readonly Stack<(uint Lanes, int Next, int End)> _waiting = [];
    private uint _alive;
    private uint _active;
    private int _next;
    private int _end;

    public PtxWarp(PtxProgram program, PtxGroup group, int index, int threads)
    {
        (_program, Group, Index, Lanes) = (program, group, index, (uint)((1UL << threads) - 1));
        _registers = (byte*)NativeMemory.AlignedAlloc((nuint)program.RegisterSize, 128);
        // Registers do not start as 0, so that reading one before it is written shows.
        new Span<byte>(_registers, program.RegisterSize).Fill(0xCD);
        foreach (var (offset, type, bits) in program.Constants)
        {
            if (type == PtxType.Predicate)
            {
                *Register<uint>(offset) = bits == 0 ? 0 : uint.MaxValue;
            }
            else if (type.Bytes == 8)
            {
                new Span<long>(Register<long>(offset), PtxProgram.Lanes).Fill(bits);
            }
            else
            {
                new Span<int>(Register<int>(offset), PtxProgram.Lanes).Fill((int)bits);
            }
        }
    }

    public PtxGroup Group { get; }

    public int Index { get; }

    /// <summary>The lanes that have a thread.</summary>
    public uint Lanes { get; }

    /// <summary>The barrier at which the warp waits.</summary>
    public PtxInstruction? Waiting { get; private set; }

    /// <summary>The warp's asynchronous copies.</summary>
    public PtxCopies Copies { get; } = new();

    /// <summary>The global memory that was used last.</summary>
    public PtxGlobal.Buffer? Buffer { get; set; }

    public T* Register<T>(int offset)
        where T : unmanaged => (T*)(_registers + offset);

    public PtxFault Fault(PtxInstruction instruction, int lane, string message) => new(
        $"{_program.Text.Name}, group {Group.Index}, warp {Index}, lane {lane}, line {instruction.Statement.Line}: {message}\n"
        + instruction.Statement.Text);

    /// <summary>Prepares the warp to run from the first instruction.</summary>
    /// <param name="special">The values of special registers by name and lane.</param>
    public void Start(Func<string, int, uint> special)
    {
        foreach (var (name, offset) in _program.Specials)
        {
            for (var lane = 0; lane < PtxProgram.Lanes; lane++)
            {
                Register<uint>(offset)[lane] = special(name, lane);
            }
        }

        Buffer = null;
        Copies.Clear();
        _waiting.Clear();
        (_alive, _active, _next, _end) = (Lanes, Lanes, 0, _program.Instructions.Length);
    }

    /// <summary>Runs to the next barrier or the end.</summary>
    public void Run()
    {
        while (true)
        {
            while (_next == _end || _active == 0)
            {
                if (!_waiting.TryPop(out var waiting))
                {
                    return;
                }

                (_active, _next, _end) = (waiting.Lanes & _alive, waiting.Next, waiting.End);
            }

            var instruction = _program.Instructions[_next];
            var mask = instruction.Guard < 0 ? _active
                : _active & (instruction.Statement.GuardNegated ? ~*Register<uint>(instruction.Guard) : *Register<uint>(instruction.Guard));
            switch (instruction.Flow)
            {
                case PtxFlow.Next:
                    if (mask != 0)
                    {
                        instruction.Operation!(this, instruction, mask);
                        Group.Tally?.CountFlops(instruction, mask);
                    }

                    _next++;
                    break;
                case PtxFlow.UniformBranch when mask != 0 && mask != _active:
                    throw Fault(instruction, BitOperations.TrailingZeroCount(mask), "marked as uniform, but not all lanes take it");
                case PtxFlow.Branch or PtxFlow.UniformBranch:
                    Branch(instruction, mask);
                    break;
                case PtxFlow.Return:
                    _alive &= ~mask;
                    _active &= ~mask;
                    _next++;
                    break;
                default:
                    if (mask != Lanes)
                    {
                        throw Fault(instruction, BitOperations.TrailingZeroCount(Lanes & ~mask), "this lane is not at the barrier");
                    }

                    Waiting = instruction;
                    return;
            }
        }
    }

    /// <summary>The number of threads for which the barrier's predicate holds.</summary>
    public int Count(int predicate) => BitOperations.PopCount(Lanes & *Register<uint>(predicate));

    /// <summary>Lets the warp continue when all warps have reached the barrier.</summary>
    /// <param name="count">The number of threads of the group for which the barrier's predicate holds, if it has one.</param>
    /// <param name="threads">Threads of the group.</param>
    public void Release(int count, int threads)
    {
        var barrier = Waiting!;
        if (barrier.Operands.Length > 0)
        {
            var result = Register<uint>(barrier.Operands[0]);
            switch (barrier.Statement.Opcode)
            {
                case "bar.red.popc.u32":
                    new Span<uint>(result, PtxProgram.Lanes).Fill((uint)count);
                    break;
                case "bar.red.and.pred":
                    *result = count == threads ? uint.MaxValue : 0;
                    break;
                default:
                    *result = count > 0 ? uint.MaxValue : 0;
                    break;
            }
        }

        Waiting = null;
        _next++;
    }

    public void Dispose() => NativeMemory.AlignedFree(_registers);

    private void Branch(PtxInstruction instruction, uint taken)
    {
        var others = _active & ~taken;
        if (taken == 0 || others == 0)
        {
            _next = taken == 0 ? _next + 1 : instruction.Target;
            return;
        }

        var meeting = instruction.Reconvergence;
        if (meeting != _end)
        {
            _waiting.Push((_active, meeting, _end));
        }

        _waiting.Push((taken, instruction.Target, meeting));
        (_active, _next, _end) = (others, _next + 1, meeting);
    }
}
