using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>Images in an order that does not change between two runs.</summary>
public abstract class ImageSource
{
    private protected ImageSource(string path) => Path = path;

    /// <summary>The file or folder, as given.</summary>
    public string Path { get; }

    /// <summary>The number of images; null if only reading them tells.</summary>
    public abstract long? Count { get; }

    /// <summary>What tells whether the images are still the same: sizes and times, or names.</summary>
    internal abstract string Fingerprint { get; }

    /// <summary>Reads images.</summary>
    /// <param name="skip">Number of images at the start to leave out.</param>
    /// <param name="take">Called for each of the others, in order.</param>
    /// <returns>The number of images that <paramref name="skip"/> is beyond the end; 0 if it is not.</returns>
    /// <exception cref="DataException">The source cannot be read.</exception>
    public abstract long Read(long skip, Action<ImageEntry> take);

    private protected static string FileFingerprint(string path)
    {
        var info = new FileInfo(path);
        return $"{info.Length} {info.LastWriteTimeUtc.Ticks}";
    }
}
