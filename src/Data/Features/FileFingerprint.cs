using System.IO.Hashing;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>What a feature file is known by wherever it lies: two files with the same fingerprint are taken for the same.</summary>
/// <param name="Rows">Its number of rows.</param>
/// <param name="Hash">
/// XxHash64: of a Parquet file, of the last 4096 bytes before its footer, and of the footer; of others, of the first 4096 bytes, the last
/// 4096 bytes and the length.
/// </param>
public readonly record struct FileFingerprint(long Rows, ulong Hash)
{
    private const int HashedBytes = 4096;

    /// <summary>The hash of a file that is not a Parquet file.</summary>
    /// <param name="bytes">The file.</param>
    /// <exception cref="CorruptException">It has become shorter.</exception>
    internal static ulong HashOf(FileBytes bytes)
    {
        var hash = new XxHash64();
        var block = new byte[(int)Math.Min(HashedBytes, bytes.Length)];
        foreach (var start in new[] { 0, bytes.Length - block.Length })
        {
            bytes.Read(block, start);
            hash.Append(block);
        }

        hash.Append(BitConverter.GetBytes(bytes.Length));
        return hash.GetCurrentHashAsUInt64();
    }
}
