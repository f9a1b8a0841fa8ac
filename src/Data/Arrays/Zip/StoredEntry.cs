namespace MonoLoss.Data;

/// <summary>An uncompressed entry of a zip archive, read in place.</summary>
internal sealed class StoredEntry(ZipFile zip, ZipEntry entry) : ByteSource
{
    private readonly SequentialChecksum? _checksum = zip.Checksum(entry);
    private FileRange? _range;

    /// <inheritdoc/>
    public override long Length => entry.Size;

    /// <inheritdoc/>
    public override void Read(Span<byte> target, long offset)
    {
        // Several threads may look for the place at once and find the same.
        _range ??= zip.Packed(entry);
        _range.Read(target, offset);
        _checksum?.Add(target, offset);
    }
}
