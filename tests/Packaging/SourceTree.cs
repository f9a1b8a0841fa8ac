using System.ComponentModel;
using System.Diagnostics;

namespace MonoLoss.Tests.Packaging;

/// <summary>The checkout that the tests were built from, and the SDK. A machine that only runs the built tests has neither.</summary>
internal static class SourceTree
{
    /// <summary>The root folder; null if there is no source tree.</summary>
    public static string? Root { get; } = FindRoot();

    /// <summary>Why a test that builds something is skipped; null if it can run.</summary>
    public static string? MissingBuild { get; } = Root is null ? "needs the source tree" : HasSdk() ? null : "needs the .NET SDK";

    /// <summary>The C# files of src, tests and bench.</summary>
    public static IEnumerable<string> CodeFiles() =>
        from folder in new[] { "src", "tests", "bench" }
        from file in Directory.EnumerateFiles(Path.Combine(Root!, folder), "*.cs", SearchOption.AllDirectories)
        let parts = Path.GetRelativePath(Root!, file).Split(Path.DirectorySeparatorChar)
        where !parts.Contains("obj") && !parts.Contains("bin")
        select file;

    private static string? FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MonoLoss.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName;
    }

    private static bool HasSdk()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("dotnet", ["--list-sdks"]) { RedirectStandardOutput = true })!;
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return output.Trim().Length > 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
