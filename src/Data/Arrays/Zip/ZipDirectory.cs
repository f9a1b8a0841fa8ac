using System.Buffers.Binary;
using System.Text;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// The directory of a zip archive. .NET's own reader gives streams that share one position; arrays are read from any place by many threads,
/// which needs the entries' offsets.
/// </summary>
internal static class ZipDirectory
{
    /// <summary>The first bytes of an archive.</summary>
    public const uint LocalHeader = 0x04034b50;

    private const uint CentralHeader = 0x02014b50;
    private const uint EndRecord = 0x06054b50;
    private const uint Zip64EndRecord = 0x06064b50;
    private const uint Zip64Locator = 0x07064b50;
    private const int CentralHeaderSize = 46;
    private const int EndRecordSize = 22;
    private const int Zip64EndRecordSize = 56;
    private const int Zip64LocatorSize = 20;
    private const int Encrypted = 1;
    private const int Descriptor = 8;
    private const int Utf8 = 0x800;

    // A set of features with one array a sample has millions.
    private const long MaxEntries = 1 << 22;
    private const long MaxSize = 1 << 29;

    // No stream of deflate grows by more: memory is not given to what a damaged directory claims.
    private const int MaxRatio = 1032;

    private readonly record struct Place(long Offset, long Size, long Entries);

    /// <summary>Reads the directory.</summary>
    /// <param name="file">The file.</param>
    /// <param name="start">Where the archive begins in the file.</param>
    /// <exception cref="CorruptException">It is damaged, or has features of zip that are not read.</exception>
    public static IReadOnlyList<ZipEntry> Read(FileBytes file, long start)
    {
        var place = Find(file, start);
        var bytes = new byte[place.Size];
        file.Read(bytes, start + place.Offset);
        var entries = new List<ZipEntry>((int)place.Entries);
        var at = 0;
        for (long i = 0; i < place.Entries; i++)
        {
            entries.Add(ReadEntry(bytes, ref at, start));
        }

        return WithEnds(entries, start, start + place.Offset);
    }

    private static Place Find(FileBytes file, long start)
    {
        var tail = new byte[(int)Math.Min(file.Length - start, EndRecordSize + ushort.MaxValue + Zip64LocatorSize)];
        var tailStart = file.Length - tail.Length;
        file.Read(tail, tailStart);
        var at = tail.Length - EndRecordSize;
        while (at >= 0 && !(UInt32(tail, at) == EndRecord && UInt16(tail, at + 20) == tail.Length - at - EndRecordSize))
        {
            at--;
        }

        if (at < 0)
        {
            throw new CorruptException("it is cut off: a zip archive ends with its directory, which is missing");
        }

        var end = tailStart + at;
        Place place;
        if (at >= Zip64LocatorSize && UInt32(tail, at - Zip64LocatorSize) == Zip64Locator)
        {
            end = start + Int64(tail, at - Zip64LocatorSize + 8);
            place = ReadZip64(file, start, end, tailStart + at - Zip64LocatorSize);
        }
        else
        {
            place = new Place(UInt32(tail, at + 16), UInt32(tail, at + 12), UInt16(tail, at + 10));
            if (UInt32(tail, at + 4) != 0)
            {
                throw new CorruptException("it is one part of a zip archive in several files");
            }
        }

        if (place.Offset < 0 || place.Size < 0 || place.Offset > end - start || start + place.Offset != end - place.Size)
        {
            throw new CorruptException("its zip directory is not where the end of the file says");
        }

        if (place.Entries is < 0 or > MaxEntries || place.Size > MaxSize || place.Entries * CentralHeaderSize > place.Size)
        {
            throw new CorruptException($"its zip directory has {place.Entries} entries in {place.Size} bytes");
        }

        return place;
    }

