using System.Text.Json;
using System.Text.RegularExpressions;

namespace MonoLoss.Data;

/// <summary>Tells what folders are that are one set by their layout, and pairs files of features with those of labels.</summary>
internal static partial class FeatureFolder
{
    /// <summary>The name of the file with the data of a store of LMDB.</summary>
    public const string LmdbData = "data.mdb";

    /// <summary>The name of the file that describes saev's shards.</summary>
    public const string SaevMetadata = "metadata.json";

    private const string State = "state.json";

    /// <summary>The files of a folder with a layout of its own: save_to_disk, LMDB, saev.</summary>
    /// <returns>Null if it is a folder like any other.</returns>
    /// <exception cref="DataException">It has several splits, is damaged, or its format is not read.</exception>
    public static IReadOnlyList<FeatureFile>? Find(string path)
    {
        bool Has(string name) => File.Exists(Path.Combine(path, name));
        if (Has(LmdbData))
        {
            return [new FeatureFile(path, SourceKind.Lmdb)];
        }

        if (Has(SaevMetadata) && Has("acts000000.bin"))
        {
            return [new FeatureFile(path, SourceKind.Saev)];
        }

        if (Has("dataset_dict.json"))
        {
            var splits = FolderSearch.Names(path, Directory.EnumerateDirectories);
            throw new DataException($"{path}: it has the splits {string.Join(", ", splits)} of Hugging Face's save_to_disk; pass one, such "
                + $"as {Path.Combine(path, splits.FirstOrDefault("train"))}");
        }

        if (Has(State) && Has("dataset_info.json"))
        {
            return SavedFiles(path);
        }

        return Directory.Exists(Path.Combine(path, "_versions"))
            ? throw new DataException($"{path}: it is {FileKind.OfFolder(path)}")
            : null;
    }

    /// <summary>Takes the files found for one path, of which some may be the labels of others.</summary>
    /// <param name="path">The path, as given.</param>
    /// <param name="files">The files.</param>
    /// <exception cref="DataException">They are of several formats, or labels belong to no file.</exception>
    public static IReadOnlyList<FeatureFile> OfOneKind(string path, IReadOnlyList<string> files)
    {
        var kinds = files.GroupBy(SourceKinds.OfFile).ToList();
        if (kinds.Count > 1)
        {
            throw new DataException($"{path}: it has files of {kinds.Count} formats: "
                + string.Join(", ", kinds.Select(group => $"{group.Key.NameOf()} ({Path.GetFileName(group.First())})"))
                + "; pass those of one, such as "
                + $"'{Path.Combine(Path.GetDirectoryName(files[0]) ?? "", "*" + Path.GetExtension(files[0]))}'");
        }

        var kind = kinds[0].Key;
        var labels = kind is SourceKind.Npy or SourceKind.Npz or SourceKind.Torch or SourceKind.Safetensors
            ? files.Where(file => LabelsStem().IsMatch(Path.GetFileName(file))).DistinctBy(PairKey)
                .ToDictionary(PairKey, StringComparer.Ordinal)
            : [];
        if (labels.Count == files.Count)
        {
            labels.Clear();
        }

        var features = files.Where(file => labels.GetValueOrDefault(PairKey(file)) != file);
        List<FeatureFile> paired = [.. features.Select(file => new FeatureFile(file, kind, labels.GetValueOrDefault(PairKey(file))))];
        var used = paired.Select(file => file.LabelsPath).ToHashSet();
        var alone = labels.Values.FirstOrDefault(file => !used.Contains(file));
        return alone is null
            ? paired
            : throw new DataException($"{alone}: no file of features has the name that belongs to these labels, such as "
                + $"{LabelsStem().Replace(Path.GetFileName(alone), "features")}");
    }

    // The folder and the name without the word for what is in it: 'features-003.npy' and 'labels-003.npy' have the same.
    private static string PairKey(string file) =>
        Path.Combine(Path.GetDirectoryName(file) ?? "", LeadingWord().Replace(Path.GetFileNameWithoutExtension(file), ""));

    private static List<FeatureFile> SavedFiles(string path)
    {
        var state = Path.Combine(path, State);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(state));
            var files = new List<FeatureFile>();
            foreach (var item in document.RootElement.GetProperty("_data_files").EnumerateArray())
            {
                var name = item.GetProperty("filename").GetString()!;
                files.Add(Path.GetFileName(name) == name
                    ? new FeatureFile(Path.Combine(path, name), SourceKind.Arrow)
                    : throw new DataException($"{state}: '{name}' is not a file of the folder"));
            }

            return files.Count > 0 ? files : throw new DataException($"{state}: it lists no data files");
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException
            or IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{state}: the data files of Hugging Face's save_to_disk cannot be read from it: {exception.Message}",
                exception);
        }
    }

    [GeneratedRegex(@"^(labels?|targets?|classes)(?=[-_. ]|[0-9]|$)", RegexOptions.IgnoreCase)]
    private static partial Regex LabelsStem();

    [GeneratedRegex(@"^[A-Za-z]+")]
    private static partial Regex LeadingWord();
}
