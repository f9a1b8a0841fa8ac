using System.Text;

namespace MonoLoss.Data;

/// <summary>Tells what files and folders that are not Parquet are, by their first bytes or what is in them.</summary>
internal static class FileKind
{
    /// <summary>Bytes to look at.</summary>
    public const int Needed = 512;

    private const int TarMagic = 257;

    private static readonly (byte[] Start, string Kind)[] Starts =
    [
        ([0x89, (byte)'H', (byte)'D', (byte)'F'], "an HDF5 file"),
        ("ARROW1"u8.ToArray(), "an Arrow IPC (Feather) file"),
        ([0xff, 0xff, 0xff, 0xff], "an Arrow IPC stream"),
        ("FEA1"u8.ToArray(), "a Feather (version 1) file"),
        ([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], "a NumPy .npy file"),
        ([(byte)'P', (byte)'K', 3, 4], "a zip archive, such as NumPy's .npz or a PyTorch file"),
        ([0x1f, 0x8b], "a gzip file"),
        ([0x28, 0xb5, 0x2f, 0xfd], "a Zstandard file"),
        ([0x04, 0x22, 0x4d, 0x18], "an LZ4 file"),
        ([(byte)'B', (byte)'Z', (byte)'h'], "a bzip2 file"),
        ([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'], "an xz file"),
        ("SQLite format 3"u8.ToArray(), "an SQLite database"),
        ("DUCK"u8.ToArray(), "a DuckDB database"),
        ("Obj\u0001"u8.ToArray(), "an Avro file"),
        ("ORC"u8.ToArray(), "an ORC file"),
        ("version https://git-lfs"u8.ToArray(), "a Git LFS pointer: fetch the file itself with git lfs pull"),
        ([0x89, (byte)'P', (byte)'N', (byte)'G'], "a PNG image"),
        ([0xff, 0xd8, 0xff], "a JPEG image"),
        ("%PDF"u8.ToArray(), "a PDF document"),
        ([0x80, 2], "a Python pickle, such as an old PyTorch file"),
        ([0x80, 3], "a Python pickle"),
        ([0x80, 4], "a Python pickle"),
        ([0x80, 5], "a Python pickle"),
    ];

    // Files or endings that tell what a folder without Parquet files is.
    private static readonly (string Name, string Kind)[] Contents =
    [
        ("dataset_dict.json", "Arrow files of Hugging Face's save_to_disk, one folder per split"),
        ("dataset_info.json", "Arrow files of Hugging Face's save_to_disk"),
        ("data.mdb", "an LMDB store"),
        ("_versions", "a Lance dataset"),
        (".lance", "a Lance dataset"),
        (".arrow", "Arrow files"),
        (".arrows", "Arrow files"),
        (".feather", "Feather files"),
        (".npy", "NumPy files"),
        (".npz", "NumPy files"),
        (".safetensors", "safetensors files"),
        (".pt", "PyTorch files"),
        (".pth", "PyTorch files"),
        (".bin", "binary files"),
        (".tar", "tar archives"),
        (".h5", "HDF5 files"),
        (".hdf5", "HDF5 files"),
        (".csv", "CSV files"),
        (".tsv", "TSV files"),
        (".jsonl", "JSON files"),
        (".json", "JSON files"),
    ];

    /// <summary>What a file is, with its article.</summary>
    /// <param name="start">Its first bytes.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <returns>Null if that is not known.</returns>
    public static string? OfFile(ReadOnlySpan<byte> start, long length)
    {
        foreach (var (magic, kind) in Starts)
        {
            if (start.StartsWith(magic))
            {
                return kind;
            }
        }

        if (start.Length >= TarMagic + 5 && start[TarMagic..].StartsWith("ustar"u8))
        {
            return "a tar archive";
        }

        if (start.Length >= 20 && start[16..].StartsWith((ReadOnlySpan<byte>)[0xde, 0xc0, 0xef, 0xbe]))
        {
            return "an LMDB store";
        }

        if (start.Length > 9 && start[8] == '{' && BitConverter.ToUInt64(start) <= (ulong)length)
        {
            return "a safetensors file";
        }

        if (!IsText(start))
        {
            return null;
        }

        // After white space and a byte order mark.
        ReadOnlySpan<byte> ignored = [(byte)' ', (byte)'\t', (byte)'\r', (byte)'\n', 0xef, 0xbb, 0xbf];
        return start.TrimStart(ignored) is [(byte)'{' or (byte)'[', ..] ? "JSON" : "text (CSV?)";
    }

    /// <summary>What a folder without Parquet files has in it, for a message.</summary>
    /// <returns>Null if that is not known.</returns>
    public static string? OfFolder(string path)
    {
        try
        {
            var names = Directory.EnumerateFileSystemEntries(path).Take(1000).Select(entry => Path.GetFileName(entry)).ToList();
            return Contents.FirstOrDefault(content => names.Exists(name => content.Name[0] == '.'
                ? name.EndsWith(content.Name, StringComparison.OrdinalIgnoreCase)
                : name == content.Name)).Kind;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsText(ReadOnlySpan<byte> start)
    {
        foreach (var value in start)
        {
            if (value < ' ' && value is not ((byte)'\t' or (byte)'\r' or (byte)'\n'))
            {
                return false;
            }
        }

        // The last character may be cut.
        return start.Length > 0 && !Encoding.UTF8.GetString(start).TrimEnd('\ufffd').Contains('\ufffd', StringComparison.Ordinal);
    }
}
