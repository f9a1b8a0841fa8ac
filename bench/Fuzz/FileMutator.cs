using System.Buffers.Binary;

namespace MonoLoss.Bench;

/// <summary>Damages a file in ways that happen to real files, and in ways likely to break a parser.</summary>
/// <remarks>A mutation depends only on the seed and its number, so any single one can be repeated.</remarks>
internal abstract class FileMutator
{
    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 7, 8, 59, 60, 61, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 20, int.MaxValue - 1, int.MaxValue, uint.MaxValue - 1,
        uint.MaxValue, 1UL << 32, long.MaxValue, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private readonly byte[][] _others;
    private readonly int _seed;

    /// <summary>Prepares to damage a file.</summary>
    /// <param name="original">A valid file.</param>
    /// <param name="others">Files to take pieces from.</param>
    /// <param name="seed">The seed of all mutations.</param>
    private protected FileMutator(byte[] original, byte[][] others, int seed) => (Original, _others, _seed) = (original, others, seed);

    private protected byte[] Original { get; }

    /// <summary>Prepares to damage a file of the kind that its name says.</summary>
    /// <inheritdoc cref="FileMutator(byte[], byte[][], int)"/>
    public static FileMutator For(string name, byte[] original, byte[][] others, int seed) => Path.GetExtension(name) switch
    {
        // Older versions of torch, among others, write these without a zip around them.
        ".pt" or ".pth" or ".npz" when original.AsSpan().IndexOf("PK\u0005\u0006"u8) >= 0 => new ZipMutator(original, others, seed),
        ".pt" or ".pth" or ".npz" => new StructureMutator(original, others, seed, hasPages: false),
        ".npy" or ".safetensors" => new HeaderMutator(original, others, seed),
        ".arrow" or ".arrows" or ".feather" or ".csv" or ".tsv" => new StructureMutator(original, others, seed, hasPages: false),
        ".mdb" => new StructureMutator(original, others, seed, hasPages: true),
        _ => new ParquetMutator(original, others, seed),
    };

    /// <summary>Makes a damaged file.</summary>
    /// <param name="number">The number of the mutation.</param>
    public byte[] Mutate(long number) => Mutate(new Random(HashCode(_seed, number)));

    /// <summary>Makes a damaged file.</summary>
    private protected abstract byte[] Mutate(Random random);

    /// <summary>Repairs what tells the length of a part into which bytes were inserted.</summary>
    private protected virtual void AfterInsertion(List<byte> file)
    {
    }

    /// <summary>Damages a place within a range, once.</summary>
    private protected void MutateRange(Random random, List<byte> file, int start, int end)
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
                AfterInsertion(file);
                break;
        }
    }

    /// <summary>Overwrites bytes, up to <paramref name="end"/>.</summary>
    private protected static void Overwrite(List<byte> file, int at, int end, ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length && at + i < end; i++)
        {
            file[at + i] = bytes[i];
        }
    }

    // Unlike System.HashCode, this gives the same value in every process.
    private static int HashCode(int seed, long number)
    {
        var z = ((ulong)(uint)seed << 32) + ((ulong)number * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        return (int)((z ^ (z >> 27)) & int.MaxValue);
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
