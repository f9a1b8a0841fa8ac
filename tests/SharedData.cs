using System.Runtime.CompilerServices;

namespace MonoLoss.Tests;

/// <summary>The folder <c>../shared</c> beside the checkout: large files that are not part of the repository.</summary>
internal static class SharedData
{
    /// <summary>The folder; null if it does not exist or the tests do not run from a checkout.</summary>
    public static string? Folder { get; } = Find();

    /// <summary>Why a test that needs the folder is skipped; null where the folder exists.</summary>
    public static string? Missing => Folder is null ? "needs ../shared beside the checkout" : null;

    /// <summary>The path of a file in the folder.</summary>
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

/// <summary>A fact that is skipped if <c>../shared</c> does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedDataFactAttribute : FactAttribute
{
    /// <summary>Looks for the folder.</summary>
    public SharedDataFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = SharedData.Missing;
}

/// <summary>A theory that is skipped if <c>../shared</c> does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedDataTheoryAttribute : TheoryAttribute
{
    /// <summary>Looks for the folder.</summary>
    public SharedDataTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = SharedData.Missing;
}
