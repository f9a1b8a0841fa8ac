namespace MonoLoss.Data.Parquet;

/// <summary>DELTA_BINARY_PACKED: blocks of differences, bit-packed with a width of their own for each miniblock.</summary>
internal static class Delta
{
    private const int MaxBlock = 1 << 20;

    private readonly record struct Header(int Block, int Miniblocks, long Count, long First)
    {
        public int PerMiniblock => Block / Miniblocks;
    }

    /// <summary>Checks that there are so many values, as far as can be told without decoding.</summary>
    /// <exception cref="CorruptException">There are fewer.</exception>
    public static void EnsureHolds(ReadOnlySpan<byte> data, long count)
    {
        var header = ReadHeader(ref data);
        var blocks = (count - 1 + header.Block - 1) / header.Block;
        if (header.Count < count || blocks > data.Length)
        {
            throw new EndOfDataException("delta-encoded data");
        }
    }

    /// <summary>Decodes.</summary>
    /// <param name="data">The encoded values; on return what follows them.</param>
    /// <param name="target">Exactly as many as were encoded.</param>
    public static void Decode(ref ReadOnlySpan<byte> data, Span<long> target)
    {
        var header = ReadHeader(ref data);
        if (header.Count != target.Length)
        {
            throw new CorruptException($"delta-encoded data hold {header.Count} values where {target.Length} were expected");
        }

        if (target.IsEmpty)
        {
            return;
        }

        var previous = header.First;
        target[0] = previous;
        var at = 1;
        while (at < target.Length)
        {
            var smallest = Varint.ReadZigZag(ref data);
            if (data.Length < header.Miniblocks)
            {
                throw new EndOfDataException("delta-encoded data");
            }

            var widths = data[..header.Miniblocks];
            data = data[header.Miniblocks..];
            for (var m = 0; m < widths.Length && at < target.Length; m++)
            {
                var width = widths[m];
                var part = target.Slice(at, Math.Min(header.PerMiniblock, target.Length - at));
                var bytes = (int)Math.Min((long)header.PerMiniblock * width / 8, data.Length);
                if (width > 64 || bytes * 8L < (long)part.Length * width)
                {
                    throw new EndOfDataException("delta-encoded data");
                }

                BitPacking.Unpack(data[..bytes], width, part);
                for (var i = 0; i < part.Length; i++)
                {
                    previous = unchecked(previous + smallest + part[i]);
                    part[i] = previous;
                }

                data = data[bytes..];
                at += part.Length;
            }
        }
    }

    /// <summary>Decodes lengths.</summary>
    public static int[] DecodeLengths(ref ReadOnlySpan<byte> data, int count)
    {
        EnsureHolds(data, count);
        var values = new long[count];
        Decode(ref data, values);
        var lengths = new int[count];
        for (var i = 0; i < count; i++)
        {
            lengths[i] = values[i] is >= 0 and <= int.MaxValue
                ? (int)values[i]
                : throw new CorruptException("delta-encoded data with an invalid length");
        }

        return lengths;
    }

    private static Header ReadHeader(ref ReadOnlySpan<byte> data)
    {
        var block = Varint.Read(ref data);
        var miniblocks = Varint.Read(ref data);
        var count = Varint.Read(ref data);
        var first = Varint.ReadZigZag(ref data);
        if (block is 0 or > MaxBlock || miniblocks == 0 || miniblocks > block || block % (miniblocks * 8) != 0 || count > int.MaxValue)
        {
            throw new CorruptException("delta-encoded data with an invalid header");
        }

        return new Header((int)block, (int)miniblocks, (long)count, first);
    }
}
