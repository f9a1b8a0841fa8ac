namespace MonoLoss.Data.Parquet;

/// <summary>How values are stored. The numbers are those of the format.</summary>
public enum ParquetType
{
    /// <summary>One bit.</summary>
    Boolean = 0,

    /// <summary>32-bit integer, also for 8 and 16 bits.</summary>
    Int32 = 1,

    /// <summary>64-bit integer.</summary>
    Int64 = 2,

    /// <summary>Twelve bytes: a timestamp of old writers.</summary>
    Int96 = 3,

    /// <summary>32-bit floating point.</summary>
    Float = 4,

    /// <summary>64-bit floating point.</summary>
    Double = 5,

    /// <summary>Bytes of any length; text, mostly.</summary>
    ByteArray = 6,

    /// <summary>Bytes of a length that is the same for all.</summary>
    FixedLenByteArray = 7,
}

/// <summary>What values stand for.</summary>
public enum ParquetLogicalType
{
    /// <summary>Just what they are stored as.</summary>
    None,

    /// <summary>UTF-8 text (also of JSON and of an enumeration).</summary>
    String,

    /// <summary>Signed integer of 8 to 64 bits.</summary>
    Integer,

    /// <summary>Unsigned integer of 8 to 64 bits.</summary>
    UnsignedInteger,

    /// <summary>16-bit floating point.</summary>
    Float16,

    /// <summary>A list (groups only).</summary>
    List,

    /// <summary>A map (groups only).</summary>
    Map,

    /// <summary>Anything else: dates, times, decimals, UUIDs …</summary>
    Other,
}

/// <summary>How a column's pages are compressed. The numbers are those of the format.</summary>
public enum ParquetCompression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>Snappy.</summary>
    Snappy = 1,

    /// <summary>Gzip.</summary>
    Gzip = 2,

    /// <summary>LZO: not supported.</summary>
    Lzo = 3,

    /// <summary>Brotli (reading only).</summary>
    Brotli = 4,

    /// <summary>LZ4 in Hadoop's framing (reading only).</summary>
    Lz4 = 5,

    /// <summary>Zstandard, by the system's libzstd.</summary>
    Zstd = 6,

    /// <summary>LZ4 blocks (reading only).</summary>
    Lz4Raw = 7,
}

/// <summary>How the values of a page are encoded.</summary>
internal enum PageEncoding
{
    Plain = 0,
    PlainDictionary = 2,
    Rle = 3,
    BitPacked = 4,
    DeltaBinaryPacked = 5,
    DeltaLengthByteArray = 6,
    DeltaByteArray = 7,
    RleDictionary = 8,
    ByteStreamSplit = 9,
}

internal enum Repetition
{
    Required = 0,
    Optional = 1,
    Repeated = 2,
}
