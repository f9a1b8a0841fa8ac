namespace MonoLoss.Data.Parquet;

/// <summary>What the values of a column stand for.</summary>
internal enum LogicalKind
{
    /// <summary>What they are stored as.</summary>
    None,

    /// <summary>UTF-8 text, also of an enumeration.</summary>
    String,

    /// <summary>UTF-8 text that is JSON.</summary>
    Json,

    /// <summary>Signed integers of 8 to 64 bits.</summary>
    Integer,

    /// <summary>Unsigned integers of 8 to 64 bits.</summary>
    UnsignedInteger,

    /// <summary>16-bit floating point.</summary>
    Float16,

    /// <summary>Integers that stand for multiples of a power of ten.</summary>
    Decimal,

    /// <summary>A list (groups only).</summary>
    List,

    /// <summary>A map (groups only).</summary>
    Map,

    /// <summary>Days.</summary>
    Date,

    /// <summary>Times of a day.</summary>
    Time,

    /// <summary>Points in time.</summary>
    Timestamp,

    /// <summary>Universally unique identifiers.</summary>
    Uuid,

    /// <summary>Nothing but nulls.</summary>
    Null,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>What the values of a column stand for, with what the kind needs to be understood.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Bits">Bits of an integer; 0 for those it is stored in.</param>
/// <param name="Precision">Decimal digits of a decimal.</param>
/// <param name="Scale">How many of them are after the point.</param>
internal readonly record struct LogicalType(LogicalKind Kind, int Bits = 0, int Precision = 0, int Scale = 0);
