using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using static PtxInterpreter.PtxOperations;

namespace PtxInterpreter;

/// <summary>Finds the operation and the operands of every instruction that does not branch.</summary>
internal static partial class PtxDecoder
{
    private static readonly PtxType U32 = new('u', 32);
    private static readonly PtxType B32 = new('b', 32);
    private static readonly PtxType Address = new('b', 64);

    /// <exception cref="NotSupportedException">The instruction is unknown, or its operands have the wrong types.</exception>
    public static void Decode(PtxProgram program, PtxInstruction instruction)
    {
        var statement = instruction.Statement;
        var parts = statement.Opcode.Split('.');
        switch (parts[0])
        {
            case "ld" or "st" or "atom" or "red":
                Access(program, instruction, parts);
                break;
            case "bar" when parts is ["bar", "warp", "sync"]:
                instruction.Operands = [program.Operand(statement.Operands[0], B32)];
                instruction.Operation = PtxLanes.Converge;
                break;
            case "bar":
                Barrier(program, instruction, parts);
                break;
            case "membar" or "fence":
                instruction.Operation = PtxLanes.Nothing;
                break;
            case "shfl":
                instruction.Operands = Operands(program, statement.Operands, [B32, B32, U32, U32, B32]);
                instruction.Operation = parts[2] switch
                {
                    "up" => PtxLanes.Shuffle<PtxLanes.FromBelow>,
                    "down" => PtxLanes.Shuffle<PtxLanes.FromAbove>,
                    "bfly" => PtxLanes.Shuffle<PtxLanes.FromOther>,
                    "idx" => PtxLanes.Shuffle<PtxLanes.FromIndex>,
                    _ => null,
                };
                break;
            case "mma" when statement.Opcode == "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
                instruction.Operands =
                [
                    .. statement.Operands.SelectMany((vector, i) => Vector(program, vector, i is 0 or 3 ? new PtxType('f', 32) : B32)),
                ];
                instruction.Operation = PtxLanes.MultiplyMatrices;
                instruction.Flops = 2 * 16 * 8 * 8 / PtxProgram.Lanes;
                break;
            case "cp":
                Copies(program, instruction);
                break;
            case "cvta":
                instruction.Operands = Operands(program, statement.Operands, [Address, Address]);
                instruction.Operation = PtxLanes.Unary<ulong, ulong, Move<ulong>>;
                break;
            case "cvt":
                var (to, from) = (PtxType.Parse(parts[^2]), PtxType.Parse(parts[^1]));
                instruction.Operands = Operands(program, statement.Operands, [to, from]);
                instruction.Operation = Conversion(parts.Length == 4 ? parts[1] : "", to, from);
                break;
            default:
                Arithmetic(program, instruction, parts);
                break;
        }

        if (instruction.Operation is null && instruction.Flow != PtxFlow.Barrier)
        {
            throw new NotSupportedException("unknown instruction");
        }
    }

    private static int[] Operands(PtxProgram program, IReadOnlyList<string> names, PtxType[] types) => names.Count == types.Length
        ? [.. names.Zip(types, program.Operand)]
        : throw new NotSupportedException($"expected {types.Length} operands");

    private static IEnumerable<int> Vector(PtxProgram program, string operand, PtxType type) =>
        operand.Trim('{', '}').Split(',').Select(name => program.Operand(name.Trim(), type));

    private static void Barrier(PtxProgram program, PtxInstruction instruction, string[] parts)
    {
        var operands = instruction.Statement.Operands;
        instruction.Flow = PtxFlow.Barrier;
        (instruction.Operands, var barrier) = parts switch
        {
            ["bar", "sync"] => ([], operands[0]),
            ["bar", "red", "popc", "u32"] => (Operands(program, [operands[0], operands[2]], [U32, PtxType.Predicate]), operands[1]),
            ["bar", "red", "and" or "or", "pred"] =>
                (Operands(program, [operands[0], operands[2]], [PtxType.Predicate, PtxType.Predicate]), operands[1]),
            _ => throw new NotSupportedException("unknown barrier"),
        };
        if (barrier != "0")
        {
            throw new NotSupportedException("only barrier 0 is supported");
        }
    }

    private static void Copies(PtxProgram program, PtxInstruction instruction)
    {
        var operands = instruction.Statement.Operands;
        switch (instruction.Statement.Opcode)
        {
            case "cp.async.cg.shared.global" when operands is [['[', .. var target, ']'], ['[', .. var source, ']'], "16", ..]:
                instruction.Operands = Operands(
                    program, [target, source, operands.Count == 4 ? operands[3] : "16"], [Address, Address, U32]);
                instruction.Operation = PtxCopies.Start;
                break;
            case "cp.async.commit_group":
                instruction.Operation = PtxCopies.Commit;
                break;
            case "cp.async.wait_group":
                instruction.Operands = Operands(program, operands, [U32]);
                instruction.Operation = PtxCopies.Wait;
                break;
        }
    }

