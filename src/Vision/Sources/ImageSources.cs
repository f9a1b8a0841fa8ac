using MonoLoss.Data;

namespace MonoLoss.Vision;

/// <summary>Finds out what the user's sources of images are.</summary>
public static class ImageSources
{
    private static readonly string[] ParquetExtensions = [".parquet", ".pq", ".parq"];
    private static readonly string[] TarExtensions = [".tar", ".tgz", ".tar.gz"];
    private static readonly string[] ListExtensions = [".txt", ".lst", ".tsv"];

    /// <summary>
    /// Opens sources: folders of images, or of Parquet files or tar shards; Parquet files; tar shards; lists (.txt, .lst, .tsv); single
    /// images.
    /// </summary>
    /// <param name="paths">The sources.</param>
    /// <param name="imageColumn">The column of images in Parquet files; null to find it.</param>
    /// <param name="labelColumn">The column of labels in Parquet files; null to look for a usual one.</param>
    /// <returns>At least one source, in order.</returns>
    /// <exception cref="DataException">A source does not exist, cannot be read, or has no images.</exception>
    public static IReadOnlyList<ImageSource> Open(IEnumerable<string> paths, string? imageColumn, string? labelColumn)
    {
        List<ImageSource> sources = [.. paths.SelectMany(path => Open(path, imageColumn, labelColumn))];
        return sources.Count > 0 ? sources : throw new DataException("no source of images is given");
    }

    private static IEnumerable<ImageSource> Open(string path, string? imageColumn, string? labelColumn)
    {
        if (Directory.Exists(path))
        {
            return OpenFolder(path, imageColumn, labelColumn);
        }

        if (!File.Exists(path))
        {
            throw new DataException($"{path}: no such file or folder");
        }

        return [Has(path, ParquetExtensions) ? ParquetImages.Open(path, imageColumn, labelColumn)
            : Has(path, TarExtensions) ? TarImages.Open(path)
            : Has(path, ListExtensions) ? ImageFiles.List(path)
            : ImageFiles.IsImageName(path) ? ImageFiles.File(path)
            : throw new DataException($"{path}: expected a folder, a Parquet file, a tar file, a list (.txt, .lst, .tsv) or an image")];
    }

    private static IEnumerable<ImageSource> OpenFolder(string path, string? imageColumn, string? labelColumn)
    {
        var images = ImageFiles.Folder(path);
        if (images.Count > 0)
        {
            return [images];
        }

        List<string> shards = [.. Shards(path)];
        shards.Sort(NaturalOrder.Compare);
        return shards.Count > 0
            ? shards.SelectMany(shard => Open(shard, imageColumn, labelColumn))
            : throw new DataException($"{path}: no image in this folder or below, nor a Parquet or tar file in it");
    }

    private static IEnumerable<string> Shards(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder).Where(file => Path.GetFileName(file)[0] != '.'
                && (Has(file, ParquetExtensions) || Has(file, TarExtensions)))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder}: cannot be read: {exception.Message}", exception);
        }
    }

    private static bool Has(string path, string[] extensions) =>
        extensions.Any(extension => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase));
}
