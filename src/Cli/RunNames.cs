namespace MonoLoss.Cli;

/// <summary>What runs are called side by side.</summary>
internal static class RunNames
{
    /// <summary>The names of run folders without their paths; the paths as given where two have the same name.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> folders)
    {
        var names = folders.Select(folder => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))).ToList();
        return names.Distinct().Count() < names.Count || names.Contains(string.Empty) ? folders : names;
    }
}
