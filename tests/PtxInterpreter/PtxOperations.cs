using System.Numerics;

namespace PtxInterpreter;

internal interface IUnary<TA, TD>
{
    static abstract TD Apply(TA a);
}

internal interface IBinary<TA, TB, TD>
{
    static abstract TD Apply(TA a, TB b);
}

internal interface ITernary<TA, TB, TD>
{
    static abstract TD Apply(TA a, TA b, TB c);
}

internal interface ICompare<T>
{
    static abstract bool Apply(T a, T b);
}

/// <summary>What the arithmetic instructions compute for a lane, as the PTX ISA specifies.</summary>
internal static class PtxOperations
{
    public readonly struct Move<T> : IUnary<T, T> { public static T Apply(T a) => a; }
    public readonly struct Negate<T> : IUnary<T, T> where T : IUnaryNegationOperators<T, T> { public static T Apply(T a) => -a; }
    public readonly struct Abs<T> : IUnary<T, T> where T : INumber<T> { public static T Apply(T a) => T.Abs(a); }
    public readonly struct Not<T> : IUnary<T, T> where T : IBinaryInteger<T> { public static T Apply(T a) => ~a; }
    public readonly struct PopCount<T> : IUnary<T, uint>
        where T : IBinaryInteger<T> { public static uint Apply(T a) => uint.CreateTruncating(T.PopCount(a)); }
    public readonly struct LeadingZeros<T> : IUnary<T, uint>
        where T : IBinaryInteger<T> { public static uint Apply(T a) => uint.CreateTruncating(T.LeadingZeroCount(a)); }
    public readonly struct Sqrt<T> : IUnary<T, T> where T : IRootFunctions<T> { public static T Apply(T a) => T.Sqrt(a); }
    public readonly struct Reciprocal<T> : IUnary<T, T> where T : INumber<T> { public static T Apply(T a) => T.One / a; }
    public readonly struct ReciprocalSqrt<T> : IUnary<T, T>
        where T : INumber<T>, IRootFunctions<T> { public static T Apply(T a) => T.One / T.Sqrt(a); }
    public readonly struct Exp2<T> : IUnary<T, T> where T : IExponentialFunctions<T> { public static T Apply(T a) => T.Exp2(a); }
    public readonly struct Log2<T> : IUnary<T, T> where T : ILogarithmicFunctions<T> { public static T Apply(T a) => T.Log2(a); }

    /// <summary>
    /// Between integers, keeps the low bits; from floats to integers, rounds towards zero, clamps, and gives 0 for NaN; between floats,
    /// rounds to the nearest.
    /// </summary>
    public readonly struct Convert<TA, TD> : IUnary<TA, TD>
        where TA : INumber<TA>
        where TD : INumber<TD>
    {
        public static TD Apply(TA a) =>
            typeof(TA) == typeof(float) || typeof(TA) == typeof(double) ? TD.CreateSaturating(a) : TD.CreateTruncating(a);
    }

    public readonly struct Add<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => a + b; }
    public readonly struct Subtract<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => a - b; }
    public readonly struct Multiply<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => a * b; }
    public readonly struct MultiplyWide<T, TD> : IBinary<T, T, TD>
        where T : INumber<T>
        where TD : INumber<TD> { public static TD Apply(T a, T b) => TD.CreateTruncating(a) * TD.CreateTruncating(b); }
    public readonly struct Divide<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => a / b; }
    public readonly struct Remainder<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => a % b; }

    /// <summary>If one operand is NaN, the result is the other.</summary>
    public readonly struct Min<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => T.MinNumber(a, b); }

    /// <inheritdoc cref="Min{T}"/>
    public readonly struct Max<T> : IBinary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b) => T.MaxNumber(a, b); }

    public readonly struct And<T> : IBinary<T, T, T> where T : IBinaryInteger<T> { public static T Apply(T a, T b) => a & b; }
    public readonly struct Or<T> : IBinary<T, T, T> where T : IBinaryInteger<T> { public static T Apply(T a, T b) => a | b; }
    public readonly struct Xor<T> : IBinary<T, T, T> where T : IBinaryInteger<T> { public static T Apply(T a, T b) => a ^ b; }

    /// <summary>The second operand, for exchanges.</summary>
    public readonly struct Second<T> : IBinary<T, T, T> { public static T Apply(T a, T b) => b; }

    /// <summary>Amounts beyond the width shift everything out.</summary>
    public readonly struct ShiftLeft<T> : IBinary<T, uint, T>
        where T : IBinaryInteger<T> { public static T Apply(T a, uint b) => b >= 8 * T.Zero.GetByteCount() ? T.Zero : a << (int)b; }

    /// <inheritdoc cref="ShiftLeft{T}"/>
    public readonly struct ShiftRight<T> : IBinary<T, uint, T>
        where T : IBinaryInteger<T>
    {
        public static T Apply(T a, uint b)
        {
            var width = (uint)(8 * T.Zero.GetByteCount());
            return b < width ? a >> (int)b : a >> (int)(width - 1) >> 1;
        }
    }

    public readonly struct MultiplyAdd<T> : ITernary<T, T, T> where T : INumber<T> { public static T Apply(T a, T b, T c) => (a * b) + c; }
    public readonly struct Fma<T> : ITernary<T, T, T>
        where T : IFloatingPointIeee754<T> { public static T Apply(T a, T b, T c) => T.FusedMultiplyAdd(a, b, c); }

    /// <summary>a·b − c.</summary>
    public readonly struct FusedMultiplySubtract<T> : ITernary<T, T, T>
        where T : IFloatingPointIeee754<T> { public static T Apply(T a, T b, T c) => T.FusedMultiplyAdd(a, b, -c); }

    /// <summary>c − a·b.</summary>
    public readonly struct FusedNegativeMultiplyAdd<T> : ITernary<T, T, T>
        where T : IFloatingPointIeee754<T> { public static T Apply(T a, T b, T c) => T.FusedMultiplyAdd(-a, b, c); }

    public readonly struct Equal<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a == b; }

    /// <summary>Ordered: false for NaN.</summary>
    public readonly struct NotEqual<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a < b || a > b; }

    public readonly struct Less<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a < b; }
    public readonly struct LessOrEqual<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a <= b; }
    public readonly struct Greater<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a > b; }
    public readonly struct GreaterOrEqual<T> : ICompare<T> where T : INumber<T> { public static bool Apply(T a, T b) => a >= b; }

    /// <summary>Neither is NaN.</summary>
    public readonly struct Ordered<T> : ICompare<T>
        where T : INumber<T> { public static bool Apply(T a, T b) => !T.IsNaN(a) && !T.IsNaN(b); }

    /// <summary>The negated comparison, for those that are true if an operand is NaN.</summary>
    public readonly struct Opposite<T, TCompare> : ICompare<T>
        where TCompare : ICompare<T> { public static bool Apply(T a, T b) => !TCompare.Apply(a, b); }
}
