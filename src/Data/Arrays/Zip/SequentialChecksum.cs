using System.IO.Hashing;

namespace MonoLoss.Data;

/// <summary>
/// Checks the CRC-32 of a zip entry as far as its bytes are read in order, which costs no reading of its own. Reads from other places are
/// not counted.
/// </summary>
internal sealed class SequentialChecksum(ZipEntry entry)
{
    private readonly Lock _gate = new();
    private readonly Crc32 _crc = new();
    private long _next;

    /// <summary>Counts bytes that were read.</summary>
    /// <exception cref="CorruptException">These are the last bytes, and the checksum is another than the archive says.</exception>
    public void Add(ReadOnlySpan<byte> bytes, long offset)
    {
        lock (_gate)
        {
            if (offset > _next || offset + bytes.Length <= _next)
            {
                return;
            }

            _crc.Append(bytes[(int)(_next - offset)..]);
            if (offset + bytes.Length == entry.Size && _crc.GetCurrentHashAsUInt32() != entry.Crc)
            {
                throw new CorruptException($"its zip entry '{entry.Name}' is damaged: the CRC-32 is wrong");
            }

            _next = offset + bytes.Length;
        }
    }
}