    private static void Access(PtxProgram program, PtxInstruction instruction, string[] parts)
    {
        var type = PtxType.Parse(parts[^1]);
        var operands = instruction.Statement.Operands;
        var (address, values) = parts[0] switch
        {
            "st" or "red" => (operands[0], operands.Skip(1)),
            "ld" => (operands[1], operands.Take(1)),
            _ => (operands[1], operands.Skip(2).Append(operands[0])),
        };
        var match = AddressForm().Match(address);
        var offset = match.Groups[2].Success ? long.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : 0;
        var registers = values.SelectMany(operand => Vector(program, operand, type));
        if (parts is ["ld", "param", ..])
        {
            var parameter = program.Text.Parameters[match.Groups[1].Value];
            instruction.Operands = [.. registers];
            instruction.Offset = parameter.Offset + offset;
            instruction.Operation = type.Bytes == 8 ? PtxMemory.LoadParameter<ulong> : PtxMemory.LoadParameter<uint>;
            if (offset < 0 || offset + (type.Bytes * instruction.Operands.Length) > parameter.Size)
            {
                throw new NotSupportedException("outside the parameter");
            }

            return;
        }

        instruction.Offset = offset;
        instruction.Operands = [program.Operand(match.Groups[1].Value, Address), .. registers];
        if (parts is ["ld" or "st", "global" or "shared", ..])
        {
            var isVector = parts.Length == 4 && parts[2] == $"v{instruction.Operands.Length - 1}";
            var isScalar = parts.Length == 3 && instruction.Operands.Length == 2;
            instruction.Operation = !isVector && !isScalar ? null
                : parts[1] == "global" ? Access<PtxGlobal>(parts[0], type.Bits) : Access<PtxShared>(parts[0], type.Bits);
        }
        else if (parts.Length == 4)
        {
            var space = parts.Contains("global") ? "global" : parts.Contains("shared") ? "shared" : "generic";
            var operation = parts[1] == space ? parts[2] : parts[1];
            instruction.Operation = space switch
            {
                "global" => Atomic<PtxGlobal>(operation, type),
                "shared" => Atomic<PtxShared>(operation, type),
                _ => null,
            };
        }
    }

    private static PtxOperation? Access<TSpace>(string opcode, int bits)
        where TSpace : IPtxSpace => (opcode, bits) switch
        {
            ("ld", 32) => PtxMemory.Load<uint, TSpace>,
            ("ld", 64) => PtxMemory.Load<ulong, TSpace>,
            ("st", 32) => PtxMemory.Store<uint, TSpace>,
            ("st", 64) => PtxMemory.Store<ulong, TSpace>,
            _ => null,
        };

    private static PtxOperation? Atomic<TSpace>(string operation, PtxType type)
        where TSpace : IPtxSpace => (type.Kind, type.Bits) switch
        {
            ('b' or 'u', 32) => AtomicInteger<uint, TSpace>(operation),
            ('b' or 'u', 64) => AtomicInteger<ulong, TSpace>(operation),
            ('s', 32) => AtomicInteger<int, TSpace>(operation),
            ('s', 64) => AtomicInteger<long, TSpace>(operation),
            _ => null,
        };

    private static PtxOperation? AtomicInteger<T, TSpace>(string operation)
        where T : unmanaged, IBinaryInteger<T>
        where TSpace : IPtxSpace => operation switch
        {
            "add" => PtxMemory.Atomic<T, Add<T>, TSpace>,
            "min" => PtxMemory.Atomic<T, Min<T>, TSpace>,
            "max" => PtxMemory.Atomic<T, Max<T>, TSpace>,
            "and" => PtxMemory.Atomic<T, And<T>, TSpace>,
            "or" => PtxMemory.Atomic<T, Or<T>, TSpace>,
            "xor" => PtxMemory.Atomic<T, Xor<T>, TSpace>,
            "exch" => PtxMemory.Atomic<T, Second<T>, TSpace>,
            "cas" => PtxMemory.CompareAndSwap<T, TSpace>,
            _ => null,
        };

