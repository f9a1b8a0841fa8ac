using System.Text;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>Tells what files and folders that are not Parquet are, by their first bytes or what is in them.</summary>
internal static class FileKind
{
    /// <summary>Bytes to look at.</summary>
    public const int Needed = 512;

    /// <summary>What is missing in raw numbers, and how to add it.</summary>
    public const string RawNumbers = "raw numbers have no header that says how many a row has; "
        + "convert them by np.save('features.npy', np.fromfile('x.bin', 'float32').reshape(-1, D))";

    private const int TarMagic = 257;
    private const string TarAdvice = "read the samples, such as by webdataset, and save them by np.save";
    private const string TarArchive = $"a tar archive (webdataset?); {TarAdvice}";
    private const string LanceDataset = "a Lance dataset; convert it by pyarrow.parquet.write_table(lance.dataset(path).to_table(), "
        + "'x.parquet')";

    private static readonly (byte[] Start, string Kind)[] Starts =
    [
        ([0x89, (byte)'H', (byte)'D', (byte)'F'], "an HDF5 file; convert it, such as by np.save('features.npy', "
            + "h5py.File('x.h5')['features'][:])"),
        ("ARROW1"u8.ToArray(), "an Arrow IPC (Feather) file"),
        ([0xff, 0xff, 0xff, 0xff], "an Arrow IPC stream"),
        ("FEA1"u8.ToArray(), "a Feather (version 1) file; write version 2 by pyarrow.feather.write_feather"),
        ([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], "a NumPy .npy file"),
        ([(byte)'P', (byte)'K', 3, 4], "a zip archive, such as NumPy's .npz or a PyTorch file"),
        ([0x1f, 0x8b], "a gzip file; unpack it"),
        ([0x28, 0xb5, 0x2f, 0xfd], "a Zstandard file; unpack it"),
        ([0x04, 0x22, 0x4d, 0x18], "an LZ4 file; unpack it"),
        ([(byte)'B', (byte)'Z', (byte)'h'], "a bzip2 file; unpack it"),
        ([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'], "an xz file; unpack it"),
        ("SQLite format 3"u8.ToArray(), "an SQLite database; export a table as Parquet"),
        ("DUCK"u8.ToArray(), "a DuckDB database; export a table by COPY … TO 'x.parquet'"),
        ("Obj\u0001"u8.ToArray(), "an Avro file"),
        ("ORC"u8.ToArray(), "an ORC file"),
        ("version https://git-lfs"u8.ToArray(), "a Git LFS pointer: fetch the file itself with git lfs pull"),
        ([0x89, (byte)'P', (byte)'N', (byte)'G'], "a PNG image"),
        ([0xff, 0xd8, 0xff], "a JPEG image"),
        ("%PDF"u8.ToArray(), "a PDF document"),
        ([0x80, 2], "a Python pickle, such as a file of torch before 1.6; it is not run: save arrays by np.save or torch.save"),
        ([0x80, 3], "a Python pickle, which is not run; save arrays by np.save"),
        ([0x80, 4], "a Python pickle, which is not run; save arrays by np.save"),
        ([0x80, 5], "a Python pickle, which is not run; save arrays by np.save"),
    ];

    // Files or endings that tell what a folder without features that are read is.
    private static readonly (string Name, string Kind)[] Contents =
    [
        ("_versions", LanceDataset),
        (".lance", LanceDataset),
        (".bin", $"binary files: {RawNumbers}"),
        (".tar", $"tar archives (webdataset?); {TarAdvice}"),
        (".h5", "HDF5 files; convert them, such as by h5py and np.save"),
        (".hdf5", "HDF5 files; convert them, such as by h5py and np.save"),
        (".pkl", "Python pickles, which are not run; save arrays by np.save"),
        (".jsonl", "JSON files; convert them, such as by pandas.read_json(path, lines=True).to_parquet('x.parquet')"),
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
            return TarArchive;
        }

        if (IsLmdb(start))
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

    /// <summary>Whether first bytes are those of a store of LMDB.</summary>
    public static bool IsLmdb(ReadOnlySpan<byte> start) =>
        start.Length >= 20 && start[16..].StartsWith((ReadOnlySpan<byte>)[0xde, 0xc0, 0xef, 0xbe]);

    /// <summary>The first bytes of a file; none if it cannot be read, or is a pipe.</summary>
    public static ReadOnlySpan<byte> StartOf(string path)
    {
        try
        {
            using var bytes = FileBytes.Open(path);
            var start = new byte[(int)Math.Min(Needed, bytes.Length)];
            bytes.Read(start, 0);
            return start;
        }
        catch (Exception exception) when (exception is DataException or CorruptException or IOException)
        {
            return [];
        }
    }

    /// <summary>What a folder without features that are read has in it, for a message.</summary>
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
