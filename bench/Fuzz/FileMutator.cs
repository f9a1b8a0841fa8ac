using System.Buffers.Binary;
using System.IO.Hashing;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Bench;

/// <summary>Damages a Parquet file in ways that happen to real files, and in ways likely to break a parser.</summary>
/// <remarks>
/// A mutation depends only on the seed and its number, so any single one can be repeated. Where a page has a checksum, most
/// mutations of its body recompute it: otherwise nothing behind the checksum would be reached.
/// </remarks>
internal sealed class FileMutator
{
    private const int ChecksumField = 4;

    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 7, 8, 59, 60, 61, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 20, int.MaxValue - 1, int.MaxValue, uint.MaxValue - 1,
        uint.MaxValue, 1UL << 32, long.MaxValue, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private readonly byte[] _original;
    private readonly byte[][] _others;
    private readonly int _seed;
    private readonly int _footer;
    private readonly List<Page> _pages = [];

    /// <summary>Prepares to damage a file.</summary>
    /// <param name="original">A valid file.</param>
    /// <param name="others">Files to take pieces from.</param>
    /// <param name="seed">The seed of all mutations.</param>
    public FileMutator(byte[] original, byte[][] others, int seed)
    {
        (_original, _others, _seed) = (original, others, seed);
        _footer = original.Length - 8 - BinaryPrimitives.ReadInt32LittleEndian(original.AsSpan(original.Length - 8));
        FindPages();
    }

    private sealed record Page(int Header, int Body, int End, bool HasChecksum);

    /// <summary>Makes a damaged file.</summary>
    /// <param name="number">The number of the mutation.</param>
    public byte[] Mutate(long number)
    {
        var random = new Random(HashCode(_seed, number));
        List<byte> file = [.. _original];
        if (random.Next(3) == 0 && _pages.Count > 0)
        {
            MutatePage(random, file);
        }
        else
        {
            for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
            {
                // A third go to the footer, which is small beside the data of real files but controls how it is read.
                var (start, end) = random.Next(3) == 0 ? (_footer, _original.Length) : (0, _original.Length);
                MutateRange(random, file, Math.Min(start, file.Count), Math.Min(end, file.Count));
            }
        }

        return [.. file];
    }

    // Unlike System.HashCode, this gives the same value in every process.
    private static int HashCode(int seed, long number)
    {
        var z = ((ulong)(uint)seed << 32) + ((ulong)number * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        return (int)((z ^ (z >> 27)) & int.MaxValue);
    }

    private void FindPages()
    {
        var at = 4;
        while (at < _footer)
        {
            PageHeader header;
            int length;
            try
            {
                header = PageHeader.Read(_original.AsSpan(at, _footer - at), out length);
            }
            catch (Exception)
            {
                // The bytes after the pages are indexes.
                return;
            }

            _pages.Add(new Page(at, at + length, at + length + header.CompressedSize, header.Crc is not null));
            at = _pages[^1].End;
        }
    }

    // Damages the header or the body of a page; the file keeps its length, so that the other pages stay where they are.
    private void MutatePage(Random random, List<byte> file)
    {
        var page = _pages[random.Next(_pages.Count)];
        var inHeader = random.Next(2) == 0 || page.Body == page.End;
        var part = inHeader ? _original[page.Header..page.Body] : _original[page.Body..page.End];
        List<byte> damaged = [.. part];
        MutateRange(random, damaged, 0, damaged.Count);
        while (damaged.Count < part.Length)
        {
            damaged.Add((byte)random.Next(256));
        }

        for (var i = 0; i < part.Length; i++)
        {
            file[(inHeader ? page.Header : page.Body) + i] = damaged[i];
        }

        if (page.HasChecksum && random.Next(8) != 0)
        {
            WriteChecksum(file, page);
        }
    }

    private static void WriteChecksum(List<byte> file, Page page)
    {
        var bytes = file.GetRange(page.Header, page.End - page.Header).ToArray();
        var reader = new ThriftReader(bytes);
        try
        {
            short id = 0;
            while (reader.NextField(ref id, out var type))
            {
                var start = reader.Position;
                reader.Skip(type);
                if (id == ChecksumField)
                {
                    var crc = (int)Crc32.HashToUInt32(bytes.AsSpan(page.Body - page.Header));
                    var value = (ulong)(uint)((crc << 1) ^ (crc >> 31));
                    // As many bytes as before, padded with leading zeros if necessary.
                    for (var i = start; i < reader.Position; i++, value >>= 7)
                    {
                        file[page.Header + i] = (byte)((value & 0x7f) | (i < reader.Position - 1 ? 0x80u : 0));
                    }

                    return;
                }
            }
        }
        catch (Exception)
        {
            // The header is too damaged to find its checksum.
        }
    }

    private void MutateRange(Random random, List<byte> file, int start, int end)
    {
        if (start >= end)
        {
            return;
        }

        var at = random.Next(start, end);
        var length = 1 + random.Next(Math.Min(end - at, random.Next(4) == 0 ? 1000 : 16));
        switch (random.Next(11))
        {
            case 0 or 1 or 2:
                for (var flips = random.Next(1, 5); flips > 0; flips--)
                {
                    file[random.Next(start, end)] ^= (byte)(1 << random.Next(8));
                }

                break;
            case 3:
                file[at] = (byte)random.Next(256);
                break;
            case 4:
                file.RemoveRange(at, length);
                break;
            case 5:
                file.RemoveRange(at, file.Count - at);
                break;
            case 6:
                file.InsertRange(at, file.GetRange(random.Next(start, end - length + 1), length));
                break;
            case 7:
                var other = _others[random.Next(_others.Length)];
                var from = random.Next(Math.Max(1, other.Length - length));
                Overwrite(file, at, end, other.AsSpan(from, Math.Min(length, other.Length - from)));
                break;
            case 8:
                Span<byte> integer = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(integer, Interesting[random.Next(Interesting.Length)]);
                Overwrite(file, at, end, integer[..(random.Next(4) == 0 ? 8 : 4)]);
                break;
            case 9:
                var varint = Varint(Interesting[random.Next(Interesting.Length)]);
                Overwrite(file, at, end, varint);
                break;
            default:
                file.RemoveRange(at, Math.Min(random.Next(1, 4), end - at));
                file.InsertRange(at, Varint(Interesting[random.Next(Interesting.Length)]));
                FixFooterLength(file);
                break;
        }
    }

    private void FixFooterLength(List<byte> file)
    {
        if (file.Count >= _original.Length - 16)
        {
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, Math.Max(0, file.Count - 8 - _footer));
            Overwrite(file, file.Count - 8, file.Count, length);
        }
    }

    private static void Overwrite(List<byte> file, int at, int end, ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length && at + i < end; i++)
        {
            file[at + i] = bytes[i];
        }
    }

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
