using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>Image files: those of a folder and below, of a list, or a single one.</summary>
internal sealed class ImageFiles : ImageSource
{
    private const long MaxBytes = 1L << 30;
    private const int MaxDepth = 64;

    // The last ones are not decoded; they are listed as skipped, where leaving them out in silence would lose images.
    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".jp2",
    };

    private readonly IReadOnlyList<(string File, string Id, string? Label)> _files;

    private ImageFiles(string path, IReadOnlyList<(string File, string Id, string? Label)> files)
        : base(path) => _files = files;

    /// <inheritdoc/>
    public override long? Count => _files.Count;

    /// <inheritdoc/>
    internal override string Fingerprint
    {
        get
        {
            var hash = new XxHash64();
            foreach (var (_, id, label) in _files)
            {
                hash.Append(MemoryMarshal.AsBytes($"{id}\n{label}\n".AsSpan()));
            }

            return string.Create(CultureInfo.InvariantCulture, $"{_files.Count} {hash.GetCurrentHashAsUInt64():x16}");
        }
    }

    /// <summary>Whether a name is an image's, by its extension.</summary>
    public static bool IsImageName(string name) => Extensions.Contains(System.IO.Path.GetExtension(name));

    /// <summary>A single file.</summary>
    public static ImageFiles File(string path) => new(path, [(path, System.IO.Path.GetFileName(path), null)]);

    /// <summary>
    /// The images of a folder and those below, in the order of their names, with numbers by value. An image's class is the name of the
    /// folder that it is in; an image of the folder itself has none.
    /// </summary>
    /// <exception cref="DataException">A folder cannot be read.</exception>
    public static ImageFiles Folder(string path)
    {
        var files = new List<(string, string, string?)>();
        try
        {
            Collect(path, string.Empty, null, [], files);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return new ImageFiles(path, files);
    }

    /// <summary>
    /// The images of a list: a path in each line, and after a tab its class if it has one. A path starts at the list's folder and stays in
    /// it, unless it is absolute: lists come with data of others, and should not read what is beside them by accident.
    /// </summary>
    /// <exception cref="DataException">The list cannot be read, names nothing, or a path leads out of its folder.</exception>
    public static ImageFiles List(string path)
    {
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        var files = new List<(string, string, string?)>();
        try
        {
            foreach (var (number, line) in System.IO.File.ReadLines(path).Index().Where(line => line.Item.Length > 0))
            {
                var tab = line.IndexOf('\t', StringComparison.Ordinal);
                var (name, label) = tab < 0 ? (line, null) : (line[..tab], line[(tab + 1)..]);
                if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
                {
                    throw new DataException($"{path}, line {number + 1}: expected the path of an image");
                }

                var file = System.IO.Path.GetFullPath(name, folder);
                if (!System.IO.Path.IsPathFullyQualified(name) && !IsWithin(folder, file))
                {
                    throw new DataException(
                        $"{path}, line {number + 1}: '{name}' leads out of the list's folder; write the absolute path if it should");
                }

                files.Add((file, name, string.IsNullOrEmpty(label) ? null : label));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return files.Count > 0 ? new ImageFiles(path, files) : throw new DataException($"{path}: the list is empty");
    }

    /// <inheritdoc/>
    public override long Read(long skip, Action<ImageEntry> take)
    {
        for (var i = skip; i < _files.Count; i++)
        {
            var (file, id, label) = _files[(int)i];
            take(new ImageEntry(id, label, () => ReadBytes(file)));
        }

        return Math.Max(0, skip - _files.Count);
    }

    private static bool IsWithin(string folder, string file) =>
        file.StartsWith(System.IO.Path.EndsInDirectorySeparator(folder) ? folder : folder + System.IO.Path.DirectorySeparatorChar,
            StringComparison.Ordinal);

    private static ReadOnlyMemory<byte> ReadBytes(string file)
    {
        try
        {
            // A link has a length of its own. Pipes and devices have none, and reading them may not end.
            var target = System.IO.File.ResolveLinkTarget(file, returnFinalTarget: true) as FileInfo ?? new FileInfo(file);
            return target.Length switch
            {
                0 => ReadOnlyMemory<byte>.Empty,
                <= MaxBytes => System.IO.File.ReadAllBytes(file),
                _ => throw new DamagedImageException("the file is larger than 1 GiB"),
            };
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DamagedImageException("no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new DamagedImageException($"the file cannot be read: {exception.Message}", exception);
        }
    }

    // Links to folders are followed, but not in circles.
    private static void Collect(
        string folder, string prefix, string? label, HashSet<string> outer, List<(string File, string Id, string? Label)> files)
    {
        var real = new DirectoryInfo(folder).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? System.IO.Path.GetFullPath(folder);
        if (outer.Count >= MaxDepth || !outer.Add(real))
        {
            return;
        }

        foreach (var name in Names(Directory.EnumerateFiles(folder)).Where(IsImageName))
        {
            files.Add((System.IO.Path.Combine(folder, name), prefix + name, label));
        }

        foreach (var name in Names(Directory.EnumerateDirectories(folder)))
        {
            Collect(System.IO.Path.Combine(folder, name), $"{prefix}{name}/", name, outer, files);
        }

        outer.Remove(real);
    }

    // Hidden names are those of tools, such as macOS's ._ files beside images.
    private static List<string> Names(IEnumerable<string> paths)
    {
        List<string> names = [.. paths.Select(path => System.IO.Path.GetFileName(path)).Where(name => name[0] != '.')];
        names.Sort(NaturalOrder.Compare);
        return names;
    }
}
