namespace MonoLoss.Data.Parquet;

/// <summary>What the values of a column stand for, as far as it matters here.</summary>
internal enum LogicalKind
{
    /// <summary>What they are stored as.</summary>
    None,

    /// <summary>UTF-8 text, also of JSON and of an enumeration.</summary>
    String,

    /// <summary>Signed integers of 8 to 64 bits.</summary>
    Integer,

    /// <summary>Unsigned integers of 8 to 64 bits.</summary>
    UnsignedInteger,

    /// <summary>16-bit floating point.</summary>
    Float16,

    /// <summary>A list (groups only).</summary>
    List,

    /// <summary>A map (groups only).</summary>
    Map,

    /// <summary>Anything else, such as dates, times, decimals and UUIDs.</summary>
    Other,
}
