namespace MonoLoss.Data;

/// <summary>What the elements of a stored array are.</summary>
public enum ElementType
{
    /// <summary>A type that is not read; the array says why.</summary>
    Unreadable,

    /// <summary>IEEE 754 half precision.</summary>
    Float16,

    /// <summary>The upper half of a float32.</summary>
    BFloat16,

    /// <summary>IEEE 754 single precision.</summary>
    Float32,

    /// <summary>IEEE 754 double precision.</summary>
    Float64,

    /// <summary>Signed, 8 bits.</summary>
    Int8,

    /// <summary>Signed, 16 bits.</summary>
    Int16,

    /// <summary>Signed, 32 bits.</summary>
    Int32,

    /// <summary>Signed, 64 bits.</summary>
    Int64,

    /// <summary>Unsigned, 8 bits.</summary>
    UInt8,

    /// <summary>Unsigned, 16 bits.</summary>
    UInt16,

    /// <summary>Unsigned, 32 bits.</summary>
    UInt32,

    /// <summary>Unsigned, 64 bits.</summary>
    UInt64,

    /// <summary>One byte; read as a number it is 0 or 1.</summary>
    Boolean,

    /// <summary>Text.</summary>
    Text,
}

/// <summary>Facts about element types.</summary>
internal static class ElementTypes
{
    /// <summary>Whether numbers of this type have a fraction.</summary>
    public static bool IsFloat(this ElementType type) => type is >= ElementType.Float16 and <= ElementType.Float64;

    /// <summary>Whether it is a number or a boolean.</summary>
    public static bool IsNumber(this ElementType type) => type is >= ElementType.Float16 and <= ElementType.Boolean;

    /// <summary>The name as numpy and torch write it: float32, int64, bool.</summary>
    public static string NameOf(this ElementType type) => type switch
    {
        ElementType.Boolean => "bool",
        _ => type.ToString().ToLowerInvariant(),
    };

    /// <summary>Bytes of a number.</summary>
    public static int SizeOf(this ElementType type) => type switch
    {
        ElementType.Int8 or ElementType.UInt8 or ElementType.Boolean => 1,
        ElementType.Float16 or ElementType.BFloat16 or ElementType.Int16 or ElementType.UInt16 => 2,
        ElementType.Float32 or ElementType.Int32 or ElementType.UInt32 => 4,
        ElementType.Float64 or ElementType.Int64 or ElementType.UInt64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a number"),
    };
}
