namespace MonoLoss.Data;

/// <summary>A format of features.</summary>
internal enum SourceKind
{
    /// <summary>Parquet, and whatever else has an ending that says nothing.</summary>
    Parquet,

    /// <summary>Arrow IPC files and streams, and Feather of version 2.</summary>
    Arrow,

    /// <summary>.npy of numpy.</summary>
    Npy,

    /// <summary>.npz of numpy.</summary>
    Npz,

    /// <summary>Files of torch.save.</summary>
    Torch,

    /// <summary>Safetensors.</summary>
    Safetensors,

    /// <summary>Text with one row a line, separated by commas, semicolons or tabs.</summary>
    Csv,

    /// <summary>A store of LMDB with the official layout.</summary>
    Lmdb,

    /// <summary>A folder of saev's shards.</summary>
    Saev,
}

/// <summary>Tells formats by the endings of names, and by first bytes where these say nothing.</summary>
internal static class SourceKinds
{
    private static readonly Dictionary<string, SourceKind> Endings = new(StringComparer.OrdinalIgnoreCase)
    {
        [".parquet"] = SourceKind.Parquet,
        [".pq"] = SourceKind.Parquet,
        [".parq"] = SourceKind.Parquet,
        [".arrow"] = SourceKind.Arrow,
        [".arrows"] = SourceKind.Arrow,
        [".feather"] = SourceKind.Arrow,
        [".ipc"] = SourceKind.Arrow,
        [".npy"] = SourceKind.Npy,
        [".npz"] = SourceKind.Npz,
        [".pt"] = SourceKind.Torch,
        [".pth"] = SourceKind.Torch,
        [".safetensors"] = SourceKind.Safetensors,
        [".csv"] = SourceKind.Csv,
        [".tsv"] = SourceKind.Csv,
        [".mdb"] = SourceKind.Lmdb,
        [".lmdb"] = SourceKind.Lmdb,
    };

    /// <summary>The endings that a folder is searched for, for a message.</summary>
    public static string Searched => string.Join(", ", Endings.Keys);

    /// <summary>The format that a name's ending stands for; null if it stands for none.</summary>
    public static SourceKind? OfName(string path) => Endings.TryGetValue(Path.GetExtension(path), out var kind) ? kind : null;

    /// <summary>The format of a file; Parquet if neither its name nor its first bytes tell.</summary>
    public static SourceKind OfFile(string path)
    {
        if (OfName(path) is { } kind)
        {
            return kind;
        }

        var start = FileKind.StartOf(path);
        return start.StartsWith("ARROW1"u8) || start.StartsWith((ReadOnlySpan<byte>)[0xff, 0xff, 0xff, 0xff]) ? SourceKind.Arrow
            : FileKind.IsLmdb(start) ? SourceKind.Lmdb
            : SourceKind.Parquet;
    }

    /// <summary>The format in words, for a message.</summary>
    public static string NameOf(this SourceKind kind) => kind switch
    {
        SourceKind.Npy => ".npy",
        SourceKind.Npz => ".npz",
        SourceKind.Torch => "PyTorch",
        SourceKind.Safetensors => "safetensors",
        SourceKind.Csv => "CSV",
        SourceKind.Lmdb => "LMDB",
        SourceKind.Saev => "saev",
        _ => kind.ToString(),
    };
}
