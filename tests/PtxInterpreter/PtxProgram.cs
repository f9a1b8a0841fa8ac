using System.Globalization;

namespace PtxInterpreter;

/// <summary>Executes an instruction for the lanes of a warp that are in <paramref name="mask"/>.</summary>
internal delegate void PtxOperation(PtxWarp warp, PtxInstruction instruction, uint mask);

/// <summary>How a warp continues after an instruction.</summary>
internal enum PtxFlow
{
    Next,
    Branch,
    UniformBranch,
    Barrier,
    Return,
}

/// <summary>A decoded instruction.</summary>
internal sealed class PtxInstruction(PtxStatement statement)
{
    public PtxStatement Statement => statement;

    public PtxFlow Flow { get; set; }

    public PtxOperation? Operation { get; set; }

    /// <summary>The operands as offsets into a warp's registers, the result first.</summary>
    public int[] Operands { get; set; } = [];

    /// <summary>The predicate that guards the instruction; -1 for none.</summary>
    public int Guard { get; set; } = -1;

    /// <summary>Floating-point operations per lane.</summary>
    public int Flops { get; set; }

    /// <summary>The constant that is added to an address.</summary>
    public long Offset { get; set; }

    /// <summary>The target of a branch, and the instruction at which the lanes that take it and those that do not meet again.</summary>
    public int Target { get; set; }

    public int Reconvergence { get; set; }
}

/// <summary>
/// A kernel's PTX, ready to run. A warp's registers, constants and special registers are one block of memory: 32 lanes of 4 or 8 bytes
/// each, predicates as masks.
/// </summary>
public sealed class PtxProgram
{
    internal const int Lanes = 32;

    private readonly Dictionary<string, (int Offset, PtxType Type)> _registers = [];
    private readonly Dictionary<(string, PtxType), int> _constants = [];

    private PtxProgram(PtxText text) => Text = text;

    /// <summary>The kernel's name.</summary>
    public string Name => Text.Name;

    /// <summary>Bytes of all parameters.</summary>
    public int ParameterSize => Text.ParameterSize;

    /// <summary>The parameters in the order of their declaration.</summary>
    public IReadOnlyList<PtxPlace> Parameters => [.. Text.Parameters.Values];

    /// <summary>Threads of the largest group that the kernel is compiled for (<c>.maxntid</c>); 0 if not stated.</summary>
    public int MaxThreads => Text.MaxThreads;

    internal PtxText Text { get; }

    internal PtxInstruction[] Instructions { get; private set; } = [];

    /// <summary>Bytes of a warp's registers.</summary>
    internal int RegisterSize { get; private set; }

    /// <summary>The constants: the value that every lane has at an offset.</summary>
    internal List<(int Offset, PtxType Type, long Bits)> Constants { get; } = [];

    /// <summary>The special registers that the kernel reads.</summary>
    internal Dictionary<string, int> Specials { get; } = [];

    /// <summary>Reads and decodes a kernel.</summary>
    /// <param name="ptx">The text of a PTX module with one entry.</param>
    /// <param name="contract">Whether a product that only one sum reads becomes a fused multiply-add, as NVIDIA's assembler may make
    /// it.</param>
    /// <exception cref="NotSupportedException">An instruction that the interpreter does not know, or operands of the wrong
    /// types.</exception>
    public static PtxProgram Parse(string ptx, bool contract)
    {
        var program = new PtxProgram(PtxText.Parse(ptx));
        if (contract)
        {
            PtxContraction.Apply(program.Text.Statements);
        }

        program.Decode();
        return program;
    }

    /// <summary>The offset of a register or constant that an instruction of the given type reads or writes.</summary>
    internal int Operand(string name, PtxType type)
    {
        if (_registers.TryGetValue(name, out var register))
        {
            return register.Type.Fits(type) ? register.Offset : throw new NotSupportedException($"{name} is .{register.Type}, not .{type}");
        }

        if (name.StartsWith('%'))
        {
            if (!Specials.TryGetValue(name, out var special))
            {
                special = Take(new('b', 32));
                Specials.Add(name, special);
            }

            return special;
        }

        if (!_constants.TryGetValue((name, type), out var constant))
        {
            constant = Take(type);
            _constants.Add((name, type), constant);
            Constants.Add((constant, type, Text.Shared.TryGetValue(name, out var shared) ? shared.Offset : Bits(name, type)));
        }

        return constant;
    }

    /// <summary>The bits of a constant: 0f and 0d are followed by those of a float, whatever the instruction's type is.</summary>
    private static long Bits(string literal, PtxType type)
    {
        if (literal is ['0', 'f' or 'd' or 'F' or 'D' or 'x' or 'X', .. var digits])
        {
            var isFloat = literal[1] is not ('x' or 'X');
            return isFloat && digits.Length * 4 != type.Bits
                ? throw new NotSupportedException($"{literal} is not a .{type}")
                : long.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        return literal.StartsWith('-')
            ? long.Parse(literal, CultureInfo.InvariantCulture)
            : (long)ulong.Parse(literal, CultureInfo.InvariantCulture);
    }

    private int Take(PtxType type)
    {
        var offset = RegisterSize;
        RegisterSize += Lanes * Math.Max(type.Bytes, 4);
        return offset;
    }

    private void Decode()
    {
        foreach (var (prefix, (type, count)) in Text.Registers)
        {
            for (var i = 0; i < count; i++)
            {
                _registers.Add(prefix + i.ToString(CultureInfo.InvariantCulture), (Take(type), type));
            }
        }

        var labels = new Dictionary<string, int>();
        var instructions = new List<PtxInstruction>();
        foreach (var statement in Text.Statements)
        {
            if (statement.Label is { } label)
            {
                labels.Add(label, instructions.Count);
            }
            else
            {
                instructions.Add(new(statement));
            }
        }

        foreach (var instruction in instructions)
        {
            var statement = instruction.Statement;
            instruction.Guard = statement.Guard is { } guard ? Operand(guard, PtxType.Predicate) : -1;
            try
            {
                switch (statement.Opcode)
                {
                    case "bra" or "bra.uni":
                        instruction.Flow = statement.Opcode == "bra" ? PtxFlow.Branch : PtxFlow.UniformBranch;
                        instruction.Target = labels[statement.Operands[0]];
                        break;
                    case "ret" or "exit":
                        instruction.Flow = PtxFlow.Return;
                        break;
                    default:
                        PtxDecoder.Decode(this, instruction);
                        break;
                }
            }
            catch (Exception e) when (e is NotSupportedException or FormatException or ArgumentException or KeyNotFoundException)
            {
                throw new NotSupportedException($"{Text.Name}, line {statement.Line}: {statement.Text} ({e.Message})", e);
            }
        }

        PtxReconvergence.Find(instructions);
        Instructions = [.. instructions];
    }
}