    private static PtxOperation? Conversion(string rounding, PtxType to, PtxType from) => (from.Kind, from.Bits) switch
    {
        ('s', 32) => Conversion<int>(rounding, to, from),
        ('u', 32) => Conversion<uint>(rounding, to, from),
        ('s', 64) => Conversion<long>(rounding, to, from),
        ('u', 64) => Conversion<ulong>(rounding, to, from),
        ('f', 32) => Conversion<float>(rounding, to, from),
        ('f', 64) => Conversion<double>(rounding, to, from),
        _ => null,
    };

    private static PtxOperation? Conversion<T>(string rounding, PtxType to, PtxType from)
        where T : unmanaged, INumber<T>
    {
        // If a result may have to be rounded, the rounding mode is part of the instruction.
        var expected = (from.Kind == 'f', to.Kind == 'f') switch
        {
            (true, false) => "rzi",
            (false, true) => "rn",
            (true, true) when to.Bits < from.Bits => "rn",
            _ => "",
        };
        return rounding != expected ? null : (to.Kind, to.Bits) switch
        {
            ('s', 32) => PtxLanes.Unary<T, int, Convert<T, int>>,
            ('u', 32) => PtxLanes.Unary<T, uint, Convert<T, uint>>,
            ('s', 64) => PtxLanes.Unary<T, long, Convert<T, long>>,
            ('u', 64) => PtxLanes.Unary<T, ulong, Convert<T, ulong>>,
            ('f', 32) => PtxLanes.Unary<T, float, Convert<T, float>>,
            ('f', 64) => PtxLanes.Unary<T, double, Convert<T, double>>,
            _ => null,
        };
    }

    private static void Arithmetic(PtxProgram program, PtxInstruction instruction, string[] parts)
    {
        var type = PtxType.Parse(parts[^1]);
        var name = string.Join('.', parts[..^1].Where(part => part != "rn"));
        instruction.Operation = (type.Kind, type.Bits) switch
        {
            ('s', 32) => Integer<int, long>(name),
            ('u', 32) => Integer<uint, ulong>(name) ?? Unsigned<uint>(name),
            ('s', 64) => Integer<long, Int128>(name),
            ('u', 64) => Integer<ulong, UInt128>(name) ?? Unsigned<ulong>(name),
            ('b', 32) => Bits<uint>(name),
            ('b', 64) => Bits<ulong>(name),
            ('f', 32) => Float<float>(name),
            ('f', 64) => Float<double>(name),
            ('p', _) => Predicate(name),
            _ => null,
        };

        var types = Enumerable.Repeat(type, instruction.Statement.Operands.Count).ToArray();
        switch (parts[0])
        {
            case "setp" or "testp":
                types[0] = PtxType.Predicate;
                break;
            case "selp":
                types[^1] = PtxType.Predicate;
                break;
            case "shl" or "shr":
                types[^1] = U32;
                break;
            case "popc" or "clz":
                types[0] = U32;
                break;
            case "mul" when parts[1] == "wide":
                types[0] = new(type.Kind, 2 * type.Bits);
                break;
        }

        instruction.Operands = Operands(program, instruction.Statement.Operands, types);
        instruction.Flops = type.Kind != 'f' ? 0 : parts[0] switch
        {
            "fma" or "fms" or "fnma" => 2,
            "add" or "sub" or "mul" or "div" or "sqrt" or "rcp" or "rsqrt" or "ex2" or "lg2" => 1,
            _ => 0,
        };
    }

    private static PtxOperation? Integer<T, TWide>(string name)
        where T : unmanaged, IBinaryInteger<T>, INumber<T>
        where TWide : unmanaged, INumber<TWide> => name switch
        {
            "mul.lo" => PtxLanes.Binary<T, T, T, Multiply<T>>,
            "mul.wide" => PtxLanes.Binary<T, T, TWide, MultiplyWide<T, TWide>>,
            "mad.lo" => PtxLanes.Ternary<T, MultiplyAdd<T>>,
            "div" => PtxLanes.Quotient<T, Divide<T>>,
            "rem" => PtxLanes.Quotient<T, Remainder<T>>,
            "shr" => PtxLanes.Binary<T, uint, T, ShiftRight<T>>,
            "mul" => null,
            _ => Number<T>(name),
        };

    private static PtxOperation? Unsigned<T>(string name)
        where T : unmanaged, INumber<T> => name switch
        {
            "setp.lo" => PtxLanes.Compare<T, Less<T>>,
            "setp.ls" => PtxLanes.Compare<T, LessOrEqual<T>>,
            "setp.hi" => PtxLanes.Compare<T, Greater<T>>,
            "setp.hs" => PtxLanes.Compare<T, GreaterOrEqual<T>>,
            _ => null,
        };

