namespace MonoLoss.Data;

/// <summary>The storages of a .pt file.</summary>
internal sealed class TorchStorages
{
    private readonly ZipFile _zip;
    private readonly Dictionary<string, ZipEntry> _entries;
    private readonly Dictionary<string, TorchStorage> _found = new(StringComparer.Ordinal);
    private readonly string _folder;

    /// <summary>Prepares to find storages.</summary>
    /// <param name="zip">The archive.</param>
    /// <param name="entries">Its entries by name.</param>
    /// <param name="folder">The folder in it.</param>
    /// <exception cref="CorruptException">The byte order is unknown.</exception>
    public TorchStorages(ZipFile zip, Dictionary<string, ZipEntry> entries, string folder)
    {
        (_zip, _entries, _folder) = (zip, entries, folder);
        BigEndian = ReadByteOrder() switch
        {
            "little" => false,
            "big" => true,
            var other => throw new CorruptException($"its byte order is '{other}'"),
        };
    }

    /// <summary>Whether an element's highest byte comes first.</summary>
    public bool BigEndian { get; }

    /// <summary>Finds a storage.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="type">The type of its elements.</param>
    /// <param name="count">Number of elements.</param>
    /// <exception cref="CorruptException">There is none with this key, or it has another type or size.</exception>
    public TorchStorage Find(string key, ElementType type, long count)
    {
        if (!_found.TryGetValue(key, out var storage))
        {
            var name = $"{_folder}/data/{key}";
            var entry = _entries.GetValueOrDefault(name)
                ?? throw new CorruptException($"its storage '{name}' is missing");
            storage = new TorchStorage(key, type, _zip.Content(entry));
            _found.Add(key, storage);
        }

        if (storage.Type != type)
        {
            throw new CorruptException($"its storage 'data/{key}' is {storage.Type.NameOf()} and {type.NameOf()}");
        }

        var needed = (Int128)count * type.SizeOf();
        return storage.Source.Length == needed
            ? storage
            : throw new CorruptException(
                $"its storage 'data/{key}' has {storage.Source.Length} bytes; {count} elements of {type.NameOf()} are {needed}");
    }

    // The files of versions before 2.1 do not have it and are little-endian.
    private string ReadByteOrder()
    {
        const int Longest = 16;
        if (!_entries.TryGetValue($"{_folder}/byteorder", out var entry))
        {
            return "little";
        }

        var content = new byte[Math.Min(Longest, entry.Size)];
        _zip.Content(entry).Read(content, 0);
        return System.Text.Encoding.ASCII.GetString(content);
    }
}
