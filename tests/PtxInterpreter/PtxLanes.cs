using System.Numerics;

namespace PtxInterpreter;

/// <summary>Operations of the lanes of a warp on their registers.</summary>
internal static unsafe class PtxLanes
{
    private const uint All = uint.MaxValue;

    public static void Unary<TA, TD, TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where TA : unmanaged
        where TD : unmanaged
        where TOperation : IUnary<TA, TD>
    {
        var d = warp.Register<TD>(instruction.Operands[0]);
        var a = warp.Register<TA>(instruction.Operands[1]);
        if (mask == All)
        {
            for (var lane = 0; lane < PtxProgram.Lanes; lane++)
            {
                d[lane] = TOperation.Apply(a[lane]);
            }

            return;
        }

        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOperation.Apply(a[lane]);
        }
    }

    public static void Binary<TA, TB, TD, TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where TA : unmanaged
        where TB : unmanaged
        where TD : unmanaged
        where TOperation : IBinary<TA, TB, TD>
    {
        var d = warp.Register<TD>(instruction.Operands[0]);
        var a = warp.Register<TA>(instruction.Operands[1]);
        var b = warp.Register<TB>(instruction.Operands[2]);
        if (mask == All)
        {
            for (var lane = 0; lane < PtxProgram.Lanes; lane++)
            {
                d[lane] = TOperation.Apply(a[lane], b[lane]);
            }

            return;
        }

        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOperation.Apply(a[lane], b[lane]);
        }
    }

    public static void Ternary<T, TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
        where TOperation : ITernary<T, T, T>
    {
        var d = warp.Register<T>(instruction.Operands[0]);
        var a = warp.Register<T>(instruction.Operands[1]);
        var b = warp.Register<T>(instruction.Operands[2]);
        var c = warp.Register<T>(instruction.Operands[3]);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = TOperation.Apply(a[lane], b[lane], c[lane]);
        }
    }

    /// <summary>Division or remainder of integers.</summary>
    public static void Quotient<T, TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged, IBinaryInteger<T>
        where TOperation : IBinary<T, T, T>
    {
        var divisor = warp.Register<T>(instruction.Operands[2]);
        for (var rest = mask; rest != 0; rest &= rest - 1)
        {
            var lane = BitOperations.TrailingZeroCount(rest);
            if (divisor[lane] == T.Zero)
            {
                throw warp.Fault(instruction, lane, "division by zero");
            }
        }

        Binary<T, T, T, TOperation>(warp, instruction, mask);
    }

    public static void Compare<T, TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
        where TOperation : ICompare<T>
    {
        var a = warp.Register<T>(instruction.Operands[1]);
        var b = warp.Register<T>(instruction.Operands[2]);
        var result = 0u;
        for (var rest = mask; rest != 0; rest &= rest - 1)
        {
            var lane = BitOperations.TrailingZeroCount(rest);
            result |= (TOperation.Apply(a[lane], b[lane]) ? 1u : 0u) << lane;
        }

        SetPredicate(warp, instruction, mask, result);
    }

    public static void IsNaN<T>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged, INumber<T>
    {
        var a = warp.Register<T>(instruction.Operands[1]);
        var result = 0u;
        for (var lane = 0; lane < PtxProgram.Lanes; lane++)
        {
            result |= (T.IsNaN(a[lane]) ? 1u : 0u) << lane;
        }

        SetPredicate(warp, instruction, mask, result);
    }

    public static void Select<T>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where T : unmanaged
    {
        var d = warp.Register<T>(instruction.Operands[0]);
        var a = warp.Register<T>(instruction.Operands[1]);
        var b = warp.Register<T>(instruction.Operands[2]);
        var predicate = *warp.Register<uint>(instruction.Operands[3]);
        for (; mask != 0; mask &= mask - 1)
        {
            var lane = BitOperations.TrailingZeroCount(mask);
            d[lane] = ((predicate >> lane) & 1) != 0 ? a[lane] : b[lane];
        }
    }

    /// <summary>An operation on predicates, all lanes at once.</summary>
    public static void Predicate<TOperation>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where TOperation : IBinary<uint, uint, uint> => SetPredicate(
            warp,
            instruction,
            mask,
            TOperation.Apply(*warp.Register<uint>(instruction.Operands[1]), *warp.Register<uint>(instruction.Operands[^1])));

    public static void NotPredicate(PtxWarp warp, PtxInstruction instruction, uint mask) =>
        SetPredicate(warp, instruction, mask, ~*warp.Register<uint>(instruction.Operands[1]));

    /// <summary>Every lane reads a register of another lane; all lanes of the warp must take part.</summary>
    public static void Shuffle<TSource>(PtxWarp warp, PtxInstruction instruction, uint mask)
        where TSource : IBinary<int, int, int>
    {
        var d = warp.Register<uint>(instruction.Operands[0]);
        var a = warp.Register<uint>(instruction.Operands[1]);
        var distances = warp.Register<int>(instruction.Operands[2]);
        var clamps = warp.Register<int>(instruction.Operands[3]);
        RequireAll(warp, instruction, mask, warp.Register<uint>(instruction.Operands[4])[0]);
        var source = stackalloc uint[PtxProgram.Lanes];
        for (var lane = 0; lane < PtxProgram.Lanes; lane++)
        {
            source[lane] = a[lane];
        }

        for (var lane = 0; lane < PtxProgram.Lanes; lane++)
        {
            var segment = (clamps[lane] >> 8) & 31;
            var clamp = clamps[lane] & 31;
            var bound = (lane & segment) | (clamp & ~segment);
            var from = TSource.Apply(lane, distances[lane] & 31);
            if (typeof(TSource) == typeof(FromIndex))
            {
                from = (lane & segment) | (from & ~segment);
            }

            var isValid = typeof(TSource) == typeof(FromBelow) ? from >= bound : from <= bound;
            d[lane] = source[isValid ? from : lane];
        }
    }

    /// <summary>Waits for the lanes of a warp; here they must have converged already.</summary>
    public static void Converge(PtxWarp warp, PtxInstruction instruction, uint mask) =>
        RequireAll(warp, instruction, mask, warp.Register<uint>(instruction.Operands[0])[0]);

    public static void Nothing(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
    }

    /// <summary>
    /// <c>mma.sync.m16n8k8</c> in TF32: operands are read as numbers of 10 bits of mantissa; sums of four products are rounded towards
    /// zero, as has been measured on the A100 (Fasi et al., "Numerical behavior of NVIDIA tensor cores", 2021).
    /// </summary>
    public static void MultiplyMatrices(PtxWarp warp, PtxInstruction instruction, uint mask)
    {
        RequireAll(warp, instruction, mask, All);
        var results = new float[PtxProgram.Lanes * 4];
        for (var lane = 0; lane < PtxProgram.Lanes; lane++)
        {
            for (var element = 0; element < 4; element++)
            {
                var row = (lane >> 2) + (8 * (element >> 1));
                var column = (2 * (lane & 3)) + (element & 1);
                var sum = warp.Register<float>(instruction.Operands[10 + element])[lane];
                for (var half = 0; half < 2; half++)
                {
                    double exact = sum;
                    for (var term = 0; term < 4; term++)
                    {
                        exact += Tf32(4 + (row >> 3) + (2 * half), ((row & 7) << 2) + term) * Tf32(8 + half, (column << 2) + term);
                    }

                    sum = TowardsZero(exact);
                }

                results[(4 * lane) + element] = sum;
            }
        }

        for (var i = 0; i < results.Length; i++)
        {
            warp.Register<float>(instruction.Operands[i & 3])[i >> 2] = results[i];
        }

        double Tf32(int operand, int lane) =>
            BitConverter.UInt32BitsToSingle(warp.Register<uint>(instruction.Operands[operand])[lane] & 0xFFFFE000);
    }

    private static float TowardsZero(double value)
    {
        var nearest = (float)value;
        return Math.Abs(nearest) > Math.Abs(value) ? (nearest > 0 ? MathF.BitDecrement(nearest) : MathF.BitIncrement(nearest)) : nearest;
    }

    private static void SetPredicate(PtxWarp warp, PtxInstruction instruction, uint mask, uint result)
    {
        var predicate = warp.Register<uint>(instruction.Operands[0]);
        *predicate = (*predicate & ~mask) | (result & mask);
    }

    private static void RequireAll(PtxWarp warp, PtxInstruction instruction, uint mask, uint wanted)
    {
        if (mask != All || wanted != All)
        {
            throw warp.Fault(instruction, BitOperations.TrailingZeroCount(~(mask & wanted)), "this lane is missing");
        }
    }

    public readonly struct FromBelow : IBinary<int, int, int>
    {
        public static int Apply(int a, int b) => a - b;
    }

    public readonly struct FromAbove : IBinary<int, int, int>
    {
        public static int Apply(int a, int b) => a + b;
    }

    public readonly struct FromOther : IBinary<int, int, int>
    {
        public static int Apply(int a, int b) => a ^ b;
    }

    public readonly struct FromIndex : IBinary<int, int, int>
    {
        public static int Apply(int a, int b) => b;
    }
}
