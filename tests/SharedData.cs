namespace MonoLoss.Tests;

/// <summary>Files that are kept beside the repository, in <c>../shared</c>, and not in it.</summary>
internal static class SharedData
{
    /// <summary>The folder, or null where it is not there.</summary>
    public static string? Folder { get; } = Find();

    /// <summary>A file of the folder.</summary>
    public static string File(params string[] names) => Path.Combine([Folder!, .. names]);

    private static string? Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !System.IO.File.Exists(Path.Combine(folder.FullName, "MonoLoss.sln")))
        {
            folder = folder.Parent;
        }

        var shared = folder?.Parent is null ? null : Path.Combine(folder.Parent.FullName, "shared");
        return Directory.Exists(shared) ? shared : null;
    }
}

/// <summary>A fact that needs <c>../shared</c>, and is skipped where that is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedDataFactAttribute : FactAttribute
{
    /// <summary>Looks for the folder.</summary>
    public SharedDataFactAttribute() => Skip = SharedData.Folder is null ? "../shared is not there" : null;
}

/// <summary>A theory that needs <c>../shared</c>, and is skipped where that is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedDataTheoryAttribute : TheoryAttribute
{
    /// <summary>Looks for the folder.</summary>
    public SharedDataTheoryAttribute() => Skip = SharedData.Folder is null ? "../shared is not there" : null;
}
