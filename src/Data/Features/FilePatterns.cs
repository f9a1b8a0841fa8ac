using System.IO.Enumeration;

namespace MonoLoss.Data;

/// <summary>Expands paths, folders and patterns to files.</summary>
internal static class FilePatterns
{
    /// <summary>Whether a name has a wildcard.</summary>
    public static bool IsPattern(string name) => name.AsSpan().IndexOfAny('*', '?') >= 0;

    /// <summary>Whether a name matches a pattern of * and ?.</summary>
    public static bool Matches(string pattern, string name) =>
        FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);

    /// <summary>The files, in the order of the paths, sorted by name within a folder or a pattern.</summary>
    /// <exception cref="DataException">A path matches no file.</exception>
    public static List<string> Expand(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (var path in paths)
        {
            if (path.Length == 0)
            {
                throw new DataException("the path of a feature file is empty");
            }

            if (File.Exists(path))
            {
                files.Add(path);
            }
            else if (Directory.Exists(path))
            {
                AddAll(files, List(path, "*.parquet"), $"{path}: no *.parquet file in this folder");
            }
            else if (IsPattern(path))
            {
                AddAll(files, Glob(path), $"{path}: no file matches");
            }
            else
            {
                throw new DataException($"{path}: no such file or folder");
            }
        }

        return files.Count > 0 ? files : throw new DataException("no feature file is given");
    }

    /// <summary>Whether a path is a file, a folder, or a pattern that matches something.</summary>
    public static bool Exists(string path) =>
        File.Exists(path) || Directory.Exists(path) || (IsPattern(path) && Glob(path).Count > 0);

    private static void AddAll(List<string> files, List<string> found, string problem)
    {
        if (found.Count == 0)
        {
            throw new DataException(problem);
        }

        files.AddRange(found);
    }

    private static List<string> Glob(string pattern)
    {
        var folder = Path.GetDirectoryName(pattern) ?? "";
        var name = Path.GetFileName(pattern);
        List<string> folders = !IsPattern(folder)
            ? [folder]
            : [.. folder.Split(Path.DirectorySeparatorChar).Aggregate(new List<string> { "" }, Step)];
        return [.. folders.SelectMany(found => List(found, name))];

        static List<string> Step(List<string> found, string part) => !IsPattern(part)
            ? [.. found.Select(outer => outer.Length == 0 && part.Length == 0 ? "/" : Path.Combine(outer, part))]
            : [.. found.SelectMany(outer => Names(outer, part, Directory.EnumerateDirectories))];
    }

    private static List<string> List(string folder, string pattern) => Names(folder, pattern, Directory.EnumerateFiles);

    private static List<string> Names(string folder, string pattern, Func<string, IEnumerable<string>> enumerate)
    {
        try
        {
            var names = enumerate(folder.Length == 0 ? "." : folder).Select(path => Path.GetFileName(path))
                .Where(name => Matches(pattern, name) && (name[0] != '.' || pattern[0] == '.'))
                .ToList();
            names.Sort(StringComparer.Ordinal);
            return [.. names.Select(name => Path.Combine(folder, name))];
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
}
