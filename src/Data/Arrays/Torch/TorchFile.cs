using System.Text;
using MonoLoss.Data.Parquet;

namespace MonoLoss.Data;

/// <summary>
/// A .pt file as torch.save writes it since version 1.6: a zip archive with a pickle that describes the tensors. The pickle is read, not
/// run: what would call anything is refused by name.
/// </summary>
/// <remarks>
/// Tensors in dicts, lists and tuples get names with dots, with positions as numbers: <c>model.layers.0.weight</c>. CRCs are not checked:
/// torch does not check them either, and can be told to write none.
/// </remarks>
public sealed class TorchFile : ArrayFile
{
    private const string PickleName = "/data.pkl";
    private const long MaxPickle = 1 << 29;
    private const int MaxLeadingLine = 1 << 20;

    private readonly ZipFile _zip;

    private TorchFile(FileBytes bytes)
        : base(bytes.Path)
    {
        LeadingLine = ReadStart(bytes, out var start);
        _zip = new ZipFile(bytes, start, checkSums: false);
        var entries = new Dictionary<string, ZipEntry>(StringComparer.Ordinal);
        foreach (var entry in _zip.Entries)
        {
            if (!entries.TryAdd(entry.Name, entry))
            {
                throw new CorruptException($"two of its zip entries are named '{entry.Name}'");
            }
        }

        var pickle = FindPickle();
        var folder = pickle.Name[..^PickleName.Length];
        var storages = new TorchStorages(_zip, entries, folder);
        var content = ReadAll(pickle);
        var scan = PickleScan.Of(content);
        Root = PickleReader.Read(content, scan, storages.Find);
        var names = new TorchNames(Path, storages.BigEndian, scan.Opcodes);
        names.Add(Root);
        (Arrays, Lists) = (names.Arrays, names.Lists);
    }

    /// <summary>A line of text before the archive, as saev writes it (JSON), without its end; null if there is none.</summary>
    public string? LeadingLine { get; }

    /// <summary>Everything in the file, tensors and other values.</summary>
    public TorchValue Root { get; }

    /// <summary>Lists and tuples of texts only, or of integers only, as arrays of one dimension with dotted names.</summary>
    public IReadOnlyList<StoredArray> Lists { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="DataException">There is no such file, it is damaged, or it holds what is not read.</exception>
    public static new TorchFile Open(string path) => Open(FileBytes.Open(path));

    internal static TorchFile Open(FileBytes bytes) => Guard(bytes, "a file of torch.save", () => new TorchFile(bytes));

    private protected override void Dispose(bool disposing) => _zip.Dispose();

    private static string? ReadStart(FileBytes bytes, out long start)
    {
        start = 0;
        var first = new byte[(int)Math.Min(bytes.Length, MaxLeadingLine)];
        bytes.Read(first.AsSpan(0, Math.Min(first.Length, 4)), 0);
        if (first.AsSpan().StartsWith("PK"u8))
        {
            return null;
        }

        if (first.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x80, 2, 0x8a, 10]))
        {
            throw new CorruptException("it is in torch's format before version 1.6 (legacy); open and save it with a newer torch");
        }

        bytes.Read(first, 0);
        var end = first.AsSpan().IndexOf((byte)'\n');
        if (first.Length == 0 || first[0] != '{' || end < 0)
        {
            throw new CorruptException("there is no zip archive in it");
        }

        start = end + 1;
        return Encoding.UTF8.GetString(first, 0, end).TrimEnd('\r');
    }

    private ZipEntry FindPickle()
    {
        var found = _zip.Entries.Where(entry => entry.Name.EndsWith(PickleName, StringComparison.Ordinal)
            && !entry.Name.AsSpan(0, entry.Name.Length - PickleName.Length).Contains('/')).ToArray();
        return found.Length == 1
            ? found[0]
            : throw new CorruptException($"it is a zip archive, but with {found.Length} entries data.pkl, expected one");
    }

    private byte[] ReadAll(ZipEntry entry)
    {
        if (entry.Size > MaxPickle)
        {
            throw new CorruptException($"its pickle has {entry.Size} bytes, more than {MaxPickle}");
        }

        var source = _zip.Content(entry);
        var content = new byte[source.Length];
        source.Read(content, 0);
        return content;
    }
}
