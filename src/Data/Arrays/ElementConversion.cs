using System.Numerics;
using System.Runtime.CompilerServices;

namespace MonoLoss.Data;

/// <summary>Turns a stored element into a number.</summary>
internal interface IElementConversion<TStored, TTarget>
{
    /// <summary>The nearest number.</summary>
    static abstract TTarget Convert(TStored value);
}

/// <summary>Converts numbers that .NET knows.</summary>
internal readonly struct NumberConversion<TStored, TTarget> : IElementConversion<TStored, TTarget>
    where TStored : unmanaged, INumberBase<TStored>
    where TTarget : unmanaged, INumberBase<TTarget>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TTarget Convert(TStored value)
    {
        if (typeof(TStored) == typeof(ulong) && typeof(TTarget) == typeof(float))
        {
            return TTarget.CreateTruncating(ToSingle(ulong.CreateTruncating(value)));
        }

        return TTarget.CreateTruncating(value);
    }

    // A conversion by way of float64 would round twice. The last bit stands for all that are cut off.
    private static float ToSingle(ulong value) =>
        value <= long.MaxValue ? (long)value : (float)(long)((value >> 1) | (value & 1)) * 2;
}

/// <summary>Converts bfloat16, the upper half of a float32.</summary>
internal readonly struct BFloat16Conversion<TTarget> : IElementConversion<ushort, TTarget>
    where TTarget : unmanaged, INumberBase<TTarget>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TTarget Convert(ushort value) => TTarget.CreateTruncating(BitConverter.UInt32BitsToSingle((uint)value << 16));
}

/// <summary>Converts booleans, for which any byte but 0 is true.</summary>
internal readonly struct BooleanConversion<TTarget> : IElementConversion<byte, TTarget>
    where TTarget : unmanaged, INumberBase<TTarget>
{
    /// <inheritdoc/>
    public static TTarget Convert(byte value) => value == 0 ? TTarget.Zero : TTarget.One;
}
