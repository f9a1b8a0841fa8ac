namespace MonoLoss.Data;

/// <summary>
/// Lists folders, in the order of the numbers in names. A folder is visited once in a search, by whichever links it is reached, so that a
/// link to a folder above ends nothing and repeats nothing.
/// </summary>
internal sealed class FolderSearch
{
    private const string LockFile = "lock.mdb";

    private readonly HashSet<string> _visited = new(StringComparer.Ordinal);

    /// <summary>All files of features in a folder and below; hidden ones, and those whose names begin with '_', are left out.</summary>
    /// <exception cref="DataException">A folder cannot be listed.</exception>
    public IEnumerable<string> Files(string folder) => Folders(folder).SelectMany(found =>
        Names(found, Directory.EnumerateFiles).Where(IsData).Select(name => Path.Combine(found, name)));

    /// <summary>A folder and all below it.</summary>
    /// <inheritdoc cref="Files"/>
    public IEnumerable<string> Folders(string folder)
    {
        // Not recursive: how deep folders are is not ours to say.
        var stack = new Stack<string>([folder]);
        while (stack.TryPop(out var next))
        {
            if (!_visited.Add(RealPath(next)))
            {
                continue;
            }

            yield return next;
            foreach (var name in Names(next, Directory.EnumerateDirectories).Where(name => !IsHidden(name)).Reverse())
            {
                stack.Push(Path.Combine(next, name));
            }
        }
    }

    /// <summary>The names in a folder, in order; none if it does not exist.</summary>
    /// <exception cref="DataException">The folder cannot be listed.</exception>
    public static List<string> Names(string folder, Func<string, IEnumerable<string>> enumerate)
    {
        try
        {
            var names = enumerate(folder.Length == 0 ? "." : folder).Select(path => Path.GetFileName(path)).ToList();
            names.Sort(NaturalOrder.Compare);
            return names;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot be listed: {exception.Message}", exception);
        }
    }

    /// <summary>Whether a name is one that tools use for what is not data.</summary>
    public static bool IsHidden(string name) => name[0] is '.' or '_';

    private static bool IsData(string name) => !IsHidden(name) && SourceKinds.OfName(name) is not null && name != LockFile;

    // The path without links, so that two ways to a folder are one.
    private static string RealPath(string path)
    {
        const int MostLinks = 64;
        var full = Path.GetFullPath(path.Length == 0 ? "." : path);
        for (var links = 0; links < MostLinks; links++)
        {
            var next = WithoutFirstLink(full);
            if (next == full)
            {
                return full;
            }

            full = next;
        }

        throw new DataException($"{path}: it has too many symbolic links");
    }

    private static string WithoutFirstLink(string full)
    {
        var at = Path.GetPathRoot(full)!;
        var parts = full[at.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        for (var i = 0; i < parts.Length; i++)
        {
            var next = Path.Combine(at, parts[i]);
            if (new DirectoryInfo(next).LinkTarget is { } target)
            {
                return Path.GetFullPath(Path.Combine([at, target, .. parts[(i + 1)..]]));
            }

            at = next;
        }

        return at;
    }
}
