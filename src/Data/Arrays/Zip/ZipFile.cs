using System.Buffers.Binary;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>A zip archive, open for reading.</summary>
/// <param name="file">The file.</param>
/// <param name="start">Where the archive begins in the file.</param>
/// <param name="checkSums">Whether content that does not have its CRC-32 is refused.</param>
internal sealed class ZipFile(FileBytes file, long start, bool checkSums) : IDisposable
{
    private const int LocalHeaderSize = 30;
    private const uint DescriptorMark = 0x08074b50;

    private readonly List<UnpackedEntry> _unpacked = [];

    /// <summary>The entries, in the directory's order.</summary>
    public IReadOnlyList<ZipEntry> Entries { get; } = ZipDirectory.Read(file, start);

    /// <summary>The content of an entry.</summary>
    /// <exception cref="CorruptException">It is compressed in a way that is not read.</exception>
    public ByteSource Content(ZipEntry entry)
    {
        if (entry.Method == 0)
        {
            return new StoredEntry(this, entry);
        }

        var unpacked = new UnpackedEntry(this, entry);
        _unpacked.Add(unpacked);
        return unpacked;
    }

    /// <summary>Closes the file and deletes temporary ones.</summary>
    public void Dispose()
    {
        foreach (var entry in _unpacked)
        {
            entry.Dispose();
        }

        file.Dispose();
    }

    /// <summary>The bytes of an entry as they lie in the file.</summary>
    /// <exception cref="CorruptException">The entry's local header contradicts the directory.</exception>
    internal FileRange Packed(ZipEntry entry)
    {
        Span<byte> header = stackalloc byte[LocalHeaderSize];
        file.Read(header, entry.Header);
        var nameSize = BinaryPrimitives.ReadUInt16LittleEndian(header[26..]);
        var data = entry.Header + LocalHeaderSize + nameSize + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != ZipDirectory.LocalHeader || nameSize != entry.NameBytes
            || !EndsWhereItShould(entry, data + entry.PackedSize))
        {
            throw new CorruptException($"the local header of its zip entry '{entry.Name}' contradicts the directory");
        }

        return new FileRange(file, data, entry.PackedSize);
    }

    /// <summary>Checks bytes as they are read.</summary>
    internal SequentialChecksum? Checksum(ZipEntry entry) => checkSums ? new SequentialChecksum(entry) : null;

    // The place of the data depends on lengths in the local header alone. The data end at the next entry or at the descriptor, else values
    // would be read that begin a few bytes too early or too late.
    private bool EndsWhereItShould(ZipEntry entry, long end)
    {
        if (!entry.HasDescriptor)
        {
            return end == entry.End;
        }

        if (end > entry.End - sizeof(uint))
        {
            return false;
        }

        Span<byte> descriptor = stackalloc byte[sizeof(uint)];
        file.Read(descriptor, end);
        return BinaryPrimitives.ReadUInt32LittleEndian(descriptor) is var first && (first == DescriptorMark || first == entry.Crc);
    }
}
