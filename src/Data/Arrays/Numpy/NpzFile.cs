using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A .npz file of numpy, as savez and savez_compressed write it: a zip archive of .npy files. An array whose type is not read (an object
/// array is a pickle) is listed, and refused when it is read.
/// </summary>
/// <remarks>
/// Arrays that are not compressed are read in place. A compressed one of more than 1 MiB is unpacked to a temporary file when it is first
/// read: deflated data cannot be read from the middle. The CRC-32 of a compressed array is checked before any value is used, that of
/// another one when it is read from its start to its end.
/// </remarks>
public sealed class NpzFile : ArrayFile
{
    private const string Ending = ".npy";

    private readonly ZipFile _zip;

    private NpzFile(FileBytes bytes)
        : base(bytes.Path)
    {
        _zip = new ZipFile(bytes, 0, checkSums: true);
        var arrays = new List<StoredArray>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in _zip.Entries.Where(entry => entry.Name.EndsWith(Ending, StringComparison.Ordinal)))
        {
            var name = entry.Name[..^Ending.Length];
            if (!names.Add(name))
            {
                throw new CorruptException($"two arrays are named '{name}'");
            }

            arrays.Add(Open(entry, name));
        }

        Arrays = arrays;
    }

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">There is no such file, it is not a .npz file, or it is damaged.</exception>
    public static new NpzFile Open(string path) => Open(FileBytes.Open(path));

    internal static NpzFile Open(FileBytes bytes) => Guard(bytes, ".npz", () => new NpzFile(bytes));

    private protected override void Dispose(bool disposing) => _zip.Dispose();

    private StoredArray Open(ZipEntry entry, string name)
    {
        try
        {
            var content = _zip.Content(entry);
            var prefix = ReadStart(content, NpyHeader.PrefixSize);
            var size = NpyHeader.SizeOf(prefix);
            var header = ReadStart(content, size);
            return header.Length == size
                ? NpyArrays.Create(Path, name, NpyHeader.Read(header), content)
                : throw new EndOfDataException("its header");
        }
        catch (Exception exception) when (exception is CorruptException or InvalidDataException)
        {
            throw new CorruptException($"array '{name}': {exception.Message}");
        }
    }

    private static byte[] ReadStart(ByteSource content, int size)
    {
        var bytes = new byte[(int)Math.Min(size, content.Length)];
        if (content is UnpackedEntry unpacked)
        {
            return bytes[..unpacked.Peek(bytes)];
        }

        content.Read(bytes, 0);
        return bytes;
    }
}
