using System.Reflection;

namespace MonoLoss.Data;

/// <summary>Which build of MonoLoss this is.</summary>
public static class BuildInfo
{
    /// <summary>
    /// The version and, where it was built from a repository, the commit: <c>0.2.0-preview.0.3+994fc12…</c>. Every assembly of a build has
    /// the same.
    /// </summary>
    public static string Version { get; } =
        typeof(BuildInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
