using System.Buffers.Binary;

namespace MonoLoss.Bench;

/// <summary>Damages a file that begins with a header that describes its data: .npy and .safetensors.</summary>
internal sealed class HeaderMutator : FileMutator
{
    private const int JsonLengthSize = 8;
    private const int NpyHeaderSize = 128;

    private readonly bool _isJson;
    private readonly int _header;

    /// <inheritdoc cref="FileMutator(byte[], byte[][], int)"/>
    public HeaderMutator(byte[] original, byte[][] others, int seed)
        : base(original, others, seed)
    {
        _isJson = original[0] != 0x93;
        _header = _isJson
            ? JsonLengthSize + (int)BinaryPrimitives.ReadInt64LittleEndian(original)
            : Math.Min(NpyHeaderSize, original.Length);
    }

    private protected override byte[] Mutate(Random random)
    {
        List<byte> file = [.. Original];
        for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
        {
            // Damaged data are other data: most mutations go to the header.
            var end = random.Next(4) == 0 ? file.Count : Math.Min(_header, file.Count);
            if (random.Next(3) == 0)
            {
                MutateDigit(random, file, end);
            }
            else
            {
                MutateRange(random, file, 0, end);
            }
        }

        if (_isJson && random.Next(2) == 0)
        {
            FixLength(file);
        }

        return [.. file];
    }

    // The shapes and offsets.
    private static void MutateDigit(Random random, List<byte> file, int end)
    {
        var digits = Enumerable.Range(0, end).Where(i => char.IsAsciiDigit((char)file[i])).ToArray();
        if (digits.Length > 0)
        {
            file[digits[random.Next(digits.Length)]] = (byte)('0' + random.Next(10));
        }
    }

    // Most insertions and deletions were in the header, whose length comes first.
    private void FixLength(List<byte> file)
    {
        Span<byte> length = stackalloc byte[JsonLengthSize];
        BinaryPrimitives.WriteInt64LittleEndian(length, Math.Max(0, _header - JsonLengthSize + file.Count - Original.Length));
        Overwrite(file, 0, file.Count, length);
    }
}
