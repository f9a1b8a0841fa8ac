using System.Buffers.Binary;
using System.IO.Hashing;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Bench;

/// <summary>Damages a Parquet file.</summary>
/// <remarks>
/// Where a page has a checksum, most mutations of its body recompute it: otherwise nothing behind the checksum would be reached.
/// </remarks>
internal sealed class ParquetMutator : FileMutator
{
    private const int ChecksumField = 4;

    private readonly int _footer;
    private readonly List<Page> _pages = [];

    /// <inheritdoc cref="FileMutator(byte[], byte[][], int)"/>
    public ParquetMutator(byte[] original, byte[][] others, int seed)
        : base(original, others, seed)
    {
        _footer = original.Length - 8 - BinaryPrimitives.ReadInt32LittleEndian(original.AsSpan(original.Length - 8));
        FindPages();
    }

    private sealed record Page(int Header, int Body, int End, bool HasChecksum);

    private protected override byte[] Mutate(Random random)
    {
        List<byte> file = [.. Original];
        if (random.Next(3) == 0 && _pages.Count > 0)
        {
            MutatePage(random, file);
        }
        else
        {
            for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
            {
                // A third go to the footer, which is small beside the data of real files but controls how it is read.
                var (start, end) = random.Next(3) == 0 ? (_footer, Original.Length) : (0, Original.Length);
                MutateRange(random, file, Math.Min(start, file.Count), Math.Min(end, file.Count));
            }
        }

        return [.. file];
    }

    // The length of the footer follows it.
    private protected override void AfterInsertion(List<byte> file)
    {
        if (file.Count >= Original.Length - 16)
        {
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, Math.Max(0, file.Count - 8 - _footer));
            Overwrite(file, file.Count - 8, file.Count, length);
        }
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
                header = PageHeader.Read(Original.AsSpan(at, _footer - at), out length);
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
        var part = inHeader ? Original[page.Header..page.Body] : Original[page.Body..page.End];
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
}
