using System.IO.Enumeration;

namespace MonoLoss.Data;

/// <summary>Expands paths, folders and patterns to files.</summary>
internal static class FilePatterns
{
    private const string AnyFolders = "**";

    /// <summary>Whether a name has a wildcard.</summary>
    public static bool IsPattern(string name) => name.AsSpan().IndexOfAny('*', '?') >= 0;

    /// <summary>Whether a name matches a pattern of * and ?.</summary>
    public static bool Matches(string pattern, string name) =>
        FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);

    /// <summary>The files, in the order of the paths; in the order of the numbers in their names within a folder or a pattern.</summary>
    /// <exception cref="DataException">A path matches no file, or files of several splits.</exception>
    public static List<FeatureFile> Expand(IEnumerable<string> paths)
    {
        var files = new List<FeatureFile>();
        foreach (var path in paths)
        {
            files.AddRange(Expand(path));
        }

        return files.Count > 0 ? files : throw new DataException("no feature file is given");
    }

    /// <summary>Whether a path is a file, a folder, or a pattern that matches something.</summary>
    public static bool Exists(string path) =>
        File.Exists(path) || Directory.Exists(path) || (IsPattern(path) && Glob(path).Count > 0);

    private static IReadOnlyList<FeatureFile> Expand(string path)
    {
        if (path.Length == 0)
        {
            throw new DataException("the path of a feature file is empty");
        }

        if (File.Exists(path))
        {
            return [FeatureFile.Of(path)];
        }

        List<string> files;
        if (Directory.Exists(path))
        {
            if (FeatureFolder.Find(path) is { } store)
            {
                return store;
            }

            files = [.. new FolderSearch().Files(path)];
            if (files.Count == 0)
            {
                throw new DataException($"{path}: no file of features in this folder or below ({SourceKinds.Searched})"
                    + (FileKind.OfFolder(path) is { } kind ? $"; it has {kind}" : string.Empty));
            }
        }
        else if (IsPattern(path))
        {
            files = Glob(path);
            if (files.Count == 0)
            {
                throw new DataException($"{path}: no file matches");
            }
        }
        else
        {
            throw new DataException($"{path}: no such file or folder");
        }

        SplitNames.CheckOne(path, IsPattern(path) && !Directory.Exists(path) ? Root(path) : path, files);
        return FeatureFolder.OfOneKind(path, files);
    }

    // Folders that match the end of a pattern are searched, as if each were given.
    private static List<string> Glob(string pattern)
    {
        List<string> found = [Path.GetPathRoot(pattern) ?? ""];
        var parts = pattern[found[0].Length..].Split(
            [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        foreach (var part in parts[..^1])
        {
            found = [.. found.SelectMany(outer => Step(outer, part)).Distinct()];
        }

        var search = new FolderSearch();
        return [.. found.SelectMany(folder => Last(folder, parts[^1], search))];
    }

    private static IEnumerable<string> Step(string outer, string part)
    {
        if (part == AnyFolders)
        {
            return new FolderSearch().Folders(outer);
        }

        return IsPattern(part)
            ? FolderSearch.Names(outer, Directory.EnumerateDirectories).Where(name => IsMatch(part, name))
                .Select(name => Path.Combine(outer, name))
            : [Path.Combine(outer, part)];
    }

    private static IEnumerable<string> Last(string folder, string part, FolderSearch search)
    {
        if (part == AnyFolders)
        {
            return search.Files(folder);
        }

        var files = FolderSearch.Names(folder, Directory.EnumerateFiles).Where(name => IsMatch(part, name));
        var folders = FolderSearch.Names(folder, Directory.EnumerateDirectories).Where(name => IsMatch(part, name));
        return files.Select(name => Path.Combine(folder, name))
            .Concat(folders.SelectMany(name => search.Files(Path.Combine(folder, name))));
    }

    // As in a shell, a wildcard does not match a hidden name; nor one that begins with '_', as those of Spark's own files do.
    private static bool IsMatch(string pattern, string name) =>
        IsPattern(pattern) ? Matches(pattern, name) && (!FolderSearch.IsHidden(name) || pattern[0] == name[0]) : name == pattern;

    private static string Root(string pattern)
    {
        var root = pattern;
        while (IsPattern(root))
        {
            root = Path.GetDirectoryName(root) ?? "";
        }

        return root.Length > 0 ? root : ".";
    }
}
