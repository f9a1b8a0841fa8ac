using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A .npy file of numpy: one array, in any byte order, in C or Fortran order. Object arrays (a pickle) and records are refused.
/// </summary>
public sealed class NpyFile : ArrayFile
{
    private readonly FileBytes _bytes;

    private NpyFile(FileBytes bytes)
        : base(bytes.Path)
    {
        _bytes = bytes;
        Span<byte> prefix = stackalloc byte[NpyHeader.PrefixSize];
        prefix = prefix[..(int)Math.Min(prefix.Length, bytes.Length)];
        bytes.Read(prefix, 0);
        var size = NpyHeader.SizeOf(prefix);
        if (size > bytes.Length)
        {
            throw new EndOfDataException("its header");
        }

        var header = new byte[size];
        bytes.Read(header, 0);
        var array = NpyArrays.Create(Path, "array", NpyHeader.Read(header), new FileRange(bytes, 0, bytes.Length));
        if (array.Type == ElementType.Unreadable)
        {
            throw new CorruptException(array.Problem!);
        }

        Arrays = [array];
    }

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">There is no such file, it is not a .npy file, its type is not read, or it is damaged.</exception>
    public static new NpyFile Open(string path) => Open(FileBytes.Open(path));

    internal static NpyFile Open(FileBytes bytes) => Guard(bytes, ".npy", () => new NpyFile(bytes));

    private protected override void Dispose(bool disposing) => _bytes.Dispose();
}
