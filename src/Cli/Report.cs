using MonoLoss.Models;

namespace MonoLoss.Cli;

internal static class Report
{
    public static void Write(string path, IReadOnlyList<RunFolder> runs)
    {
    }
}