    private static Place ReadZip64(FileBytes file, long start, long at, long locator)
    {
        if (at < start || at > locator - Zip64EndRecordSize)
        {
            throw new CorruptException("its zip64 directory is not where the end of the file says");
        }

        var record = new byte[Zip64EndRecordSize];
        file.Read(record, at);
        return UInt32(record, 0) == Zip64EndRecord
            ? new Place(Int64(record, 48), Int64(record, 40), Int64(record, 32))
            : throw new CorruptException("its zip64 directory is not where the end of the file says");
    }

    private static ZipEntry ReadEntry(byte[] bytes, ref int at, long start)
    {
        if (at > bytes.Length - CentralHeaderSize || UInt32(bytes, at) != CentralHeader)
        {
            throw new CorruptException("its zip directory is damaged");
        }

        var (flags, method) = (UInt16(bytes, at + 8), UInt16(bytes, at + 10));
        var (nameSize, extraSize) = (UInt16(bytes, at + 28), UInt16(bytes, at + 30));
        var next = at + CentralHeaderSize + nameSize + extraSize + UInt16(bytes, at + 32);
        if (next > bytes.Length)
        {
            throw new CorruptException("its zip directory is damaged");
        }

        var encoding = (flags & Utf8) != 0 ? Encoding.UTF8 : Encoding.Latin1;
        var name = encoding.GetString(bytes, at + CentralHeaderSize, nameSize);
        long[] numbers = [UInt32(bytes, at + 24), UInt32(bytes, at + 20), UInt32(bytes, at + 42)];
        ReadZip64Extra(bytes.AsSpan(at + CentralHeaderSize + nameSize, extraSize), numbers, name);
        var (size, packed, header) = (numbers[0], numbers[1], numbers[2]);
        if (size < 0 || packed < 0 || header < 0 || (method == 0 && size != packed) || size / MaxRatio > packed)
        {
            throw new CorruptException($"its zip entry '{name}' is {size} bytes in {packed} at {header}");
        }

        if ((flags & Encrypted) != 0)
        {
            throw new CorruptException($"its zip entry '{name}' is encrypted");
        }

        var crc = UInt32(bytes, at + 16);
        at = next;
        return new ZipEntry(name, method, crc, packed, size, start + header)
        {
            HasDescriptor = (flags & Descriptor) != 0,
            NameBytes = nameSize,
        };
    }

    // Numbers that do not fit 32 bits are all ones in the header and stand in a field of their own.
    private static void ReadZip64Extra(ReadOnlySpan<byte> extra, long[] numbers, string name)
    {
        if (!numbers.Contains(uint.MaxValue))
        {
            return;
        }

        while (extra.Length >= 4)
        {
            var size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            var isZip64 = BinaryPrimitives.ReadUInt16LittleEndian(extra) == 1;
            extra = extra[4..];
            if (size > extra.Length)
            {
                break;
            }

            if (isZip64)
            {
                var field = extra[..size];
                for (var i = 0; i < numbers.Length; i++)
                {
                    if (numbers[i] == uint.MaxValue && field.Length >= sizeof(long))
                    {
                        numbers[i] = BinaryPrimitives.ReadInt64LittleEndian(field);
                        field = field[sizeof(long)..];
                    }
                }

                return;
            }

            extra = extra[size..];
        }

        throw new CorruptException($"its zip entry '{name}' lacks its zip64 sizes");
    }

    // Entries may not overlap: a small file could pretend to hold any amount of data.
    private static List<ZipEntry> WithEnds(List<ZipEntry> entries, long start, long end)
    {
        var order = Enumerable.Range(0, entries.Count).OrderByDescending(i => entries[i].Header).ToArray();
        foreach (var i in order)
        {
            var entry = entries[i];
            if (entry.Header < start || entry.PackedSize > end - entry.Header)
            {
                throw new CorruptException($"its zip entry '{entry.Name}' of {entry.PackedSize} bytes does not fit the file");
            }

            entries[i] = entry with { End = end };
            end = entry.Header;
        }

        return entries;
    }

    private static ushort UInt16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint UInt32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static long Int64(byte[] bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
}