    private static PtxOperation? Bits<T>(string name)
        where T : unmanaged, IBinaryInteger<T>, INumber<T> => name switch
        {
            "and" => PtxLanes.Binary<T, T, T, And<T>>,
            "or" => PtxLanes.Binary<T, T, T, Or<T>>,
            "xor" => PtxLanes.Binary<T, T, T, Xor<T>>,
            "not" => PtxLanes.Unary<T, T, Not<T>>,
            "shl" => PtxLanes.Binary<T, uint, T, ShiftLeft<T>>,
            "shr" => PtxLanes.Binary<T, uint, T, ShiftRight<T>>,
            "popc" => PtxLanes.Unary<T, uint, PopCount<T>>,
            "clz" => PtxLanes.Unary<T, uint, LeadingZeros<T>>,
            "mov" or "selp" or "setp.eq" or "setp.ne" => Number<T>(name),
            _ => null,
        };

    private static PtxOperation? Float<T>(string name)
        where T : unmanaged, IFloatingPointIeee754<T> => name switch
        {
            "mul" => PtxLanes.Binary<T, T, T, Multiply<T>>,
            "div" => PtxLanes.Binary<T, T, T, Divide<T>>,
            "fma" => PtxLanes.Ternary<T, Fma<T>>,
            "fms" => PtxLanes.Ternary<T, FusedMultiplySubtract<T>>,
            "fnma" => PtxLanes.Ternary<T, FusedNegativeMultiplyAdd<T>>,
            "sqrt" => PtxLanes.Unary<T, T, Sqrt<T>>,
            "rcp" => PtxLanes.Unary<T, T, Reciprocal<T>>,
            "rsqrt.approx" => PtxLanes.Unary<T, T, ReciprocalSqrt<T>>,
            "ex2.approx" => PtxLanes.Unary<T, T, Exp2<T>>,
            "lg2.approx" => PtxLanes.Unary<T, T, Log2<T>>,
            "testp.notanumber" => PtxLanes.IsNaN<T>,
            "setp.equ" => PtxLanes.Compare<T, Opposite<T, NotEqual<T>>>,
            "setp.neu" => PtxLanes.Compare<T, Opposite<T, Equal<T>>>,
            "setp.ltu" => PtxLanes.Compare<T, Opposite<T, GreaterOrEqual<T>>>,
            "setp.leu" => PtxLanes.Compare<T, Opposite<T, Greater<T>>>,
            "setp.gtu" => PtxLanes.Compare<T, Opposite<T, LessOrEqual<T>>>,
            "setp.geu" => PtxLanes.Compare<T, Opposite<T, Less<T>>>,
            "setp.num" => PtxLanes.Compare<T, Ordered<T>>,
            "setp.nan" => PtxLanes.Compare<T, Opposite<T, Ordered<T>>>,
            _ => Number<T>(name),
        };

    private static PtxOperation? Number<T>(string name)
        where T : unmanaged, INumber<T> => name switch
        {
            "mov" => PtxLanes.Unary<T, T, Move<T>>,
            "neg" => PtxLanes.Unary<T, T, Negate<T>>,
            "abs" => PtxLanes.Unary<T, T, Abs<T>>,
            "add" => PtxLanes.Binary<T, T, T, Add<T>>,
            "sub" => PtxLanes.Binary<T, T, T, Subtract<T>>,
            "min" => PtxLanes.Binary<T, T, T, Min<T>>,
            "max" => PtxLanes.Binary<T, T, T, Max<T>>,
            "selp" => PtxLanes.Select<T>,
            "setp.eq" => PtxLanes.Compare<T, Equal<T>>,
            "setp.ne" => PtxLanes.Compare<T, NotEqual<T>>,
            "setp.lt" => PtxLanes.Compare<T, Less<T>>,
            "setp.le" => PtxLanes.Compare<T, LessOrEqual<T>>,
            "setp.gt" => PtxLanes.Compare<T, Greater<T>>,
            "setp.ge" => PtxLanes.Compare<T, GreaterOrEqual<T>>,
            _ => null,
        };

    private static PtxOperation? Predicate(string name) => name switch
    {
        "mov" => PtxLanes.Predicate<And<uint>>,
        "and" => PtxLanes.Predicate<And<uint>>,
        "or" => PtxLanes.Predicate<Or<uint>>,
        "xor" => PtxLanes.Predicate<Xor<uint>>,
        "not" => PtxLanes.NotPredicate,
        _ => null,
    };

    [GeneratedRegex(@"^\[(%?[\w$]+)(?:\+(-?\d+))?\]$")]
    private static partial Regex AddressForm();
}
