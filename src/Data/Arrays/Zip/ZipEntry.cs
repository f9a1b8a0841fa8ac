namespace MonoLoss.Data;

/// <summary>A file in a zip archive.</summary>
/// <param name="Name">Its name, with folders.</param>
/// <param name="Method">How it is compressed: 0 not at all, 8 deflate.</param>
/// <param name="Crc">The CRC-32 of its content.</param>
/// <param name="PackedSize">Bytes in the archive.</param>
/// <param name="Size">Bytes of its content.</param>
/// <param name="Header">Offset of its local header in the file.</param>
internal sealed record ZipEntry(string Name, int Method, uint Crc, long PackedSize, long Size, long Header)
{
    /// <summary>Whether sizes and CRC follow the content.</summary>
    public bool HasDescriptor { get; init; }

    /// <summary>Bytes of the name in the local header.</summary>
    public int NameBytes { get; init; }

    /// <summary>Offset of what follows the entry in the file.</summary>
    public long End { get; init; }
}
