using System.Diagnostics;
using MonoLoss.Tests.Data;

namespace MonoLoss.Tests.Packaging;

/// <summary>
/// The two packages, packed once into a temporary folder, and a NuGet configuration that lists only that folder and the packages that
/// the build restored.
/// </summary>
public sealed class BuiltPackages : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>Packs both, unless there is no source tree or no SDK.</summary>
    public BuiltPackages()
    {
        if (SourceTree.MissingBuild is not null)
        {
            return;
        }

        // The outputs of the checkout are left alone: a test must not rebuild the files it runs from.
        foreach (var project in new[] { "Cli", "Package" })
        {
            Dotnet(
                SourceTree.Root!, "pack", Path.Combine("src", project), "-c", "Release", "-o", Feed,
                "--artifacts-path", _folder["artifacts"], "-p:UseSharedCompilation=false");
        }

        File.WriteAllText(
            Path.Combine(_folder["nuget.config"]),
            $"""
            <configuration>
              <packageSources>
                <clear />
                <add key="packed" value="{Feed}" />
                <add key="restored" value="{RestoredPackages}" />
              </packageSources>
            </configuration>
            """);
    }

    /// <summary>The folder with the packages.</summary>
    public string Feed => _folder["feed"];

    /// <summary>The version of both packages.</summary>
    public string Version => Path.GetFileNameWithoutExtension(Find("MonoLoss.Tool.*.nupkg"))["MonoLoss.Tool.".Length..];

    /// <summary>A path in a folder where MSBuild and NuGet find no settings but those of this class.</summary>
    public string this[string name] => _folder[name];

    /// <summary>The library's package.</summary>
    public string Library => Path.Combine(Feed, $"MonoLoss.{Version}.nupkg");

    /// <summary>The library's symbols.</summary>
    public string Symbols => Path.Combine(Feed, $"MonoLoss.{Version}.snupkg");

    private static string RestoredPackages => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>Skips a test if nothing can be built.</summary>
    public static void SkipWithoutBuild() => Assert.SkipWhen(SourceTree.MissingBuild is not null, SourceTree.MissingBuild ?? string.Empty);

    /// <summary>Runs the SDK and returns its output; fails the test if the SDK fails.</summary>
    private static string Dotnet(string workingDirectory, params string[] args) => Run("dotnet", workingDirectory, args);

    /// <summary>Runs a program with NuGet's global packages in the temporary folder.</summary>
    public string RunIsolated(string program, string workingDirectory, params string[] args) =>
        Run(program, workingDirectory, args, ("NUGET_PACKAGES", _folder["packages"]));

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    private static string Run(
        string program, string workingDirectory, string[] args, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, args)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Variables that `dotnet test` sets must not reach this build, and a build node that outlives it would keep its output open.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', args)}: exit code {process.ExitCode}\n{output}{error.Result}");
        return output;
    }

    private string Find(string pattern) => Directory.GetFiles(Feed, pattern).Single();
}
