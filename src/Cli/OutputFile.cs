using MonoLoss.Data;

namespace MonoLoss.Cli;

/// <summary>Checks the file that --out names before a command computes for a long time.</summary>
internal static class OutputFile
{
    /// <summary>Checks that a file has one of the expected formats, is not one of the command's inputs, and can be written.</summary>
    /// <param name="path">The file; null if none is asked for.</param>
    /// <param name="extensions">The formats' extensions, in lower case.</param>
    /// <param name="inputs">Files that must not be replaced.</param>
    /// <param name="option">The option that names it.</param>
    /// <returns>The extension; null without a file.</returns>
    /// <exception cref="UsageException">It has another extension, or is an input.</exception>
    /// <exception cref="DataException">It cannot be written.</exception>
    public static string? Check(string? path, string[] extensions, IEnumerable<string> inputs, string option = "--out")
    {
        if (path is null)
        {
            return null;
        }

        var extension = Path.GetExtension(path).ToLowerInvariant();
        if (!extensions.Contains(extension))
        {
            throw new UsageException($"{option}: found '{path}', expected a file name ending in {string.Join(" or ", extensions)}");
        }

        var full = Path.GetFullPath(path);
        if (inputs.Any(input => Path.GetFullPath(input) == full))
        {
            throw new UsageException($"{option}: {path} is read by the command, so it cannot be written too");
        }

        // Creates the temporary file of the target, and deletes it.
        new AtomicFile(path).Dispose();
        return extension;
    }
}
