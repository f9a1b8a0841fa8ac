using MonoLoss.Data;

namespace MonoLoss.Tests.Data;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("monoloss-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Fixtures
{
    public const int Rows = 60;
    public const int Dimension = 8;

    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Data", "fixtures");

    public static string File(string name) => Path.Combine(Folder, name);

    /// <summary>What is in all fixtures: exact even as a 16-bit float.</summary>
    public static float Feature(int row, int dimension) => ((((row * 31) + (dimension * 17)) % 101) - 50) / 8f;

    public static int Label(int row) => row * 7 % 5;
}

internal static class Throws
{
    /// <summary>Checks that an action fails with a single line that has these words in it.</summary>
    public static void Line(Action action, params string[] words)
    {
        var message = Assert.Throws<DataException>(action).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(words, word => Assert.Contains(word, message, StringComparison.Ordinal));
    }
}
