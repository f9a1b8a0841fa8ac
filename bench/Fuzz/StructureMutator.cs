namespace MonoLoss.Bench;

/// <summary>
/// Damages a file whose structure lies between its data: Arrow's messages and footer, the pages of an LMDB store, the lines of CSV. Most
/// mutations go to the structure: damaged data are other data.
/// </summary>
internal sealed class StructureMutator : FileMutator
{
    private const int Near = 512;
    private const int PageSize = 4096;
    private const int PageHeader = 96;

    private readonly List<(int Start, int End)> _structure;

    /// <inheritdoc cref="FileMutator(byte[], byte[][], int)"/>
    public StructureMutator(byte[] original, byte[][] others, int seed, bool hasPages)
        : base(original, others, seed)
    {
        _structure = [(0, Math.Min(Near, original.Length)), (Math.Max(0, original.Length - Near), original.Length)];
        for (var at = 0; at + 8 <= original.Length; at += hasPages ? PageSize : 8)
        {
            if (hasPages)
            {
                _structure.Add((at, Math.Min(original.Length, at + PageHeader)));
            }
            else if (original.AsSpan(at).StartsWith((ReadOnlySpan<byte>)[0xff, 0xff, 0xff, 0xff]))
            {
                // A message of Arrow begins here.
                _structure.Add((at, Math.Min(original.Length, at + Near)));
            }
        }
    }

    private protected override byte[] Mutate(Random random)
    {
        List<byte> file = [.. Original];
        for (var times = 1 + (random.Next(4) == 0 ? random.Next(4) : 0); times > 0; times--)
        {
            var (start, end) = random.Next(4) == 0 ? (0, file.Count) : _structure[random.Next(_structure.Count)];
            MutateRange(random, file, Math.Min(start, file.Count), Math.Min(end, file.Count));
        }

        return [.. file];
    }
}
