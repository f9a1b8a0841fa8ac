namespace MonoLoss.Data;

/// <summary>Tells by their names which split of a dataset files belong to.</summary>
internal static class SplitNames
{
    private const string Train = "train";

    private static readonly Dictionary<string, string> Words = new(StringComparer.OrdinalIgnoreCase)
    {
        ["train"] = Train,
        ["training"] = Train,
        ["val"] = "val",
        ["valid"] = "val",
        ["validation"] = "val",
        ["dev"] = "val",
        ["test"] = "test",
        ["testing"] = "test",
    };

    private static readonly char[] Separators = ['-', '_', '.', '=', ' '];

    /// <summary>Checks that the files found for one path are of one split.</summary>
    /// <param name="path">The path, as given.</param>
    /// <param name="root">The folder that was searched, whose own name does not count.</param>
    /// <param name="files">The files.</param>
    /// <exception cref="DataException">They are of several.</exception>
    public static void CheckOne(string path, string root, IEnumerable<string> files)
    {
        var examples = new Dictionary<string, string>();
        foreach (var file in files)
        {
            if (SplitOf(Path.GetRelativePath(root, file)) is { } split)
            {
                examples.TryAdd(split, file);
            }
        }

        if (examples.Count > 1)
        {
            var first = examples.ContainsKey(Train) ? Train : examples.Keys.First();
            throw new DataException($"{path}: it has files of several splits ({string.Join(", ", examples.Keys)}); pass those of one, "
                + $"such as '{Pattern(root, examples[first], first)}'");
        }
    }

    private static string? SplitOf(string path)
    {
        foreach (var part in path.Split(Path.DirectorySeparatorChar).Reverse())
        {
            foreach (var word in part.Split(Separators))
            {
                if (Words.TryGetValue(word, out var split))
                {
                    return split;
                }
            }
        }

        return null;
    }

    // The split's folder if there is one, else a pattern for its files.
    private static string Pattern(string root, string file, string split)
    {
        for (var folder = Path.GetDirectoryName(file);
            folder is not null && folder.Length > root.Length;
            folder = Path.GetDirectoryName(folder))
        {
            if (SplitOf(Path.GetFileName(folder)) == split)
            {
                return folder;
            }
        }

        var name = Path.GetFileName(file);
        var word = name.Split(Separators).First(word => Words.TryGetValue(word, out var found) && found == split);
        var at = name.IndexOf(word, StringComparison.Ordinal);
        var end = at + word.Length;
        return Path.Combine(
            Path.GetDirectoryName(file) ?? "",
            $"{(at > 0 ? "*" + name[at - 1] : "")}{word}{(end < name.Length ? name[end] + "*" : "")}");
    }
}
